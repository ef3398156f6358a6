"""An app by hand: TLS, app framing, an account with one dashboard and one board."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import time

from vpin_protocol import AppDecoder, Command, Frame, Status, app_frame, join

DASH = 1


class App:
    """One app session of an account; ``connect`` again after the server was away."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.email, self._hash = f"{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(24)
        self._socket: ssl.SSLSocket | None = None

    def register(self) -> str:
        """Make the account; the token of its board."""
        self._open()
        self.ok(Command.REGISTER, self.email, self._hash, "Blynk")
        self._login()
        self.ok(Command.CREATE_DASH, json.dumps({"id": DASH, "name": "boards", "createdAt": 1, "widgets": []}))
        board = {"id": 0, "name": "board", "boardType": "ESP8266", "connectionType": "WI_FI"}
        device = json.loads(self.call(Command.CREATE_DEVICE, DASH, json.dumps(board)).body)
        self.call(Command.ACTIVATE, DASH)
        return device["token"]

    def connect(self) -> None:
        self.close()
        self._open()
        self._login()

    def write(self, pin: int, value: object) -> None:
        self.send(Command.HARDWARE, f"{DASH}-0", "vw", pin, str(value))

    def expect_write(self, pin: int, value: object) -> None:
        """The board's write of this value comes."""
        self._wait(
            lambda frame: frame.command == Command.HARDWARE and frame.body == join(f"{DASH}-0", "vw", pin, str(value))
        )

    def ok(self, command: int, *fields: str | int) -> None:
        answer = self.call(command, *fields)
        assert answer.status == Status.OK, (command, answer)

    def call(self, command: int, *fields: str | int) -> Frame:
        message_id = self.send(command, *fields)
        return self._wait(lambda frame: frame.message_id == message_id)

    def send(self, command: int, *fields: str | int) -> int:
        assert self._socket
        self._last_id += 1
        self._socket.sendall(app_frame(command, self._last_id, join(*fields)))
        return self._last_id

    def close(self) -> None:
        if self._socket:
            self._socket.close()

    def _open(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._socket = context.wrap_socket(socket.create_connection(self._address, timeout=10))
        self._decoder, self._frames, self._last_id = AppDecoder(), list[Frame](), 0

    def _login(self) -> None:
        self.ok(Command.LOGIN, self.email, self._hash, "Android", "2.27.34", "Blynk")

    def _wait(self, matches, seconds: float = 10) -> Frame:
        assert self._socket
        deadline, seen = time.monotonic() + seconds, []
        while time.monotonic() < deadline:
            while self._frames:
                seen.append(self._frames.pop(0))
                if matches(seen[-1]):
                    return seen[-1]
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                break
            assert data, f"the server closed the app's connection; it sent {seen}"
            self._frames += self._decoder.feed(data)
        raise AssertionError(f"what was expected did not come, but {seen}")
