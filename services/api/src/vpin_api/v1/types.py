"""What the models of the management API are made of: camelCase, times, pins, pages (spec 08, 1)."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from vpin_api.parsing import Pin, parse_pin
from vpin_api.v1.problems import Problem

T = TypeVar("T")

LAST_MS = 253_402_300_799_000  # the year 9999


class Model(BaseModel):
    """JSON with camelCase keys."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False)


def _from_ms(value: Any) -> Any:
    return datetime.fromtimestamp(value / 1000, UTC) if isinstance(value, int) else value


def _from_ms_or_never(value: Any) -> Any:
    return None if value == 0 else _from_ms(value)


def _text(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_TIME = {"type": "string", "format": "date-time", "examples": ["2026-11-21T18:00:00.123Z"]}
Instant = Annotated[datetime, BeforeValidator(_from_ms), PlainSerializer(_text), WithJsonSchema(_TIME)]
"""A time; made of ms since 1970."""
Sometime = Annotated[
    datetime | None,
    BeforeValidator(_from_ms_or_never),
    PlainSerializer(_text),
    WithJsonSchema({"anyOf": [_TIME, {"type": "null"}]}),
]
"""The same, or null for never (0 ms)."""


def to_ms(moment: datetime | None, default: int) -> int:
    """Milliseconds since 1970; a time without a zone is UTC."""
    if moment is None:
        return default
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, min(int(moment.timestamp() * 1000), LAST_MS))


def to_pin(text: str) -> Pin:
    """The pin of `V0`…`V255`, `D…`, `A…`; ValueError for anything else."""
    pin = parse_pin(text.encode())
    if pin is None:
        raise ValueError("no pin: V, D or A and a number from 0 to 255")
    return pin


def _check_pin(text: str) -> str:
    to_pin(text)
    return text


PIN_PATTERN = "^[vVdDaA][0-9]{1,3}$"
_PIN: dict[str, Any] = {"description": "`V0`…`V255`, `D0`… or `A0`…", "pattern": PIN_PATTERN, "examples": ["V1"]}
PinPath = Annotated[str, Path(alias="pin", **_PIN), AfterValidator(_check_pin)]
PinQuery = Annotated[str, Query(**_PIN), AfterValidator(_check_pin)]
From = Annotated[datetime | None, Query(alias="from", description="Not before this time.")]
To = Annotated[datetime | None, Query(alias="to", description="Before this time.")]


class Page(Model, Generic[T]):
    """One page of a list; `nextCursor` leads to the next one, null: this was the last."""

    items: list[T]
    next_cursor: str | None = Field(default=None, examples=[None])


Limit = Annotated[int, Query(ge=1, le=500, description="Most items of a page.")]
Cursor = Annotated[str | None, Query(max_length=100, description="`nextCursor` of the page before.")]


def cursor_of(position: int | None) -> str | None:
    """The cursor of a page that begins behind `position`."""
    return None if position is None else base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


def position_of(cursor: str | None, start: int) -> int:
    """What :func:`cursor_of` was given; `start` without a cursor. Problem(422) for one that is none of ours."""
    if not cursor:
        return start
    try:
        position = int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
        if abs(position) >= 1 << 63:
            raise ValueError("too large")
    except (ValueError, binascii.Error):
        raise Problem(422, "The cursor is none.", errors=[(["query", "cursor"], "no cursor of this list")]) from None
    return position
