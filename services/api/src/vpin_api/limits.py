"""Bounds on bodies of requests that the documented application serves."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vpin_api.images import IMAGE_MAX
from vpin_api.parsing import BODY_LIMIT

FORM_BYTES = 64 * 1024
"""What a form may have around its file."""


class BodyLimit:
    """ASGI middleware: 413 for a body of more than BODY_LIMIT bytes; for images, which go to paths that begin with
    `images`, it is IMAGE_MAX."""

    def __init__(self, app: ASGIApp, images: str) -> None:
        self._app = app
        self._images = images

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0
        is_image = scope["type"] == "http" and scope["path"].startswith(self._images)
        limit = IMAGE_MAX + FORM_BYTES if is_image else BODY_LIMIT

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise HTTPException(413, "The body is too large.")
            return message

        await self._app(scope, limited, send)
