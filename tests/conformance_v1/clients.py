"""Clients of the tests: the management API of one account, and a board."""

from __future__ import annotations

import itertools
import secrets
import socket
from collections.abc import Mapping
from typing import Any, Self

import httpx
from vpin_protocol import Command, Frame, HardwareDecoder, Status, hardware_frame, join

PASSWORD = "correct horse"
_ids = itertools.count(1)


def random_email() -> str:
    return f"{secrets.token_hex(8)}@example.com"


class Api:
    """One account, logged in. `call` checks the status and gives the JSON."""

    def __init__(self, base: str, email: str | None = None) -> None:
        self.http = httpx.Client(base_url=f"{base}/api/v1", timeout=10, verify=False)
        self.email = email or random_email()
        try:
            self._enter(is_new=email is None)
        except BaseException:
            self.http.close()
            raise

    def _enter(self, *, is_new: bool) -> None:
        body = {"email": self.email, "password": PASSWORD}
        if is_new:
            self.call("POST", "/users", 201, body)
        token = self.call("POST", "/sessions", 201, body)["token"]
        self.http.headers["authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, status: int, body: object = None, **more: Any) -> Any:
        answer = self.http.request(method, path, json=body, **more)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        if status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            problem = answer.json()
            assert problem.keys() >= {"type", "title", "status", "detail"}
            assert problem["status"] == status
        return answer.json() if answer.content else None

    def template(self, name: str = "Kind", /, **streams: Mapping[str, object]) -> str:
        """A template with datastreams by pin (`V1={…}`)."""
        template = self.call("POST", "/templates", 201, {"name": name})["id"]
        for pin, stream in streams.items():
            self.call("PUT", f"/templates/{template}/datastreams/{pin}", 201, stream)
        return template

    def device(self, template: str | None = None, **fields: object) -> dict[str, Any]:
        return self.call("POST", "/devices", 201, {"name": "board", "templateId": template, **fields})

    def value(self, device: dict[str, Any], pin: str) -> Any:
        return self.call("GET", f"/devices/{device['id']}/values/{pin}", 200)["value"]


class Board:
    """A board's connection; `log_in` says whether it was let in."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=5)
        self._decoder = HardwareDecoder()
        self._frames: list[Frame] = []

    def log_in(self, token: str) -> bool:
        return self._ask(Command.HARDWARE_LOGIN, token) == Status.OK

    def send(self, command: int, *parts: object) -> int:
        number = next(_ids) % 60_000 + 1
        self.socket.sendall(hardware_frame(command, number, join(*(str(part) for part in parts))))
        return number

    def write(self, pin: int, *values: object) -> None:
        self.send(Command.HARDWARE, "vw", pin, *values)
        self.fence()

    def fence(self) -> list[list[str]]:
        """The writes that came, up to the answer of a ping."""
        return self._until_ping(Command.HARDWARE)

    def told(self) -> list[list[str]]:
        """The internal messages that came, up to the answer of a ping."""
        return self._until_ping(Command.INTERNAL)

    def _until_ping(self, command: int) -> list[list[str]]:
        number = self.send(Command.PING)
        found: list[list[str]] = []
        while True:
            frame = self._next()
            if frame.command == Command.RESPONSE and frame.message_id == number:
                return found
            if frame.command == command:
                found.append(frame.body.decode().split("\0"))

    def closed(self) -> bool:
        """The server closes the connection within the time-out."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            return True
        return True

    def _ask(self, command: int, *parts: object) -> int | None:
        number = self.send(command, *parts)
        while True:
            frame = self._next()
            if frame.command == Command.RESPONSE and frame.message_id == number:
                return frame.status

    def _next(self) -> Frame:
        while not self._frames:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("closed by the server")
            self._frames += self._decoder.feed(data)
        return self._frames.pop(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
