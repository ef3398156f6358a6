"""CORS of the management API: which pages of other origins may use it from a browser. The pin APIs answer everybody."""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/api/v1/"
AGE = 600  # seconds that a browser may keep a preflight's answer
REQUEST_HEADERS = ("authorization", "content-type", "idempotency-key", "if-none-match", "last-event-id", "x-request-id")
SHOWN_HEADERS = ("etag", "retry-after", "x-request-id")


class Origins:
    """ASGI middleware for paths under `PREFIX`; without origins no page of another origin gets an answer to read."""

    def __init__(self, app: ASGIApp, origins: list[str], credentials: bool) -> None:
        self._app = app
        self._cors = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_credentials=credentials,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=REQUEST_HEADERS,
            expose_headers=SHOWN_HEADERS,
            max_age=AGE,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crosses = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        await (self._cors if crosses else self._app)(scope, receive, send)
