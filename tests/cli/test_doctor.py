"""What the doctor finds."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from infra.process import free_port
from vpin_runtime.settings import Settings

from vpin import doctor
from vpin.doctor import Finding, Level


def examine(settings: Settings) -> dict[str, Finding]:
    async def collect() -> dict[str, Finding]:
        return {finding.part: finding async for finding in doctor.examine(settings)}

    return asyncio.run(collect())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    addresses = {name: f"127.0.0.1:{free_port()}" for name in ("http", "tls", "mqtt")}
    return Settings(data=tmp_path / "data", **addresses)  # pyright: ignore[reportArgumentType]


@pytest.mark.integration
def test_a_fresh_installation_is_fine(settings: Settings):
    found = examine(settings)
    assert not [finding for finding in found.values() if finding.level is Level.BAD]
    assert found["mail"].level is Level.DOUBT


@pytest.mark.integration
@pytest.mark.parametrize("setting", ["http", "tls", "mqtt"])
def test_a_taken_port_is_wrong(settings: Settings, setting: str):
    with socket.create_server(("127.0.0.1", int(getattr(settings, setting).rpartition(":")[2]))):
        finding = examine(settings)[setting]
    assert finding.level is Level.BAD
    assert f"VPIN_{setting.upper()}" in finding.advice


@pytest.mark.integration
def test_a_port_that_is_not_wanted_is_not_looked_at(settings: Settings):
    assert "mqtt" not in examine(settings.model_copy(update={"mqtt": ""}))


@pytest.mark.integration
def test_a_mail_server_that_does_not_answer_is_wrong(settings: Settings):
    finding = examine(settings.model_copy(update={"smtp_host": "127.0.0.1", "smtp_port": free_port()}))["mail"]
    assert finding.level is Level.BAD


@pytest.mark.parametrize(("port", "at_once"), [(587, False), (465, True)])
@pytest.mark.parametrize("verify", [True, False])
def test_a_mail_server_is_asked_as_mails_will_be_sent(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, port: int, at_once: bool, verify: bool
):
    asked: list[dict[str, Any]] = []

    def away(**options: Any) -> Any:
        asked.append(options)
        return AsyncMock(__aenter__=AsyncMock(side_effect=OSError("away")))

    monkeypatch.setattr("aiosmtplib.SMTP", away)
    asked_with = {"smtp_host": "mail.example.org", "smtp_port": port, "smtp_verify": verify}
    finding = asyncio.run(doctor.mail(settings.model_copy(update=asked_with)))
    assert finding.level is Level.BAD
    assert (asked[0]["use_tls"], asked[0]["start_tls"], asked[0]["validate_certs"]) == (
        at_once,
        False if at_once else None,
        verify,
    )


def test_a_broken_certificate_is_wrong(settings: Settings, tmp_path: Path):
    (tmp_path / "bad.pem").write_text("no certificate")
    finding = doctor.certificate(settings.model_copy(update={"tls_certificate": tmp_path / "bad.pem"}))
    assert finding.level is Level.BAD


def test_a_folder_that_cannot_be_written_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("os.access", lambda *_: False)
    assert doctor.data_folder(tmp_path).level is Level.BAD
