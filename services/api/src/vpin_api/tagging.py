"""ETag and 304 for answers of the management API that change seldom: templates, devices, the OpenAPI document."""

from __future__ import annotations

import hashlib
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TAGGED = re.compile(r"/openapi\.json|/api/v1/(me|templates(/[^/]+(/datastreams)?)?|devices(/[^/]+)?)").fullmatch


def is_tagged(path: str) -> bool:
    return _TAGGED(path) is not None


class Tagging:
    """ASGI middleware: of a GET that is answered with 200, the answer's digest; 304 for who has it already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or not is_tagged(scope["path"]):
            await self._app(scope, receive, send)
            return
        started: Message | None = None
        body = bytearray()

        async def tagged(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = message
                if message["status"] != 200:
                    await send(message)
                return
            assert started is not None
            if started["status"] != 200:
                await send(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                await _send(scope, started, bytes(body), send)

        await self._app(scope, receive, tagged)


async def _send(scope: Scope, started: Message, body: bytes, send: Send) -> None:
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = MutableHeaders(scope={"type": "http", "headers": list(started["headers"])})
    headers["etag"] = tag
    headers.setdefault("cache-control", "private, no-cache")
    known = Headers(scope=scope).get("if-none-match", "")
    if any(part.strip().removeprefix("W/") == tag.removeprefix("W/") for part in known.split(",")) or known == "*":
        del headers["content-length"]
        await send({"type": "http.response.start", "status": 304, "headers": headers.raw})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({**started, "headers": headers.raw})
    await send({"type": "http.response.body", "body": body})
