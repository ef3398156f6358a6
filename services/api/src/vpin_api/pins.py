"""The pin routes of the legacy API as bare ASGI: they are called often, and a framework costs eight times as much.

Order of checks (spec 04 section 1.2): with a body: size, content type, JSON and its shape, token, empty list, pin;
without: token, what the query must have, pin. The rest is the owner's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from vpin_messages.requests import PinReply, PinRequest
from vpin_store import StoreUnavailable
from vpin_store.rows import TokenRow

from vpin_api import answers, metrics, parsing
from vpin_api.answers import BUSY, CLOSE, INVALID_TOKEN, NOT_FOUND, TOO_LARGE, TOO_SLOW, WRONG_PIN, Receive, Scope, Send
from vpin_api.owner import Owners
from vpin_api.parsing import BODY_LIMIT, Change, Path, Pin
from vpin_api.tokens import Tokens

BODY_SECONDS = 60.0  # for a body to arrive
BODIES_LIMIT = 64 * 1024 * 1024  # bytes of bodies that are held at a time

Handler = Callable[["PinRoutes", Path, Scope, Receive], Awaitable[PinReply]]

log = structlog.get_logger("vpin.api")


class PinRoutes:
    """What stands in :data:`ROUTES`, over the owners of the devices' accounts."""

    def __init__(self, tokens: Tokens, owners: Owners) -> None:
        self._tokens = tokens
        self._owners = owners
        self._held = 0  # bytes of bodies that are being read or asked about

    async def serve(self, path: Path, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for `path`; 404 for an action or method that there is not."""
        started = time.perf_counter()
        route, methods = ROUTES.get((path.action, bool(path.pin)), NO_ROUTE)
        method: str = scope["method"]
        if method == "OPTIONS" and methods:
            await answers.send_preflight(send)
            return
        handler = methods.get(method)
        if handler is None:
            reply = NOT_FOUND
        else:
            try:
                reply = await handler(self, path, scope, receive)
            except StoreUnavailable:
                log.warning("api.store_unavailable", route=route)
                reply = BUSY
        await answers.send_reply(send, reply, *((CLOSE,) if _must_close(reply, scope) else ()))
        metrics.observe(route, reply.status, started)

    async def get(self, path: Path, scope: Scope, receive: Receive) -> PinReply:
        row = await self._device(path)
        if row is None:
            return INVALID_TOKEN
        pin = parsing.parse_pin(path.pin)
        if pin is None:
            return WRONG_PIN
        return await self._ask(row, PinRequest("get", pin.kind, pin.number))

    async def update(self, path: Path, scope: Scope, receive: Receive) -> PinReply:
        row = await self._device(path)
        if row is None:
            return INVALID_TOKEN
        change = parsing.parse_change(scope["query_string"])
        if change is None:
            return answers.WRONG_REQUEST
        pin = parsing.parse_pin(path.pin)
        if change.name:
            return await self._set_property(row, pin, change)
        if pin is None:
            return WRONG_PIN
        return await self._ask(row, PinRequest("update", pin.kind, pin.number, change.values))

    async def put(self, path: Path, scope: Scope, receive: Receive) -> PinReply:
        body = bytearray()
        try:
            refusal = await self._read(scope, receive, body)
            return await self._put(path, scope, bytes(body)) if refusal is None else refusal
        finally:
            self._held -= len(body)

    async def connected(self, path: Path, scope: Scope, receive: Receive) -> PinReply:
        row = await self._device(path)
        if row is None:
            return INVALID_TOKEN
        return await self._ask(row, PinRequest(path.action.decode("ascii")))

    async def _put(self, path: Path, scope: Scope, body: bytes) -> PinReply:
        if not parsing.is_json(_header(scope, b"content-type")):
            return answers.NOT_JSON
        values = parsing.parse_values(body)
        if values is None:
            return PinReply(500, answers.NO_LIST + body)
        row = await self._device(path)
        if row is None:
            return INVALID_TOKEN
        if not values:
            return answers.NO_VALUES
        pin = parsing.parse_pin(path.pin)
        if pin is None:
            return WRONG_PIN
        return await self._ask(row, PinRequest("update", pin.kind, pin.number, values))

    async def _set_property(self, row: TokenRow, pin: Pin | None, change: Change) -> PinReply:
        if pin is not None:
            return await self._ask(row, PinRequest("property", pin.kind, pin.number, change.values, change.name))
        # Whether the project is active is checked before the pin, and only the owner knows: it has no widget on pin -1.
        reply = await self._ask(row, PinRequest("property", "v", -1, change.values, change.name))
        return WRONG_PIN if reply == answers.NO_PROPERTY_WIDGET else reply

    async def _device(self, path: Path) -> TokenRow | None:
        token = parsing.parse_token(path.token)
        return None if token is None else await self._tokens.device(token)

    async def _ask(self, row: TokenRow, request: PinRequest) -> PinReply:
        reply = await self._owners.ask(row, request)
        if reply == INVALID_TOKEN:
            self._tokens.forget(row.token)
        return reply

    async def _read(self, scope: Scope, receive: Receive, body: bytearray) -> PinReply | None:
        """Fill `body`; a reply when it is refused. What follows of a refused body the HTTP layer throws away."""
        declared = _header(scope, b"content-length")
        if declared.isdigit() and int(declared) > BODY_LIMIT:
            return TOO_LARGE
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    chunk = message.get("body", b"")
                    body += chunk
                    self._held += len(chunk)
                    if len(body) > BODY_LIMIT:
                        return TOO_LARGE
                    if self._held > BODIES_LIMIT:
                        return BUSY
                    if not message.get("more_body", False):
                        return None
        except TimeoutError:
            return TOO_SLOW


ROUTES: dict[tuple[bytes, bool], tuple[str, dict[str, Handler]]] = {
    (b"get", True): ("/{token}/get/{pin}", {"GET": PinRoutes.get, "HEAD": PinRoutes.get}),
    (b"update", True): ("/{token}/update/{pin}", {"GET": PinRoutes.update, "PUT": PinRoutes.put}),
    (b"pin", True): ("/{token}/pin/{pin}", {"PUT": PinRoutes.put}),
    (b"isHardwareConnected", False): (
        "/{token}/isHardwareConnected",
        {"GET": PinRoutes.connected, "HEAD": PinRoutes.connected},
    ),
    (b"isAppConnected", False): (
        "/{token}/isAppConnected",
        {"GET": PinRoutes.connected, "HEAD": PinRoutes.connected},
    ),
}
"""By action and whether a pin follows: the route's name in metrics, and what answers each method."""

NO_ROUTE: tuple[str, dict[str, Handler]] = ("other", {})


def _must_close(reply: PinReply, scope: Scope) -> bool:
    """Whether the connection can't go on: the body was awaited in vain, or never asked for."""
    return reply.status == TOO_SLOW.status or (reply.status == TOO_LARGE.status and bool(_header(scope, b"expect")))


def _header(scope: Scope, name: bytes) -> bytes:
    headers: list[answers.Header] = scope["headers"]
    return next((value for given, value in headers if given == name), b"")
