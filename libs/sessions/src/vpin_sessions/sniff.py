"""Which protocol a connection speaks, by its first bytes (spec 01, section 1.2). Pure functions on the bytes so far."""

from __future__ import annotations

from enum import Enum

from vpin_protocol import Command

METHODS = (b"GET ", b"POST", b"PUT ", b"HEAD", b"OPTI", b"PATC", b"DELE", b"TRAC", b"CONN")
"""HTTP, when a stream begins so."""
MAX_HEAD = 64 * 1024
"""Bytes of an HTTP request up to its blank line."""


_SOCKETS = (b"/websocket", b"/dashws")


class Refused(Exception):  # noqa: N818  not an error: the answer to a client
    """Nobody serves such a connection: send these bytes, if any, and close it."""

    def __init__(self, answer: bytes = b"") -> None:
        super().__init__()
        self.answer = answer


class Wire(Enum):
    HTTP = "HTTP"
    HARDWARE = "hardware framing"
    APP = "app framing"


def sniff(data: bytes, other: Wire | None) -> Wire | None:
    """The protocol, None while more bytes are needed. ``other``: what it is if not HTTP; None: tell it by the bytes.

    Then a stream is a device's when it begins with 29, or with 2 and a length whose first two bytes are not both zero:
    an app's log-in is shorter than 65536 bytes, so there they are zero.
    """
    first = data[:4]
    if first in METHODS:
        return Wire.HTTP
    if len(first) < 4 and any(method.startswith(first) for method in METHODS):
        return None
    if other is not None:
        return other
    if data[0] == Command.HARDWARE_LOGIN or (data[0] == Command.LOGIN and any(data[3:5])):
        return Wire.HARDWARE
    if data[0] == Command.LOGIN and len(data) < 5:
        return None
    return Wire.APP


def head_end(data: bytes) -> int:
    """Where the head of an HTTP request ends, 0 while it is not complete."""
    return data.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else 0


def target(data: bytes) -> bytes | None:
    """What the HTTP request at the start of ``data`` GETs: path and query; empty for other methods and broken ones.

    None while its head is not whole; Refused when that is too large.
    """
    end = head_end(data)
    if not end:
        if len(data) > MAX_HEAD:
            raise Refused(refusal("431 Request Header Fields Too Large"))
        return None
    parts = data[: data.find(b"\r\n")].split(b" ")
    return parts[1] if len(parts) == 3 and parts[0] == b"GET" else b""


def may_be_websocket(data: bytes) -> bool:
    """Whether an HTTP request that begins so can be for one of our websockets: then its whole head is needed."""
    path = data[4:15]
    return data[:4] == b"GET " and any(name.startswith(path) or path.startswith(name) for name in _SOCKETS)


def is_board_socket(path: bytes) -> bool:
    """Whether a websocket at this target carries hardware framing: ``/websockets``, also with more behind / or ?."""
    path = path.partition(b"?")[0]
    return path in (b"/websockets", b"/websocket") or path.startswith((b"/websockets/", b"/websocket/"))


def is_app_socket(path: bytes) -> bool:
    """Whether a websocket at this target carries the web framing."""
    return path == b"/dashws"


def refusal(status: str, text: str = "") -> bytes:
    """A whole HTTP response that ends the connection."""
    body = (text or status).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
