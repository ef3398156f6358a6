"""The ASGI application in front of everything: pin routes and health as bare ASGI, the rest to the FastAPI application.

Order of spec 04 section 3.1: what has a fixed first segment, then `/{token}/…`, then 404. FastAPI is imported with the
first request that needs it: boards and integrations never do, and the embedded run starts faster and stays smaller.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import time
from collections.abc import Awaitable, Callable
from math import ceil

from vpin_runtime.logging import request_id

from vpin_api import answers, metrics, parsing
from vpin_api.administration import Entrance
from vpin_api.answers import NOT_FOUND, Header, Receive, Scope, Send
from vpin_api.files import Files
from vpin_api.iot import PREFIX, IotRoutes
from vpin_api.pins import PinRoutes
from vpin_api.rates import Rate, address_key
from vpin_api.request_ids import REQUEST_ID

VERSION = importlib.metadata.version("vpin-api")
PAGES = frozenset(("docs", "openapi.json", "resetPassword", "landing", "restore", "updatePassword"))
"""First segments of what the documented application serves, besides ``/api/v1``."""
PLAIN_HOME = b"/docs"
"""Where `/` of the plain port leads; on the TLS port it is the administration (spec 04 section 1.9)."""

_JSON: list[Header] = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), answers.ANY_ORIGIN]
_TOO_MANY: list[Header] = [(b"content-type", b"application/problem+json"), *_JSON[1:]]
_TOO_MANY_BODY = json.dumps(
    {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "Too many requests of this address.",
        "error": {"message": "Too many requests."},  # as /external/api has it
    }
).encode()

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Front:
    """`healthy` tells whether everything is ready; `build` makes the documented application (in a thread, when it is
    first needed); `forwarded`: an edge in front sets X-Forwarded-For and -Proto."""

    def __init__(
        self,
        pins: PinRoutes,
        healthy: Callable[[], bool],
        build: Callable[[], Application],
        iot: IotRoutes,
        files: Files,
        entrance: Entrance,
        *,
        forwarded: bool = False,
        rate: Rate | None = None,
    ) -> None:
        self._build = build
        self._iot = iot
        self._files = files
        self._entrance = entrance
        self._pins = pins
        self._healthy = healthy
        self._forwarded = forwarded
        self._rate = rate
        self._documented: Application | None = None
        self._building = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"no {scope['type']} here")
        if (found_id := scope.get(REQUEST_ID)) is not None:
            request_id.set(found_id)
        if self._forwarded:
            _take_forwarded(scope)
        path: str = scope["path"]
        if path == "/api/v1/health":
            await self._health(scope, send)
        elif path.startswith(PREFIX):
            if await self._admits(scope, send):
                await self._iot.serve(scope, receive, send)
        elif path.startswith("/api/v1/") or path.split("/", 2)[1] in PAGES:
            if await self._admits(scope, send):
                await (await self._application())(scope, receive, send)
        elif self._entrance.leads(path):
            refusal = self._entrance.refusal(scope)
            if refusal is None:
                await (await self._application())(scope, receive, send)
            else:
                await answers.send_reply(send, refusal)
        elif path == "/":
            home = self._entrance.root.encode() if scope["scheme"] == "https" else PLAIN_HOME
            await answers.send_answer(send, 301, [(b"location", home)])
        elif self._files.serves(path):
            await self._files.serve(scope, send)
        elif (found := parsing.parse_path(scope["raw_path"])) is not None:
            await self._pins.serve(found, scope, receive, send)
        else:
            started = time.perf_counter()
            await answers.send_reply(send, NOT_FOUND)
            metrics.observe("other", NOT_FOUND.status, started)

    async def _admits(self, scope: Scope, send: Send) -> bool:
        """Whether the client's address has not asked too often; it is answered, if it has."""
        client = scope["client"]
        if self._rate is None or client is None:
            return True
        seconds = self._rate.wait(address_key(client[0]))
        if not seconds:
            return True
        await answers.send_answer(send, 429, [*_TOO_MANY, (b"retry-after", b"%d" % ceil(seconds))], _TOO_MANY_BODY)
        metrics.observe("other", 429, time.perf_counter())
        return False

    async def _health(self, scope: Scope, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await answers.send_reply(send, NOT_FOUND)
            return
        status, word = (200, "ok") if self._healthy() else (503, "unavailable")
        body = json.dumps({"status": word, "version": VERSION}).encode()
        await answers.send_answer(send, status, _JSON, body)

    async def _application(self) -> Application:
        async with self._building:
            if self._documented is None:
                self._documented = await asyncio.to_thread(self._build)
        return self._documented


def _take_forwarded(scope: Scope) -> None:
    """Put client and scheme as our edge saw them into the scope: the last value of each header is the edge's own."""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            scope["client"] = (value.rpartition(b",")[2].strip().decode("latin-1"), 0)
        elif name == b"x-forwarded-proto":
            scope["scheme"] = "https" if value.rpartition(b",")[2].strip().lower() == b"https" else "http"
