"""Boards and apps as asyncio clients: many at a time, and they notice what they miss."""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections.abc import Callable
from typing import ClassVar, Self

from vpin_protocol import (
    AppDecoder,
    Command,
    Frame,
    HardwareDecoder,
    Status,
    app_frame,
    hardware_frame,
    join,
)

DASH = 1
PATIENCE = 30.0
"""Seconds that a fault may cost: restart of a broker included."""


class Client:
    """One connection. Frames that came are in `frames`; `gone` is set when the server has closed it."""

    connected: ClassVar[set[Client]] = set()
    """Those of the test that runs, closed at its end."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decoder: AppDecoder | HardwareDecoder
    ) -> None:
        self.frames: list[Frame] = []
        self.gone = False
        self.writer = writer
        self._reader = reader
        self._decoder = decoder
        self._id = 0
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._read())
        self.connected.add(self)

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(1 << 16):
                self.frames += self._decoder.feed(data)
                self._news.set()
        except OSError:
            pass
        self.gone = True
        self._news.set()

    async def wait(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def answer(self, message_id: int, seconds: float = PATIENCE) -> Frame:
        """The frame that answers a message."""
        found: list[Frame] = []

        def come() -> bool:
            found[:] = [frame for frame in self.frames if frame.message_id == message_id]
            return bool(found) or self.gone

        await self.wait(come, seconds)
        assert found, f"the server closed the connection, message {message_id} is not answered"
        return found[0]

    def next_id(self) -> int:
        self._id = self._id % 60_000 + 1
        return self._id

    async def close(self) -> None:
        """At once: the server may be dead."""
        self.connected.discard(self)
        self._task.cancel()
        self.writer.transport.abort()
        await asyncio.gather(self._task, self.writer.wait_closed(), return_exceptions=True)


class Board(Client):
    """A board on the plain port."""

    @classmethod
    async def connect(cls, http: str, token: str) -> Self:
        host, port = http.split(":")
        board = cls(*await asyncio.open_connection(host, int(port)), HardwareDecoder())
        board.writer.write(hardware_frame(Command.HARDWARE_LOGIN, board.next_id(), token.encode()))
        assert (await board.answer(1)).status == Status.OK
        return board

    def frame(self, pin: int, value: object) -> bytes:
        return hardware_frame(Command.HARDWARE, self.next_id(), join("vw", pin, str(value)))

    async def fence(self, seconds: float = PATIENCE) -> None:
        """Returns when everything sent before has been applied."""
        await self.writer.drain()
        self.frames.clear()
        message_id = self.next_id()
        self.writer.write(hardware_frame(Command.PING, message_id, b""))
        assert (await self.answer(message_id, seconds)).status == Status.OK


class App(Client):
    """An app on the TLS port; :meth:`register` makes its account."""

    email = ""
    password = ""

    @classmethod
    async def connect(cls, tls: str, email: str = "", password: str = "") -> Self:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        host, port = tls.split(":")
        app = cls(*await asyncio.open_connection(host, int(port), ssl=context), AppDecoder())
        app.email, app.password = email, password
        if not email:
            app.email, app.password = f"{secrets.token_hex(6)}@example.com", secrets.token_hex(8)
            assert (await app.call(Command.REGISTER, app.email, app.password, "Blynk")).status == Status.OK
        assert (await app.call(Command.LOGIN, app.email, app.password)).status == Status.OK
        return app

    async def project(self, devices: int) -> list[str]:
        """An active dashboard with devices 0…; their tokens."""
        boards = [{"id": i, "name": f"board {i}", "boardType": "ESP8266"} for i in range(devices)]
        dash = {"id": DASH, "name": "faults", "createdAt": 1, "isActive": True, "devices": boards}
        assert (await self.call(Command.CREATE_DASH, json.dumps(dash))).status == Status.OK
        return [device["token"] for device in json.loads((await self.call(Command.GET_DEVICES, DASH)).body)]

    async def call(self, command: int, *fields: str | int, seconds: float = PATIENCE) -> Frame:
        return await self.answer(self.send(command, *fields), seconds)

    def send(self, command: int, *fields: str | int) -> int:
        message_id = self.next_id()
        self.writer.write(app_frame(command, message_id, join(*fields)))
        return message_id

    def values(self, device: int, pin: int) -> list[bytes]:
        """What the app was told of a pin by the board, in order."""
        prefix = join(f"{DASH}-{device}", "vw", pin) + b"\0"
        return [
            f.body[len(prefix) :] for f in self.frames if f.command == Command.HARDWARE and f.body.startswith(prefix)
        ]

    async def stored(self, device: int) -> dict[int, bytes]:
        """The device's virtual pins as a sync tells them."""
        self.frames.clear()
        await self.call(Command.APP_SYNC, f"{DASH}-{device}")
        await self.call(Command.PING)
        bodies = [f.body.split(b"\0", 3) for f in self.frames if f.command == Command.APP_SYNC]
        return {int(pin): value for _, operation, pin, value in bodies if operation == b"vw"}
