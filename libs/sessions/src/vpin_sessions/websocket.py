"""Clients inside websockets: boards (hardware framing, a byte stream) and browsers (web framing, a frame a message).

The websocket itself is the sans-IO core of the package ``websockets``; what owners send is framed here, since that is
the hot way. No extensions, so no compression: frames are small, and it would cost 64 KiB a connection.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable, Iterator

from vpin_messages.slab import Side
from vpin_protocol import (
    COMMANDS,
    HARDWARE_HEADER,
    HARDWARE_MAX_BODY,
    WEB_MAX_MESSAGE,
    ProtocolError,
    Reason,
    app_from_web,
    web_from_app,
)
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from vpin_sessions.gateway import Gateway
from vpin_sessions.kind import Kind
from vpin_sessions.session import LINGER, Session
from vpin_sessions.sniff import head_end, refusal

BOARD_MAX_MESSAGE = 2 * (HARDWARE_HEADER.size + HARDWARE_MAX_BODY)
"""Bytes of a board's message: it is a part of a stream, and the longest frame has to fit in one."""
FAREWELL = 0.5
"""Seconds between a close frame for a broken message and the end of the connection, so that the client can read it."""

_quiet = logging.getLogger("vpin.websocket")
_quiet.setLevel(logging.CRITICAL)  # the library logs each connection; what matters is counted here

_medium = struct.Struct(">BBH").pack
_long = struct.Struct(">BBQ").pack


class WebSocketSession(Session):
    """A session whose stream, or whose frames, come in binary messages. Text is ignored."""

    __slots__ = ("_is_text", "_message", "_socket")

    def __init__(self, gateway: Gateway, kind: Kind, number: int, address: str) -> None:
        super().__init__(gateway, kind, number, address)
        longest = WEB_MAX_MESSAGE if kind.side is Side.WEB else BOARD_MAX_MESSAGE
        self._socket = ServerProtocol(max_size=longest, logger=_quiet)
        self._message = b""  # a browser's message that is not whole yet
        self._is_text = False  # of the message that is being received

    def begin(self, data: bytes) -> None:
        """Answer the handshake at the beginning of ``data`` and go on with what is behind it."""
        end = head_end(data)
        self.heard(end)
        self._socket.receive_data(data[:end])
        for event in self._socket.events_received():
            if isinstance(event, Request):
                self._socket.send_response(self._socket.accept(event))
                break
        else:
            self.emit(refusal("400 Bad Request"))
        if self._socket.state is not OPEN:
            self.gateway.tally.bad_requests += 1
        self._flush()
        if end < len(data) and not self.closing:
            self.data_received(data[end:])

    def data_received(self, data: bytes) -> None:
        self.heard(len(data))
        self._socket.receive_data(data)
        whole = [
            part for event in self._socket.events_received() if isinstance(event, Frame) for part in self._take(event)
        ]
        if whole and not self.closing:
            self.feed(b"".join(whole))
        self._flush()

    def write_by(self, emit: Callable[[bytes], None]) -> None:
        self.emit = emit
        self.write = self._send

    def close(self) -> None:
        if self.closing:
            return
        emit = self.emit
        self.begin_close(LINGER)
        if self._socket.state is OPEN:
            code = CloseCode.GOING_AWAY if self.gateway.stopping else CloseCode.NORMAL_CLOSURE
            self._socket.send_close(code)
            for out in self._socket.data_to_send():
                emit(out)
        self.transport.close()

    def _take(self, frame: Frame) -> Iterator[bytes]:
        """The part of the session's stream that is in a websocket frame."""
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._is_text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        if self._is_text:
            return
        if self.kind.side is Side.HARDWARE:
            yield bytes(frame.data)
            return
        self._message += frame.data
        if frame.fin:
            message, self._message = self._message, b""
            if len(message) >= 3 and 0 < message[0] < COMMANDS:  # others are ignored, and so are a client's responses
                yield app_from_web(message)

    def _flush(self) -> None:
        """Send what the websocket has to say; an empty piece is its end of the stream."""
        for out in self._socket.data_to_send():
            if out:
                self.emit(out)
            elif self._socket.close_sent is not None and self._socket.close_rcvd is None:
                if self._socket.close_sent.code == CloseCode.MESSAGE_TOO_BIG:
                    self.gateway.tally.oversize += 1
                else:
                    self.gateway.tally.malformed += 1
                self.begin_close(FAREWELL)
            elif not self.closing:
                self.begin_close(LINGER)
                self.transport.close()

    def _send(self, frames: bytes) -> None:
        """Whole frames to the client, each as one binary message."""
        split = web_from_app if self.kind.side is Side.WEB else hardware_messages
        try:
            pieces = [piece for message in split(frames) for piece in (message_head(len(message)), message)]
        except ProtocolError:  # an owner sent half a frame: its fault, and the client's stream is lost
            self.gateway.tally.malformed += 1
            self.close()
        else:
            self.emit(b"".join(pieces))


def adopt_websocket(session: WebSocketSession, transport: asyncio.Transport, data: bytes) -> None:
    """Give a connection to a session; ``data`` begins with the whole head of the client's upgrade request."""
    transport.set_protocol(session)
    session.connection_made(transport)
    session.begin(data)


def message_head(size: int) -> bytes:
    """The head of an unmasked, final binary frame of the websocket protocol."""
    if size < 126:
        return bytes((0x82, size))
    return _medium(0x82, 126, size) if size < 65536 else _long(0x82, 127, size)


def hardware_messages(frames: bytes) -> Iterator[bytes]:
    """The frames of a chunk of whole hardware frames; ProtocolError where it is not whole."""
    at, size = 0, len(frames)
    while at < size:
        end = at + 5
        if end <= size and frames[at]:
            end += (frames[at + 3] << 8) + frames[at + 4]
        if end > size:
            raise ProtocolError(Reason.TRUNCATED, at)
        yield frames[at:end]
        at = end
