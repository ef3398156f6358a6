"""Frames to bytes. Message ids are 0…65535; a body that the framing cannot carry raises ProtocolError (OVERSIZE)."""

from __future__ import annotations

from collections.abc import Iterator

from vpin_protocol.framing import (
    APP_HEADER,
    APP_MAX_BODY,
    HARDWARE_HEADER,
    HARDWARE_MAX_BODY,
    WEB_HEADER,
    WEB_RESPONSE,
    ProtocolError,
    Reason,
)


def hardware_frame(command: int, message_id: int, body: bytes = b"") -> bytes:
    if len(body) > HARDWARE_MAX_BODY:
        raise ProtocolError(Reason.OVERSIZE)
    return HARDWARE_HEADER.pack(command, message_id, len(body)) + body


def hardware_response(message_id: int, status: int) -> bytes:
    return HARDWARE_HEADER.pack(0, message_id, status)


def app_frame(command: int, message_id: int, body: bytes = b"") -> bytes:
    if len(body) > APP_MAX_BODY:
        raise ProtocolError(Reason.OVERSIZE)
    return APP_HEADER.pack(command, message_id, len(body)) + body


def app_response(message_id: int, status: int) -> bytes:
    return APP_HEADER.pack(0, message_id, status)


def web_frame(command: int, message_id: int, body: bytes = b"") -> bytes:
    return WEB_HEADER.pack(command, message_id) + body


def web_response(message_id: int, status: int) -> bytes:
    return WEB_RESPONSE.pack(0, message_id, status)


def app_from_web(message: bytes) -> bytes:
    """One websocket message (3 bytes or more) in app framing, which can be joined; a response loses its status."""
    command, message_id = WEB_HEADER.unpack_from(message)
    return app_response(message_id, 0) if command == 0 else app_frame(command, message_id, message[3:])


def web_from_app(frames: bytes) -> Iterator[bytes]:
    """A chunk of whole app frames as websocket messages, one each; ProtocolError (TRUNCATED) where it is not whole."""
    at, size = 0, len(frames)
    while at < size:
        if at + 7 > size:
            raise ProtocolError(Reason.TRUNCATED, at)
        command, _, length = APP_HEADER.unpack_from(frames, at)
        if command == 0:
            yield frames[at : at + 7]
            at += 7
            continue
        end = at + 7 + length
        if end > size:
            raise ProtocolError(Reason.TRUNCATED, at)
        yield frames[at : at + 3] + frames[at + 7 : end]
        at = end
