"""An app of an account that the management API knows, too: one password for both (spec 08, 2)."""

from __future__ import annotations

import base64
import hashlib
from typing import Self

from boards.app import App
from vpin_protocol import Command

from conformance_v1.clients import PASSWORD, Api


class SameApp(App):
    """Logged in to the account of `api`; what it sends in place of the password is made as apps make it."""

    def __init__(self, address: str, api: Api, password: str = PASSWORD) -> None:
        host, _, port = address.rpartition(":")
        super().__init__((host, int(port)))
        salt = hashlib.sha256(api.email.lower().encode()).digest()
        self.email, self._salt = api.email, salt
        self.set_password(password)

    def set_password(self, password: str) -> None:
        self._hash = base64.b64encode(hashlib.sha256(password.encode() + self._salt).digest()).decode()

    def write_to(self, target: str, pin: int, value: object) -> None:
        """Write a pin of `dash-device`."""
        self.send(Command.HARDWARE, target, "vw", pin, str(value))

    def expect(self, command: int, message_id: int, body: bytes) -> None:
        """Such a frame comes."""
        self._wait(lambda frame: (frame.command, frame.message_id, frame.body) == (command, message_id, body))

    def closed(self) -> bool:
        """The server closes the connection within the time-out."""
        assert self._socket is not None
        self._socket.settimeout(5)
        while True:
            try:
                if not self._socket.recv(65536):
                    return True
            except TimeoutError:
                return False
            except OSError:
                return True

    def make_dash(self, json: str) -> None:
        self.ok(Command.CREATE_DASH, json)
        self.call(Command.ACTIVATE, 1)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
