"""The frames of a run, made in advance, and the check that they arrive: every one, in order, nothing else.

A stream is a cycle of frames of one length whose values and message ids run. The sender writes slices of it, the
receiver compares what arrives with what must come by one memcmp for each read. So a frame costs the generator some tens
of nanoseconds, and it can share a machine with the server. Pairs start at different places of the cycle, so a frame
that strays to another account does not go unnoticed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from vpin_protocol import (
    APP_HEADER,
    HARDWARE_HEADER,
    AppDecoder,
    Command,
    HardwareDecoder,
    Status,
    app_frame,
    hardware_frame,
    join,
)

from vpin.bench.accounts import DASH, PIN

CYCLE = 8192
"""Frames after which a stream repeats: more than ever are in flight, and some 200 KB, which caches hold."""
IN_FLIGHT_BYTES = 65536
"""How far a sender is ahead of its receiver when nothing else is asked: keeps a server busy, and queues short."""


class Direction(StrEnum):
    DEVICE_APP = "device-app"
    APP_DEVICE = "app-device"


class Stream:
    """What one kind of run sends and expects, shared by its pairs."""

    def __init__(self, direction: Direction, device: int = 0, frames_per_write: int = 32) -> None:
        self.to_app = direction is Direction.DEVICE_APP
        self.cycle = -(-CYCLE // frames_per_write) * frames_per_write
        self.frames_per_write = frames_per_write
        prefix = join(f"{DASH}-{device}", b"")
        bodies = [join("vw", PIN, f"{number:06d}") for number in range(self.cycle)]
        ids = range(1, self.cycle + 1)
        boards = [hardware_frame(Command.HARDWARE, i, body) for i, body in zip(ids, bodies, strict=True)]
        apps = [app_frame(Command.HARDWARE, i, prefix + body) for i, body in zip(ids, bodies, strict=True)]
        sent, expected = (boards, apps) if self.to_app else (apps, boards)
        self.sent_size = len(sent[0])
        self.expected_size = len(expected[0])
        step = frames_per_write
        self.blocks = [b"".join(sent[at : at + step]) for at in range(0, self.cycle, step)]
        self.expected = b"".join(expected) * 2  # a read may begin anywhere in the first cycle
        self.expected_cycle = len(self.expected) // 2

    def value(self, number: int) -> str:
        """The value in the frame that has this number in the cycle."""
        return f"{number % self.cycle:06d}"


class Checker:
    """Compares what arrives with the stream. ``received`` frames were right; ``errors`` tells what was not."""

    def __init__(self, stream: Stream, first: int = 0) -> None:
        self.stream = stream
        self.statuses: Counter[int] = Counter()  # of responses in between, but OK
        self.errors: list[str] = []
        self._first = first
        self._at = first * stream.expected_size  # in stream.expected, next byte to come
        self._bytes = 0
        self._rest = b""  # begins a frame that is not the next of the stream, or only in part

    @property
    def received(self) -> int:
        return self._bytes // self.stream.expected_size

    def feed(self, data: bytes) -> None:
        """What a read gave."""
        stream = self.stream
        if not self._rest and len(data) <= stream.expected_cycle and stream.expected.startswith(data, self._at):
            self._bytes += len(data)
            self._at = (self._at + len(data)) % stream.expected_cycle
        else:
            self._feed_frames(data)

    def _feed_frames(self, data: bytes) -> None:
        """The slow way, frame by frame: responses and notices in between are put aside."""
        stream, size = self.stream, self.stream.expected_size
        begun = self._bytes % size
        data = stream.expected[self._at - begun : self._at] + self._rest + data if begun else self._rest + data
        self._at -= begun
        self._bytes -= begun
        header = APP_HEADER if stream.to_app else HARDWARE_HEADER
        at = 0
        while at + header.size <= len(data):
            command, _, length = header.unpack_from(data, at)
            end = at + header.size + (length if command else 0)
            if end > len(data):
                break
            if command == Command.RESPONSE:
                if length != Status.OK:
                    self.statuses[length] += 1
            elif stream.expected.startswith(data[at:end], self._at):
                self._bytes += size
                self._at = (self._at + size) % stream.expected_cycle
            elif command in (Command.HARDWARE, Command.APP_SYNC):
                self._error(data[at:end])
            at = end
        self._rest = data[at:]
        if self._rest and stream.expected.startswith(self._rest, self._at):
            self._bytes += len(self._rest)
            self._at += len(self._rest)
            self._rest = b""

    def _error(self, frame: bytes) -> None:
        if len(self.errors) < 5:
            wanted = self.stream.expected[self._at : self._at + self.stream.expected_size]
            self.errors.append(f"{frame[:60]!r} came in place of {wanted!r}")


async def drained(pending: Callable[[], bool], arrived: asyncio.Event, seconds: float) -> None:
    """Return when nothing is pending any more, which ``arrived`` makes worth a look, or after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            while pending():
                arrived.clear()
                await arrived.wait()
    except TimeoutError:
        pass  # the counts tell


class Answers:
    """Counts the statuses that come back to a sender; a write that succeeds is not answered."""

    def __init__(self, decoder: AppDecoder | HardwareDecoder) -> None:
        self._decoder = decoder
        self.statuses: Counter[int] = Counter()

    def feed(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            if frame.status not in (None, Status.OK):
                self.statuses[frame.status or 0] += 1
