"""Connections of the generator: request and answer while a run is set up, raw bytes to a sink while it is measured."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from vpin_protocol import AppDecoder, Command, Frame, HardwareDecoder, Status, app_frame, hardware_frame, join

ANSWER_SECONDS = 30.0
"""For an answer during set-up; a server may hash many passwords at a time."""
CLOSE_SECONDS = 2.0
PROXY_HEADER = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"
"""PROXY protocol version 2, no addresses: for gateways that expect an edge in front of them."""


class BenchError(Exception):
    """The run cannot be made or its outcome is wrong; the text is for the user."""


@dataclass(frozen=True)
class Target:
    """Where the server listens. Boards and HTTP are plain, apps speak TLS."""

    http: tuple[str, int]
    app: tuple[str, int]
    hardware: tuple[str, int]
    hardware_preface: bytes = b""  # what comes first on a board's connection


class Link(asyncio.Protocol):
    """One connection. With a ``sink`` whatever arrives goes there undecoded."""

    def __init__(self, app: bool) -> None:
        self.frame = app_frame if app else hardware_frame
        self.decoder = AppDecoder() if app else HardwareDecoder()
        self.sink: Callable[[bytes], object] | None = None
        self.others: list[Frame] = []  # frames that answered nothing
        self.lost: Exception | None = None
        self.transport: asyncio.WriteTransport
        self.closed = asyncio.Event()
        self._answers: dict[int, asyncio.Future[Frame]] = {}
        self._last_id = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)  # uvloop's TLS transport is no subclass

    def data_received(self, data: bytes) -> None:
        if self.sink is not None:
            self.sink(data)
            return
        for frame in self.decoder.feed(data):
            answer = self._answers.pop(frame.message_id, None)
            if answer is None:
                self.others.append(frame)
            elif not answer.done():
                answer.set_result(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = BenchError(f"the server closed a connection{f': {exc}' if exc else ''}")
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(self.lost)
        self.closed.set()

    def send(self, command: int, *fields: bytes | str | int, message_id: int = 1) -> None:
        self.transport.write(self.frame(command, message_id, join(*fields)))

    async def call(self, command: int, *fields: bytes | str | int) -> Frame:
        """The frame that answers; BenchError when none comes."""
        if self.lost:
            raise self.lost
        self._last_id = self._last_id % 1000 + 1  # the server's own ids are higher: 1111, 7777, …
        answer = self._answers[self._last_id] = asyncio.get_running_loop().create_future()
        self.send(command, *fields, message_id=self._last_id)
        try:
            return await asyncio.wait_for(answer, ANSWER_SECONDS)
        except TimeoutError:
            raise BenchError(f"no answer to command {command} within {ANSWER_SECONDS:.0f} s") from None

    async def ok(self, command: int, *fields: bytes | str | int, accept: tuple[int, ...] = (Status.OK,)) -> None:
        """The same, for commands that are answered by a status."""
        answer = await self.call(command, *fields)
        if answer.status not in accept:
            raise BenchError(f"command {command} was answered with {answer.status or answer.command}")


async def connect_app(target: Target) -> Link:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return await _connect(True, target.app, context)


async def connect_device(target: Target, token: str) -> Link:
    """A logged-in board."""
    link = await _connect(False, target.hardware, None)
    link.transport.write(target.hardware_preface)
    await link.ok(Command.HARDWARE_LOGIN, token)
    return link


async def close(links: Iterable[Link]) -> None:
    """Close connections in order; at once those whose server does not take part within a moment."""
    links = list(links)
    for link in links:
        link.transport.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            for link in links:
                await link.closed.wait()
    except TimeoutError:
        for link in links:
            link.transport.abort()


async def _connect(app: bool, address: tuple[str, int], context: ssl.SSLContext | None) -> Link:
    loop = asyncio.get_running_loop()
    try:
        _, link = await loop.create_connection(lambda: Link(app), *address, ssl=context)
    except OSError as error:
        raise BenchError(f"cannot connect to {address[0]}:{address[1]}: {error}") from None
    return link
