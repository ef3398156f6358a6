"""The live stream of an account (spec 08, 5)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from vpin_api.v1.context import Context, Ctx, Signed, Who, is_open, unauthorized
from vpin_api.v1.problems import Problem, documented

router = APIRouter(tags=["live"], responses=documented(401, 404, 422, 429, 503))

DEVICES_MAX = 500
_EVENT_ID = re.compile(r"([0-9]{1,15})-([0-9]{1,15})")
_EXAMPLE = """\
retry: 2000

id: 7301-41
event: hello
data: {"epoch":7301,"seq":1041,"now":"2026-11-21T18:00:00.123Z"}

id: 7301-42
event: value
data: {"deviceId":2097152,"pin":"V1","value":21.5,"at":"2026-11-21T18:00:01.004Z","source":"device","seq":1042}

id: 7301-43
event: status
data: {"deviceId":2097152,"status":"offline","at":"2026-11-21T18:00:09.870Z"}

:
"""
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events without end.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


@router.get("/stream", summary="Watch the account live", responses=_RESPONSES, response_class=StreamingResponse)
async def stream(
    context: Ctx,
    who: Who,
    devices: Annotated[
        str | None,
        Query(
            description="Ids of devices, separated by commas; without: all of the account.",
            pattern="^[0-9]{1,19}(,[0-9]{1,19})*$",
            max_length=10_000,
            examples=["2097152,2097153"],
        ),
    ] = None,
    last_event_id: Annotated[
        str | None, Header(max_length=64, description="`id` of the last event that was seen, to go on behind it.")
    ] = None,
) -> Response:
    """Server-sent events: what happens on the devices, as it happens.

    | event | data |
    | --- | --- |
    | `hello` | the first one: `epoch`, `seq` (number of the account's newest write), `now` |
    | `value` | a pin was written: `deviceId`, `pin`, `value`, `at`, `source`, `seq` |
    | `status` | a device came or went: `deviceId`, `status`, `at` |
    | `event` | an event was logged or resolved: `deviceId`, `id`, `code`, `severity`, `description`, `at`, `resolvedAt` |
    | `reset` | some events are lost: read the values again; data as in `hello` |

    To show a page without a gap: open the stream, then read the values of the devices, and take a `value` event when its
    `seq` is above the one that you have for the pin. When the connection is lost, connect again with `Last-Event-ID`: for
    at least 60 seconds what you have missed comes first. Several writes of a pin at about the same time may come as one
    event with the last value. That a value is out of date (`invalidateAfter` of its datastream) is no write and no
    event: its `at` tells. A comment line comes every 15 seconds. A browser's `EventSource` can't send the
    `Authorization` header: use `fetch` and read its body.
    """
    wanted = await _devices(context, who, devices)
    if context.streams.is_full(who.account_id):
        raise Problem(429, "Too many open streams.", headers={"retry-after": "10"})
    try:
        reader = await context.streams.open(who.account_id, who.session, wanted, _seen(last_event_id))
    except TimeoutError:
        raise Problem(503, "The server is busy.", headers={"retry-after": "1"}) from None
    if reader is None:
        raise unauthorized("The account is gone.")
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    chunks = reader.chunks(lambda: is_open(context, who.session))
    return StreamingResponse(chunks, headers=headers, media_type="text/event-stream")


async def _devices(context: Context, who: Signed, devices: str | None) -> frozenset[int]:
    """The ids that are asked for, all of them of this account."""
    wanted = frozenset(int(number) for number in devices.split(",")) if devices else frozenset[int]()
    if len(wanted) > DEVICES_MAX:
        raise Problem(422, "Too many devices.", errors=[(["query", "devices"], f"more than {DEVICES_MAX}")])
    if wanted:
        await context.ask(who.account_id, "haveDevices", ids=sorted(wanted))
    return wanted


def _seen(last_event_id: str | None) -> tuple[int, int] | None:
    """(epoch, number) of the event; an id that is none of ours is of an epoch that never was."""
    if not last_event_id:
        return None
    found = _EVENT_ID.fullmatch(last_event_id)
    return (int(found[1]), int(found[2])) if found else (0, 0)
