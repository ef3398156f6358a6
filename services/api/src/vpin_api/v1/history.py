"""What a pin was (spec 08, 4): points by period, as JSON or streamed as CSV; deletion."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field, WithJsonSchema
from vpin_store.history import LAST_MS, Step
from vpin_store.rows import StreamKey

from vpin_api import csvs, exports
from vpin_api.exports import Points
from vpin_api.v1.context import Context, Ctx, Who
from vpin_api.v1.devices import DeviceId
from vpin_api.v1.problems import documented
from vpin_api.v1.types import From, Model, PinQuery, To, to_ms, to_pin

router = APIRouter(prefix="/devices", tags=["values"], responses=documented(401, 404, 422, 503))

POINTS = 1000
POINTS_MAX = 50_000
CSV_HEAD = "time,value\n"


_POINT = {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number"}}
_POINTS = {"type": "array", "items": _POINT}


class History(Model):
    """Points of a pin, oldest first: the time in ms since 1970 (of a period its start, in UTC), and the number."""

    pin: str = Field(examples=["V1"])
    step: Literal["raw", "minute", "hour", "day"]
    points: Annotated[list[tuple[int, float]], WithJsonSchema(_POINTS)] = Field(
        examples=[[[1795284000000, 21.5], [1795284060000, 21.25]]]
    )


_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The points; with `Accept: text/csv` as CSV, all of them unless `limit` says otherwise.",
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "time,value\n1795284000000,21.5\n1795284060000,21.25\n",
            }
        },
    }
}


@router.get("/{id}/history", summary="Read the history of a pin", response_model=History, responses=_CSV)
async def get(
    request: Request,
    context: Ctx,
    who: Who,
    device_id: DeviceId,
    pin: PinQuery,
    start: From = None,
    end: To = None,
    step: Annotated[
        Literal["raw", "minute", "hour", "day"],
        Query(
            description="Length of the periods; `raw`: points as they came, which datastreams with that history keep."
        ),
    ] = "minute",
    aggregate: Annotated[
        Literal["avg", "min", "max", "sum", "count", "last"], Query(description="Of each period; `raw` has none.")
    ] = "avg",
    limit: Annotated[
        int | None, Query(ge=1, le=POINTS_MAX, description=f"The newest so many points; JSON without: {POINTS}.")
    ] = None,
) -> Response:
    """A pin has history when a graph or report of its project names it, or its template says so.

    Points are added up once a minute. The running period is among them, as far as it has got. `from` means the start of
    a period.
    """
    stream = await _stream(context, who.account_id, device_id, pin)
    wanted = (None if step == "raw" else Step(step), to_ms(start, 0), to_ms(end, LAST_MS), aggregate)
    if _wants_csv(request.headers.get("accept", "")):
        lines = _lines(exports.series(context.store, stream, *wanted, limit or 0))
        return StreamingResponse(lines, media_type="text/csv", headers={"cache-control": "no-store", "vary": "accept"})
    found = [
        point async for points in exports.series(context.store, stream, *wanted, limit or POINTS) for point in points
    ]
    shown = f"{pin[0].upper()}{to_pin(pin).number}"
    model = History(pin=shown, step=step, points=[(at, csvs.number(value)) for at, value in found])
    return Response(model.model_dump_json(by_alias=True), media_type="application/json", headers={"vary": "accept"})


OnePin = Annotated[PinQuery | None, Query(description="One pin; without: all.")]


@router.delete("/{id}/history", status_code=204, summary="Delete the history of a pin, or of the device")
async def delete(context: Ctx, who: Who, device_id: DeviceId, pin: OnePin = None) -> None:
    """The present value stays. Without `pin` all pins lose their history."""
    await context.ask(who.account_id, "deleteHistory", id=device_id, pin=to_pin(pin) if pin else None)


async def _stream(context: Context, account_id: int, device_id: int, pin: str) -> StreamKey:
    found = await context.ask(account_id, "placeOfDevice", id=device_id)
    kind, number = to_pin(pin)
    return StreamKey(account_id, found["dash"], found["device"], ord(kind), number)


async def _lines(found: AsyncIterator[Points]) -> AsyncIterator[str]:
    yield CSV_HEAD
    async for points in found:
        yield "".join(f"{at},{csvs.number_text(value)}\n" for at, value in points)


def _wants_csv(accept: str) -> bool:
    """Whether CSV comes before JSON in an Accept header."""
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    first = next((kind for kind in kinds if kind in ("text/csv", "application/json", "application/*", "*/*")), "")
    return first == "text/csv"
