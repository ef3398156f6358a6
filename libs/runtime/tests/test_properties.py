"""The old properties file as a source of settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from vpin_runtime.properties import NAMES, parse_properties, settings_from
from vpin_runtime.settings import Settings, source_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1\nb = 2 \nc:3\nd 4", {"a": "1", "b": "2", "c": "3", "d": "4"}),
        ("# no\n! no\n\n  a=1", {"a": "1"}),
        ("a=1\na=2", {"a": "2"}),
        ("a=", {"a": ""}),
        ("a", {"a": ""}),
        ("list=1,\\\n   2,\\\n   3", {"list": "1,2,3"}),
        ("path=C\\:\\\\x\\tz", {"path": "C:\\x\tz"}),
        ("na\\=me=\\u0041", {"na=me": "A"}),
        ("url=http://x:80/?a=b", {"url": "http://x:80/?a=b"}),
    ],
)
def test_java_properties_syntax(text: str, expected: dict[str, str]):
    assert parse_properties(text) == expected


def test_old_names_map_to_settings(tmp_path: Path):
    file = tmp_path / "server.properties"
    file.write_text(
        "http.port=8088\nhttps.port=9449\nlisten.address=127.0.0.1\nlog.level=warn\nno.such.name=1\nadmin.pass=\n"
    )
    assert settings_from(file) == {"http": "127.0.0.1:8088", "tls": "127.0.0.1:9449", "log_level": "warning"}


@pytest.mark.parametrize(("line", "seconds"), [("=", 0), ("", 0), ("=0", 0), ("=7", 7)])
def test_an_empty_time_out_is_none(tmp_path: Path, line: str, seconds: int):
    file = tmp_path / "server.properties"
    file.write_text(f"hard.socket.idle.timeout{line}\n")
    assert settings_from(file) == {"hardware_idle_timeout": str(seconds)}


def test_the_mail_server_of_the_old_files_is_trusted_whatever_its_certificate(tmp_path: Path):
    file = tmp_path / "mail.properties"
    file.write_text("mail.smtp.host=mail.example.org\n")
    assert Settings.model_validate(settings_from(file)).smtp_verify is False
    assert Settings().smtp_verify is True


def test_every_old_name_maps_to_a_setting_that_exists():
    assert set(NAMES.values()) <= set(Settings.model_fields)


def test_the_environment_is_stronger_than_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "server.properties").write_text("http.port=8088\nhttps.port=9449\nhard.socket.idle.timeout=7\n")
    (tmp_path / "vpin.toml").write_text('tls = "127.0.0.1:9555"\n')
    monkeypatch.setenv("VPIN_SERVER_PROPERTIES", str(tmp_path / "server.properties"))
    monkeypatch.setenv("VPIN_CONFIG", str(tmp_path / "vpin.toml"))
    monkeypatch.setenv("VPIN_HTTP", "127.0.0.1:1")
    settings = Settings()
    assert (settings.http, settings.tls, settings.hardware_idle_timeout) == ("127.0.0.1:1", "127.0.0.1:9555", 7)
    assert source_of(settings, "http") == "VPIN_HTTP"
    assert source_of(settings, "tls") == str(tmp_path / "vpin.toml")
    assert source_of(settings, "hardware_idle_timeout") == str(tmp_path / "server.properties")
    assert source_of(settings, "shards") == "default"


def test_an_empty_file_name_is_none(monkeypatch: pytest.MonkeyPatch):
    for name in ("VPIN_PUSH_CREDENTIALS", "VPIN_TLS_CERTIFICATE", "VPIN_TLS_KEY"):
        monkeypatch.setenv(name, "")
    settings = Settings()
    assert settings.push_credentials is settings.tls_certificate is settings.tls_key is None


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VPIN_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(FileNotFoundError):
        Settings()
