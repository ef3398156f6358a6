"""Bounds on bodies of requests that the documented application serves."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vpin_api.parsing import BODY_LIMIT


class BodyLimit:
    """ASGI middleware: 413 for a body of more than BODY_LIMIT bytes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > BODY_LIMIT:
                raise HTTPException(413, "The body is too large.")
            return message

        await self._app(scope, limited, send)
