"""Answers of the pin routes: exact statuses, texts and headers (spec 04 sections 1.1 and 1.2).

A step of a route gives a :class:`vpin_messages.requests.PinReply`; :func:`send_reply` puts it on the wire.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

from vpin_messages.requests import PinReply

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]


class Picture(NamedTuple):
    """An answer that is a PNG."""

    body: bytes


class Moved(NamedTuple):
    """An answer that leads to another path of this server."""

    location: bytes
    status: int = 301


INVALID_TOKEN = PinReply(400, b"Invalid token.")
WRONG_PIN = PinReply(400, b"Wrong pin format.")
WRONG_REQUEST = PinReply(400, b"Wrong request format.")
NO_VALUES = PinReply(400, b"No pin for update provided.")
NO_PROPERTY_WIDGET = PinReply(400, b"No widget for SetWidgetProperty command.")
NOT_JSON = PinReply(500, b"Unexpected content type. Expecting application/json.")
NO_LIST = b"Error parsing body param. "  # 500, followed by the raw body
NO_DATA = PinReply(400, b"No data.")
WRONG_PUSH = PinReply(400, b"Body is empty or larger than 255 chars.")
NO_CLONE = PinReply(500, b"Requested QR not found.")
BUSY = PinReply(503, b"Server is busy.")
NOT_FOUND = PinReply(404)
TOO_SLOW = PinReply(408)
TOO_LARGE = PinReply(413)

CHUNK = 64 * 1024
ANY_ORIGIN: Header = (b"access-control-allow-origin", b"*")
CLOSE: Header = (b"connection", b"close")
_JSON: list[Header] = [(b"content-type", b"application/json;charset=utf-8"), ANY_ORIGIN]
_TEXT: list[Header] = [(b"content-type", b"text/plain;charset=utf-8"), ANY_ORIGIN]
_BUSY: list[Header] = [*_TEXT, (b"retry-after", b"1")]
_EMPTY: list[Header] = [ANY_ORIGIN]
_PREFLIGHT: list[Header] = [
    ANY_ORIGIN,
    (b"access-control-allow-methods", b"GET, PUT, POST"),
    (b"access-control-allow-headers", b"content-type"),
]


async def send_reply(send: Send, reply: PinReply | Picture | Moved, *extra: Header) -> None:
    """200: JSON or nothing; else plain text or nothing. 503 asks to come again in a second, 413 has no CORS header."""
    if isinstance(reply, Picture):
        await send_answer(send, 200, [(b"content-type", b"image/png"), ANY_ORIGIN], reply.body, *extra)
        return
    if isinstance(reply, Moved):
        await send_answer(send, reply.status, [(b"location", reply.location), ANY_ORIGIN], b"", *extra)
        return
    status, body = reply.status, reply.body
    if status == TOO_LARGE.status:
        headers: list[Header] = []
    elif not body:
        headers = _EMPTY
    elif status == 200:
        headers = _JSON
    else:
        headers = _BUSY if status in (BUSY.status, 429) else _TEXT
    await send_answer(send, status, headers, body, *extra)


async def send_answer(send: Send, status: int, headers: list[Header], body: bytes = b"", *extra: Header) -> None:
    """One whole answer with its content-length."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length, *extra]})
    await send({"type": "http.response.body", "body": body})


async def send_large(send: Send, headers: list[Header], body: bytes) -> None:
    """200 with a body of any size, no more of it on its way than the client takes."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [*headers, length]})
    for at in range(0, len(body), CHUNK):
        await send({"type": "http.response.body", "body": body[at : at + CHUNK], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def send_preflight(send: Send) -> None:
    """204: a web page may write with a JSON body (spec 04 1.12)."""
    await send({"type": "http.response.start", "status": 204, "headers": _PREFLIGHT})
    await send({"type": "http.response.body", "body": b""})
