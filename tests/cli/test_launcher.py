"""The options of the old server's start line (spec 06, 2)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from vpin_runtime.settings import Settings, source_of

from vpin.launcher import LauncherError, is_old, translate


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to start in, and an environment that is put back afterwards."""
    monkeypatch.chdir(tmp_path)
    for variable in ("VPIN_SERVER_PROPERTIES", "VPIN_HTTP", "VPIN_TLS", "VPIN_DATA"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    return tmp_path


def start(*arguments: str) -> list[str]:
    """What is told."""
    told: list[str] = []
    assert translate(arguments, os.environ, told.append) == ["run"]
    return told


@pytest.mark.parametrize("line", ["-dataFolder x", "run -hardPort 1", "-restore", "-nonsense", "-help"])
def test_an_old_line_is_known_by_its_first_option(line: str):
    assert is_old(line.split())


@pytest.mark.parametrize("line", ["", "run", "run --config x", "-h", "-V", "--help", "user delete -y a", "backup -"])
def test_those_of_vpin_are_left_alone(line: str):
    assert not is_old(line.split())


def test_files_ports_and_folder_become_settings(here: Path):
    (here / "my.properties").write_text("http.port=1111\nhttps.port=2222\nlisten.address=127.0.0.1\ndata.folder=/old\n")
    (here / "m.properties").write_text("mail.smtp.host=mail.example.org\n")
    (here / "s.properties").write_text("nexmo.api.key=k\n")
    line = "-dataFolder new -serverConfig my.properties -mailConfig m.properties -smsConfig s.properties -hardPort 3333"
    assert start(*line.split()) == []
    settings = Settings()
    assert (settings.http, settings.tls, str(settings.data)) == ("127.0.0.1:3333", "127.0.0.1:2222", "new")
    assert (settings.smtp_host, settings.sms_key) == ("mail.example.org", "k")
    assert source_of(settings, "smtp_host") == "m.properties"


def test_files_of_the_folder_are_read_without_being_named(here: Path):
    (here / "server.properties").write_text("http.port=1111\n")
    (here / "mail.properties").write_text("mail.smtp.host=mail.example.org\n")
    start("run", "-appPort", "4444", "-workerThreads", "3")
    settings = Settings()
    assert (settings.http, settings.tls, settings.smtp_host) == ("0.0.0.0:1111", "0.0.0.0:4444", "mail.example.org")


def test_what_vpin_does_without_is_told():
    assert [text.partition(":")[0] for text in start("-workerThreads", "4", "-restore")] == [
        "-workerThreads",
        "-restore",
    ]


def test_accounts_of_the_old_server_are_pointed_at(here: Path):
    (here / "data").mkdir()
    (here / "data" / "anna@example.org.Blynk.user").write_text("{}")
    (told,) = start("-dataFolder", "data")
    assert "`vpin import-blynk data`" in told


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("-nonsense 1", 2, "no such option"),
        ("-hardPort x", 2, "'x' is no number"),
        ("-hardPort", 2, "its value is missing"),
        ("-hardPort 1 run", 2, "no such option"),
        ("-serverConfig nowhere", 1, "Path nowhere not found."),
        ("-mailConfig nowhere", 1, "Path nowhere not found."),
    ],
)
def test_a_wrong_line_is_refused(line: str, status: int, message: str):
    with pytest.raises(LauncherError, match=message) as refused:
        translate(line.split(), os.environ, lambda text: None)
    assert refused.value.status == status


@pytest.mark.parametrize(("option", "status", "said"), [("-version", 0, "vpin 0."), ("-nonsense", 2, "no such option")])
def test_the_program_itself_takes_them(option: str, status: int, said: str):
    done = subprocess.run([sys.executable, "-m", "vpin", option], capture_output=True, text=True)
    assert (done.returncode, said in done.stdout + done.stderr) == (status, True)
