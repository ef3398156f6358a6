"""Events that devices have logged (spec 08, 4)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from vpin_api.v1.context import Context, Ctx, Who
from vpin_api.v1.devices import DeviceId
from vpin_api.v1.once import IdempotencyKey, once
from vpin_api.v1.problems import Problem, documented
from vpin_api.v1.types import (
    LAST_MS,
    Cursor,
    From,
    Instant,
    Limit,
    Model,
    Page,
    Sometime,
    To,
    cursor_of,
    position_of,
    to_ms,
)

router = APIRouter(prefix="/devices", tags=["events"], responses=documented(401, 404, 422, 503))

NEWEST = (1 << 63) - 1


class Event(Model):
    """One event of a device."""

    id: int = Field(examples=[1795284000123000])
    code: str = Field(examples=["too_hot"])
    severity: str = Field(examples=["warning"])
    description: str = Field(examples=["31 °C"])
    at: Instant
    resolved_at: Sometime


@router.get("/{id}/events", summary="List the events of a device, newest first")
async def list_all(
    context: Ctx,
    who: Who,
    device_id: DeviceId,
    start: From = None,
    end: To = None,
    severity: Annotated[
        Literal["info", "warning", "critical", "content"] | None, Query(description="Only these.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Event]:
    """`online` and `offline` of devices with a template, and what they have logged of the template's own events."""
    place = await _place(context, who.account_id, device_id)
    wanted = (to_ms(start, 0), to_ms(end, LAST_MS), severity or "", position_of(cursor, NEWEST))
    rows = await context.store.events.find(place, *wanted, limit + 1)
    items = [Event.model_validate(row._asdict()) for row in rows[:limit]]
    return Page[Event](items=items, next_cursor=cursor_of(items[-1].id if len(rows) > limit else None))


@router.post(
    "/{id}/events/{eventId}/resolve", status_code=204, summary="Mark an event as resolved", response_class=Response
)
async def resolve(
    request: Request,
    context: Ctx,
    who: Who,
    device_id: DeviceId,
    event_id: Annotated[
        int, Path(alias="eventId", description="Id of the event.", ge=0, lt=1 << 63, examples=[1795284000123000])
    ],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A second time it keeps the first time."""

    async def work() -> None:
        row = await context.store.events.get(await _place(context, who.account_id, device_id), event_id)
        if row is None:
            raise Problem(404, "The device has no such event.")
        if not row.resolved_at:
            fields = {key: getattr(row, key) for key in ("code", "severity", "description", "at")}
            await context.ask(who.account_id, "resolveEvent", id=device_id, eventId=event_id, **fields)

    return await once(request, context, who.account_id, idempotency_key, 204, work)


async def _place(context: Context, account_id: int, device_id: int) -> tuple[int, int, int]:
    """(account, dashboard, device) of a device, as its events are stored; 404 where there is none."""
    found = await context.ask(account_id, "placeOfDevice", id=device_id)
    return account_id, found["dash"], found["device"]
