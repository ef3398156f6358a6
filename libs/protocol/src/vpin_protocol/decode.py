"""Bytes to frames: incremental decoders for streams, iterators over chunks of whole frames, websocket messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

from vpin_protocol.framing import (
    APP_HEADER,
    COMMANDS,
    HARDWARE_HEADER,
    WEB_HEADER,
    WEB_RESPONSE,
    Frame,
    ProtocolError,
    Reason,
)
from vpin_protocol.scan import scan_app, scan_hardware

Part = tuple[int, int, bytes]
"""(command, message id, body); a response has an empty body: its status is not told."""


def split_hardware(data: bytes | bytearray, start: int = 0, end: int | None = None) -> Iterator[Part]:
    """The frames of a chunk of whole frames; ProtocolError (TRUNCATED) where it is not. Commands are not checked."""
    unpack, at, stop = HARDWARE_HEADER.unpack_from, start, len(data) if end is None else end
    while at < stop:
        if at + 5 > stop:
            raise ProtocolError(Reason.TRUNCATED, at)
        command, message_id, length = unpack(data, at)
        at += 5
        if command == 0:
            yield 0, message_id, b""
            continue
        if at + length > stop:
            raise ProtocolError(Reason.TRUNCATED, at - 5)
        yield command, message_id, bytes(data[at : at + length])
        at += length


def split_app(data: bytes | bytearray, start: int = 0, end: int | None = None) -> Iterator[Part]:
    """The same for the app framing."""
    unpack, at, stop = APP_HEADER.unpack_from, start, len(data) if end is None else end
    while at < stop:
        if at + 7 > stop:
            raise ProtocolError(Reason.TRUNCATED, at)
        command, message_id, length = unpack(data, at)
        at += 7
        if command == 0:
            yield 0, message_id, b""
            continue
        if at + length > stop:
            raise ProtocolError(Reason.TRUNCATED, at - 7)
        yield command, message_id, bytes(data[at : at + length])
        at += length


def split_web(data: bytes | bytearray, start: int = 0, end: int | None = None) -> Iterator[Part]:
    """The one frame of a websocket message: the web framing has no length, so its frames cannot be joined."""
    stop = len(data) if end is None else end
    if start == stop:
        return
    if start + 3 > stop:
        raise ProtocolError(Reason.TRUNCATED, start)
    command, message_id = WEB_HEADER.unpack_from(data, start)
    yield command, message_id, b"" if command == 0 else bytes(data[start + 3 : stop])


class _StreamDecoder:
    """Bytes of one connection in, frames out, whatever the split.

    ``feed`` raises ProtocolError where the stream breaks; the frames before that place that no earlier call returned
    are its ``decoded``. From then on every call raises.
    """

    _scan: ClassVar[Callable[[bytes | bytearray, int], tuple[int, int]]]
    _unpack: ClassVar[Callable[[bytes | bytearray, int], tuple[int, ...]]]
    _size: ClassVar[int]

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._broken: Reason | None = None

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not whole yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete."""
        if self._broken is not None:
            raise ProtocolError(self._broken)
        self._buffer += data
        try:
            end, _ = type(self)._scan(self._buffer, 0)
        except ProtocolError as error:
            self._broken = error.reason
            decoded = tuple(self._frames(error.end))
            self._buffer.clear()
            raise ProtocolError(error.reason, error.end, error.frames, decoded) from None
        frames = list(self._frames(end))
        del self._buffer[:end]
        return frames

    def _frames(self, end: int) -> Iterator[Frame]:
        at, buffer, size = 0, self._buffer, self._size
        while at < end:
            command, message_id, length = type(self)._unpack(buffer, at)
            at += size
            if command == 0:
                yield Frame(0, message_id, b"", length)
            else:
                yield Frame(command, message_id, bytes(buffer[at : at + length]))
                at += length


class HardwareDecoder(_StreamDecoder):
    """Hardware framing, either direction."""

    _scan = scan_hardware
    _unpack = HARDWARE_HEADER.unpack_from
    _size = HARDWARE_HEADER.size


class AppDecoder(_StreamDecoder):
    """App framing, either direction."""

    _scan = scan_app
    _unpack = APP_HEADER.unpack_from
    _size = APP_HEADER.size


def decode_web(message: bytes) -> Frame | None:
    """The frame in a binary websocket message, either direction; None: ignore it (too short, or command ≥ 100)."""
    if len(message) < 3 or message[0] >= COMMANDS:
        return None
    if message[0]:
        command, message_id = WEB_HEADER.unpack_from(message)
        return Frame(command, message_id, message[3:])
    if len(message) < 7:
        return None
    _, message_id, status = WEB_RESPONSE.unpack_from(message)
    return Frame(0, message_id, b"", status)
