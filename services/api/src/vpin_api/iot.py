"""The Blynk IoT HTTPS API ``/external/api/…`` as bare ASGI (spec 04, part 2).

Order of checks: token, then what the query or body must have (:mod:`vpin_api.iot_queries`); the rest is the owner's.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
import structlog
from vpin_messages.downloads import Series
from vpin_messages.requests import PinReply, PinRequest
from vpin_store import StoreUnavailable
from vpin_store.rows import TokenRow

from vpin_api import answers, iot_exports, metrics, parsing
from vpin_api.answers import BUSY, Header, Receive, Scope, Send
from vpin_api.calls import Calls, header
from vpin_api.downloads import Downloads
from vpin_api.iot_queries import (
    WRONG_PARAMETERS,
    Query,
    first,
    read_changes,
    read_meta_field,
    read_pin,
    read_properties,
    read_wanted,
    value_texts,
)
from vpin_api.rates import TOO_MANY
from vpin_api.uploads import NoFileError, Uploads

PREFIX = "/external/api/"
BODY_LIMIT = 2 * 1024 * 1024
UPLOAD_LIMIT = 5 * 1024 * 1024 + 65_536  # a file and the form around it
POINTS_MAX = 10_000
DESCRIPTION_MAX = 300

NO_TOKEN = PinReply(400, b"No token provided.")
WRONG_META = PinReply(400, b"Wrong metaField format.")
UNKNOWN_TYPE = PinReply(400, b"Unknown content type.")
TOO_MANY_POINTS = PinReply(400, b"Too much data in batch. Maximum batch size is 10000 points.")
NO_EVENT_CODE = PinReply(400, b"Event code is not provided.")
NO_DATA = PinReply(500, b"No data")

_JSON: Header = (b"content-type", b"application/json")
_PLAIN: Header = (b"content-type", b"text/plain;charset=utf-8")
_COMMON: list[Header] = [(b"cache-control", b"no-store"), answers.ANY_ORIGIN]

_encode = msgspec.json.Encoder().encode
_points = msgspec.json.Decoder(list[tuple[int | float, Any]]).decode
log = structlog.get_logger("vpin.api")


class Text(NamedTuple):
    """An answer of plain text, where JSON is the rule."""

    body: bytes


class Call(NamedTuple):
    """A request with a token that is good; `query` is without it."""

    row: TokenRow
    query: Query
    scope: Scope
    receive: Receive


Answer = PinReply | Text
Route = Callable[["IotRoutes", Call], Awaitable[Answer]]


class IotRoutes:
    """What stands in :data:`ROUTES`."""

    def __init__(self, calls: Calls, uploads: Uploads, downloads: Downloads) -> None:
        self._calls = calls
        self._uploads = uploads
        self._downloads = downloads

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request below the prefix; nothing falls through."""
        started = time.perf_counter()
        name = scope["path"][len(PREFIX) :].removesuffix("/")
        methods = ROUTES.get(name)
        if scope["method"] == "OPTIONS" and methods:
            await answers.send_preflight(send)
            return
        if methods is None:
            answer: Answer = PinReply(404, b"Not found.")
        elif scope["method"] not in methods:
            answer = PinReply(405, b"Method not allowed.")
        else:
            try:
                answer = await self._answer(name, methods[scope["method"]], scope, receive)
            except StoreUnavailable:
                log.warning("api.store_unavailable", route=name)
                answer = BUSY
        await _send(send, answer)
        status = answer.status if isinstance(answer, PinReply) else 200
        metrics.observe(PREFIX + name if methods else "other", status, started)

    async def _answer(self, name: str, route: Route, scope: Scope, receive: Receive) -> Answer:
        query = parse_qsl(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True)
        token = first(query, "token")
        if not token:
            return NO_TOKEN
        row = await self._calls.device(token.encode("utf-8", "replace"))
        if row is None:
            return answers.INVALID_TOKEN
        if self._asks_too_often(name, row):
            return TOO_MANY
        rest = [(name, value) for name, value in query if name != "token"]
        return await route(self, Call(row, rest, scope, receive))

    def _asks_too_often(self, name: str, row: TokenRow) -> bool:
        """Whether this request is over a limit of the device (spec 04, 2.4)."""
        rates = self._calls.rates
        if rates.device is not None and rates.device.wait(row.token):
            return True
        daily = rates.updates if name in ("update", "batch/update") else rates.exports if name == "data/get" else None
        return daily is not None and not daily.allows(row.token)

    async def get(self, call: Call) -> Answer:
        wanted = read_wanted(call.query)
        if wanted is None:
            return answers.WRONG_PIN
        reply = await self._calls.ask(call.row, PinRequest("iotGet", payload=_encode(wanted._asdict())))
        if reply.status != 200:
            return reply
        found: list[tuple[str, str | None, Any]] = msgspec.json.decode(reply.body)
        if len(found) > 1:
            return PinReply(200, _encode({name: value for name, _, value in found if value is not None}))
        _, text, value = found[0]
        if text is None:
            return PinReply(200) if value is None else PinReply(200, _encode(value))
        return Text(text.encode())

    async def get_all(self, call: Call) -> Answer:
        return await self._calls.ask(call.row, PinRequest("iotGetAll"))

    async def update(self, call: Call) -> Answer:
        change = read_changes(call.query)
        return change if isinstance(change, PinReply) else await self._write(call.row, change)

    async def batch(self, call: Call) -> Answer:
        change = read_changes(call.query)
        if isinstance(change, PinReply):
            return change
        reply = await self._write(call.row, change)
        return Text(b"OK") if reply.status == 200 else reply

    async def points(self, call: Call) -> Answer:
        pin = read_pin(call.query)
        if pin is None:
            return answers.WRONG_PIN
        if not parsing.is_json(header(call.scope, b"content-type")):
            return UNKNOWN_TYPE
        body = bytearray()
        try:
            refusal = await self._calls.read(call.scope, call.receive, body, BODY_LIMIT)
            if refusal is not None:
                return refusal
            found = [(int(at), value_texts(value)) for at, value in _points(bytes(body))]
        except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, OverflowError):
            return WRONG_PARAMETERS
        finally:
            self._calls.release(body)
        imported = self._calls.rates.points
        if len(found) > POINTS_MAX or (imported is not None and not imported.allows(call.row.token, len(found))):
            return TOO_MANY_POINTS
        reply = await self._calls.ask(
            call.row, PinRequest("iotPoints", payload=_encode({"pins": [pin], "points": found}))
        )
        return Text(b"OK") if reply.status == 200 else reply

    async def set_property(self, call: Call) -> Answer:
        pin = read_pin(call.query)
        if pin is None:
            return answers.WRONG_PIN
        properties = read_properties(call.query)
        if properties is None:
            return WRONG_PARAMETERS
        payload = _encode({"properties": properties})
        return await self._calls.ask(call.row, PinRequest("iotProperty", pin.kind, pin.number, payload=payload))

    async def hardware_connected(self, call: Call) -> Answer:
        return await self._calls.ask(call.row, PinRequest("isHardwareConnected"))

    async def app_connected(self, call: Call) -> Answer:
        return await self._calls.ask(call.row, PinRequest("isAppConnected"))

    async def log_event(self, call: Call) -> Answer:
        code, description = first(call.query, "code"), first(call.query, "description")
        if not code:
            return NO_EVENT_CODE
        if len(description) > DESCRIPTION_MAX:
            return WRONG_PARAMETERS
        return await self._calls.ask(call.row, PinRequest("iotEvent", name=code, values=[description]))

    async def meta(self, call: Call) -> Answer:
        field = read_meta_field(call.query)
        if field is None:
            return WRONG_META
        number, name = field
        return await self._calls.ask(call.row, PinRequest("iotMeta", pin=number, name=name))

    async def set_meta(self, call: Call) -> Answer:
        field = read_meta_field(call.query)
        if field is None:
            return WRONG_META
        number, name = field
        return await self._calls.ask(call.row, PinRequest("iotSetMeta", "", number, [first(call.query, "value")], name))

    async def export(self, call: Call) -> Answer:
        """A link to a zip with the history of the device, which is made when it is read."""
        asked = iot_exports.read_query(call.query, call.row.dash_id, call.row.device_id, time.time_ns() // 1_000_000)
        if isinstance(asked, PinReply):
            return asked
        payload = _encode({"pins": asked.pins, "ids": asked.ids})
        reply = await self._calls.ask(call.row, PinRequest("iotStreams", payload=payload))
        if reply.status != 200:
            return reply
        streams = msgspec.json.decode(reply.body, type=list[tuple[int, int, str]] | None)
        if streams is not None:
            series = [Series(call.row.device_id, "", kind, pin, name) for kind, pin, name in streams]
            asked = asked._replace(data=msgspec.structs.replace(asked.data, series=series))
        if not await self._downloads.has_data(call.row.account_id, asked.data):
            return NO_DATA
        if not await self._downloads.may_keep(call.row):
            return TOO_MANY
        name = await self._downloads.keep(call.row, asked.data)
        return PinReply(200, _encode({"link": f"{_origin(call.scope)}/{name}"}))

    async def provision(self, call: Call) -> Answer:
        told = {name: value for name, value in call.query if name != "templateId"}
        request = PinRequest("iotProvision", name=first(call.query, "templateId"), payload=_encode(told))
        return await self._calls.ask(call.row, request)

    async def upload(self, call: Call) -> Answer:
        body = bytearray()
        try:
            refusal = await self._calls.read(call.scope, call.receive, body, UPLOAD_LIMIT)
            if refusal is not None:
                return refusal
            path = await self._uploads.take(call.row, header(call.scope, b"content-type"), bytes(body))
        except NoFileError:
            return WRONG_PARAMETERS
        finally:
            self._calls.release(body)
        return Text((_origin(call.scope) + path).encode())

    async def _write(self, row: TokenRow, change: dict[str, Any]) -> PinReply:
        return await self._calls.ask(row, PinRequest("iotUpdate", payload=_encode(change)))


ROUTES: dict[str, dict[str, Route]] = {
    "get": {"GET": IotRoutes.get},
    "getAll": {"GET": IotRoutes.get_all},
    "update": {"GET": IotRoutes.update},
    "batch/update": {"GET": IotRoutes.batch, "POST": IotRoutes.points},
    "update/property": {"GET": IotRoutes.set_property},
    "isHardwareConnected": {"GET": IotRoutes.hardware_connected},
    "isAppConnected": {"GET": IotRoutes.app_connected},
    "logEvent": {"GET": IotRoutes.log_event},
    "device/meta": {"GET": IotRoutes.meta},
    "device/meta/update": {"GET": IotRoutes.set_meta},
    "data/get": {"GET": IotRoutes.export},
    "provision": {"GET": IotRoutes.provision},
    "upload": {"POST": IotRoutes.upload},
}
"""Below the prefix, by method; a trailing slash makes no difference."""


def _origin(scope: Scope) -> str:
    """The server as the client calls it."""
    host = header(scope, b"host") or b"localhost"
    return f"{scope['scheme']}://{host.decode('latin-1')}"


async def _send(send: Send, answer: Answer) -> None:
    if isinstance(answer, Text):
        await answers.send_answer(send, 200, [_PLAIN, *_COMMON], answer.body)
    elif answer.status == 200:
        kind = [_JSON] if answer.body else []
        await answers.send_answer(send, 200, [*kind, *_COMMON], answer.body)
    else:
        message = answer.body.decode(errors="replace") or "Not accepted."
        extra = [(b"retry-after", b"1")] if answer.status in (429, 503) else []
        error = _encode({"error": {"message": message}})
        await answers.send_answer(send, answer.status, [_JSON, *_COMMON, *extra], error)
