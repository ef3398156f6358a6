"""Firmware over the air across processes: two that serve HTTP, two owners, and all of them killed in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conformance_v1.clients import Board, random_email
from infra.suite import Suite
from infra.vpin import clean_environment
from vpin_client import Client
from vpin_protocol import Command, Status

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

ADMIN = ("admin@example.com", "correct horse")
IMAGE = b"\xe9\0build\0Aug 14 2017\0" + bytes(range(256)) * 4096


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Suite]:
    environment = clean_environment(VPIN_ADMIN_EMAIL=ADMIN[0], VPIN_ADMIN_PASSWORD=ADMIN[1])
    suite = Suite(tmp_path, environment, apis=2, states=2)
    try:
        suite.start()
        yield suite
    finally:
        suite.stop()


class Reporting(Board):
    """A board that tells its build when it has logged in."""

    def offered(self, token: str, build: str) -> list[str]:
        """The addresses of images that came before the answer."""
        assert self.log_in(token)
        number = self.send(Command.INTERNAL, "ver", "0.6.1", "dev", "ESP8266", "build", build)
        found: list[str] = []
        while (frame := self._next()).message_id != number or frame.command != Command.RESPONSE:
            if frame.command == Command.INTERNAL:
                found.append(frame.body.decode().partition("\0")[2])
        assert frame.status == Status.OK
        return found


def test_a_campaign_outlives_all_processes(suite: Suite) -> None:
    admin = httpx.Client(base_url=f"https://{suite.tls}", verify=False, auth=ADMIN, timeout=20)
    with Client(f"http://{suite.http}") as client, admin:
        email = random_email()
        client.register(email, ADMIN[1])
        client.log_in(email, ADMIN[1])
        token = client.devices.create("board").token or ""

        started = admin.post("/admin/ota/start", params={"user": email}, files={"upfile": ("fw.bin", IMAGE)})
        assert started.status_code == 200, started.text
        for _ in range(2):
            with Reporting(suite.http) as board:
                (address,) = board.offered(token, "old")
                assert address.endswith(started.text)
            for _ in range(6):  # by both processes
                assert httpx.get(f"http://{suite.http}{started.text}").content == IMAGE
            suite.kill()
            suite.start_services()

        assert admin.get("/admin/ota/stop").status_code == 200
        with Reporting(suite.http) as board:
            assert board.offered(token, "old") == []
