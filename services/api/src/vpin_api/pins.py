"""The pin routes of the legacy API as bare ASGI: they are called often, and a framework costs eight times as much.

Order of checks (spec 04 section 1.2): with a body: size, content type, JSON and its shape, token, empty list, pin;
without: token, what the query must have, pin. The rest is the owner's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from io import BytesIO

import msgspec
import structlog
from vpin_messages.requests import PinReply, PinRequest
from vpin_store import StoreUnavailable
from vpin_store.rows import TokenRow

from vpin_api import answers, metrics, parsing
from vpin_api.answers import (
    BUSY,
    CLOSE,
    INVALID_TOKEN,
    NOT_FOUND,
    TOO_LARGE,
    TOO_SLOW,
    WRONG_PIN,
    Moved,
    Picture,
    Receive,
    Scope,
    Send,
)
from vpin_api.calls import Calls, header
from vpin_api.downloads import Downloads
from vpin_api.exchange import exchange_of
from vpin_api.parsing import Change, Path, Pin
from vpin_api.rates import TOO_MANY

Handler = Callable[["PinRoutes", Path, Scope, Receive], Awaitable[PinReply | Picture | Moved]]
WithBody = Callable[[Path, bytes], Awaitable[PinReply]]

log = structlog.get_logger("vpin.api")


class PinRoutes:
    """What stands in :data:`ROUTES`, over the owners of the devices' accounts."""

    def __init__(self, calls: Calls, downloads: Downloads) -> None:
        self._calls = calls
        self._downloads = downloads

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
        if isinstance(reply, PinReply) and reply.status == 200:
            exchange = exchange_of(scope)
            if exchange is not None and exchange.answer(reply.body):
                metrics.observe(route, 200, started)
                return
        status = 200 if isinstance(reply, Picture) else reply.status
        await answers.send_reply(send, reply, *((CLOSE,) if _must_close(status, scope) else ()))
        metrics.observe(route, status, started)

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
        if self._is_too_fast(row):
            return TOO_MANY
        return await self._ask(row, PinRequest("update", pin.kind, pin.number, change.values))

    async def put(self, path: Path, scope: Scope, receive: Receive) -> PinReply:
        return await self._with_body(path, scope, receive, self._put)

    async def extra(self, path: Path, scope: Scope, receive: Receive) -> PinReply:
        return await self._with_body(path, scope, receive, self._extra)

    async def notify(self, path: Path, scope: Scope, receive: Receive) -> PinReply:
        return await self._with_body(path, scope, receive, self._notify)

    async def email(self, path: Path, scope: Scope, receive: Receive) -> PinReply:
        return await self._with_body(path, scope, receive, self._email)

    async def history(self, path: Path, scope: Scope, receive: Receive) -> PinReply | Moved:
        """To a file with the minutes of a pin, which is made when it is read."""
        row = await self._device(path)
        if row is None:
            return INVALID_TOKEN
        pin = parsing.parse_pin(path.pin)
        if pin is None:
            return WRONG_PIN
        name = await self._downloads.offer(row, pin)
        return answers.NO_DATA if name is None else Moved(f"/{name}".encode("ascii"))

    async def about_device(self, path: Path, scope: Scope, receive: Receive) -> PinReply:
        row = await self._device(path)
        if row is None:
            return INVALID_TOKEN
        return await self._ask(row, PinRequest(path.action.decode("ascii")))

    async def qr(self, path: Path, scope: Scope, receive: Receive) -> PinReply | Picture:
        """A new code for the project, as a picture."""
        row = await self._device(path)
        if row is None:
            return INVALID_TOKEN
        reply = await self._ask(row, PinRequest("cloneLink"))
        return Picture(await asyncio.to_thread(_png, reply.body.decode())) if reply.status == 200 else reply

    async def clone(self, path: Path, scope: Scope, receive: Receive) -> PinReply:
        """The project that a code stands for; the first segment is that code."""
        code = parsing.parse_token(path.token)
        row = None if code is None else await self._calls.tokens.of_kind(code, "clone")
        return answers.NO_CLONE if row is None else PinReply(200, row.body)

    async def _with_body(self, path: Path, scope: Scope, receive: Receive, work: WithBody) -> PinReply:
        body = bytearray()
        try:
            refusal = await self._calls.read(scope, receive, body)
            if refusal is not None:
                return refusal
            if not parsing.is_json(header(scope, b"content-type")):
                return answers.NOT_JSON
            return await work(path, bytes(body))
        finally:
            self._calls.release(body)

    async def _put(self, path: Path, body: bytes) -> PinReply:
        values = parsing.parse_values(body)
        if values is None:
            return PinReply(500, answers.NO_LIST + body)
        return await self._write(path, "update", values)

    async def _extra(self, path: Path, body: bytes) -> PinReply:
        """Points with their times: the first is the present value."""
        try:
            points = parsing.decode_points(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return PinReply(500, answers.NO_LIST + body)
        kept = [(point.timestamp, text) for point in points if (text := point.text()) is not None]
        values = [kept[0][1]] if kept and len(kept) == len(points) else []
        return await self._write(path, "extra", values, msgspec.json.encode(kept))

    async def _write(self, path: Path, operation: str, values: list[str], payload: bytes = b"") -> PinReply:
        row = await self._device(path)
        if row is None:
            return INVALID_TOKEN
        if not values:
            return answers.NO_VALUES
        pin = parsing.parse_pin(path.pin)
        if pin is None:
            return WRONG_PIN
        if self._is_too_fast(row):
            return TOO_MANY
        return await self._ask(row, PinRequest(operation, pin.kind, pin.number, values, payload=payload))

    async def _notify(self, path: Path, body: bytes) -> PinReply:
        try:
            message = parsing.decode_push(body) or parsing.Push()
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return PinReply(500, answers.NO_LIST + body)
        row = await self._device(path)
        if row is None:
            return INVALID_TOKEN
        if not 0 < len(message.body or "") <= parsing.PUSH_MAX:
            return answers.WRONG_PUSH
        if self._notifies_too_soon(row, "notify"):
            return TOO_MANY
        return await self._ask(row, PinRequest("notify", name=message.body or ""))

    async def _email(self, path: Path, body: bytes) -> PinReply:
        try:
            mail = parsing.decode_mail(body) or parsing.Mail()
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return PinReply(500, answers.NO_LIST + body)
        row = await self._device(path)
        if row is None:
            return INVALID_TOKEN
        if self._notifies_too_soon(row, "email"):
            return TOO_MANY
        return await self._ask(row, PinRequest("email", values=[mail.to or "", mail.subj or "", mail.title or ""]))

    async def _set_property(self, row: TokenRow, pin: Pin | None, change: Change) -> PinReply:
        if pin is not None:
            return await self._ask(row, PinRequest("property", pin.kind, pin.number, change.values, change.name))
        # Whether the project is active is checked before the pin, and only the owner knows: it has no widget on pin -1.
        reply = await self._ask(row, PinRequest("property", "v", -1, change.values, change.name))
        return WRONG_PIN if reply == answers.NO_PROPERTY_WIDGET else reply

    def _is_too_fast(self, row: TokenRow) -> bool:
        """Whether the account writes more often than it may; off unless the settings say a number (spec 04, 1.11)."""
        rate = self._calls.rates.legacy_updates
        return rate is not None and rate.wait(row.account_id) > 0

    def _notifies_too_soon(self, row: TokenRow, kind: str) -> bool:
        rate = self._calls.rates.legacy_notices
        return rate is not None and rate.wait((row.token, kind)) > 0

    async def _device(self, path: Path) -> TokenRow | None:
        return await self._calls.device(path.token)

    async def _ask(self, row: TokenRow, request: PinRequest) -> PinReply:
        return await self._calls.ask(row, request)


ROUTES: dict[tuple[bytes, bool], tuple[str, dict[str, Handler]]] = {
    (b"get", True): ("/{token}/get/{pin}", {"GET": PinRoutes.get, "HEAD": PinRoutes.get}),
    (b"update", True): ("/{token}/update/{pin}", {"GET": PinRoutes.update, "PUT": PinRoutes.put}),
    (b"pin", True): ("/{token}/pin/{pin}", {"PUT": PinRoutes.put}),
    (b"extra/pin", True): ("/{token}/extra/pin/{pin}", {"PUT": PinRoutes.extra}),
    (b"data", True): ("/{token}/data/{pin}", {"GET": PinRoutes.history, "HEAD": PinRoutes.history}),
    (b"notify", False): ("/{token}/notify", {"POST": PinRoutes.notify}),
    (b"email", False): ("/{token}/email", {"POST": PinRoutes.email}),
    (b"project", False): (
        "/{token}/project",
        {"GET": PinRoutes.about_device, "HEAD": PinRoutes.about_device},
    ),
    (b"qr", False): ("/{token}/qr", {"GET": PinRoutes.qr}),
    (b"clone", False): ("/{code}/clone", {"GET": PinRoutes.clone, "HEAD": PinRoutes.clone}),
    (b"rtc", False): ("/{token}/rtc", {"GET": PinRoutes.about_device, "HEAD": PinRoutes.about_device}),
    (b"isHardwareConnected", False): (
        "/{token}/isHardwareConnected",
        {"GET": PinRoutes.about_device, "HEAD": PinRoutes.about_device},
    ),
    (b"isAppConnected", False): (
        "/{token}/isAppConnected",
        {"GET": PinRoutes.about_device, "HEAD": PinRoutes.about_device},
    ),
}
"""By action and whether a pin follows: the route's name in metrics, and what answers each method."""

NO_ROUTE: tuple[str, dict[str, Handler]] = ("other", {})


def _must_close(status: int, scope: Scope) -> bool:
    """Whether the connection can't go on: the body was awaited in vain, or never asked for."""
    return status == TOO_SLOW.status or (status == TOO_LARGE.status and bool(header(scope, b"expect")))


def _png(text: str) -> bytes:
    import segno  # only who asks for a picture needs it

    out = BytesIO()
    segno.make(text, micro=False, error="m").save(out, kind="png", scale=4, border=4)
    return out.getvalue()
