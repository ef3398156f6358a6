"""What the management API answers, and what it is given (spec 08). Times are aware, in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

Scalar = int | float | str
Value = Scalar | list[Scalar] | None
"""Of a pin: several parts are a list, None: never written."""
NewValue = bool | Scalar | list[bool | Scalar]
ValueType = Literal["INT", "DOUBLE", "STRING", "LOCATION", "ENUM", "RAW"]
Severity = Literal["info", "warning", "critical", "content"]
Step = Literal["raw", "minute", "hour", "day"]
Aggregate = Literal["avg", "min", "max", "sum", "count", "last"]


class Model(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """JSON with camelCase keys; keys that are unknown here are ignored."""


class NewUser(Model, frozen=True, kw_only=True):
    id: int
    email: str
    created_at: datetime


class User(NewUser, frozen=True, kw_only=True):
    name: str
    tz: str
    role: Literal["user", "admin"]


class Session(Model, frozen=True, kw_only=True):
    """`token` is prolonged as long as it is used."""

    token: str
    expires_at: datetime
    user: User


class Health(Model, frozen=True, kw_only=True):
    status: str
    version: str


class DatastreamFields(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A datastream as it is put: what is left out has the server's default."""

    name: str | None = None
    alias: str | None = None
    value_type: ValueType = "STRING"
    min: float | None = None
    max: float | None = None
    default_value: str | None = None
    sync_with_latest: bool = False
    wait_for_confirmation: float = 0
    invalidate_after: float = 0
    invalidate_to: Literal["NOTHING", "DEFAULT", "NO_DATA", "EMPTY", "DASHES"] = "NOTHING"
    enum_values: list[int] | None = None
    enum_fallback: int | None = None
    enum_labels: dict[str, str] | None = None
    unit: str = ""
    decimals: int | None = None
    history: Literal["none", "rollups", "raw"] | None = None
    color: str | None = None


class Datastream(DatastreamFields, frozen=True, kw_only=True):
    id: int
    pin_type: Literal["VIRTUAL", "DIGITAL", "ANALOG"]
    pin: int


class EventLimit(Model, frozen=True, kw_only=True):
    """Most notifications of an event of a device in a period."""

    count: int = 1
    per: Literal["minute", "hour", "day"] = "minute"


class EventNotify(Model, frozen=True, kw_only=True, omit_defaults=True):
    """Who is told; ``owner`` is the account itself."""

    email: list[str] = []
    push: list[str] = []
    sms: list[str] = []
    apprise: list[str] = []


class EventFields(Model, frozen=True, kw_only=True):
    """An event that devices may log."""

    name: str
    severity: Severity = "info"
    description: str = ""
    notify: EventNotify = EventNotify()
    limit: EventLimit = EventLimit()
    ignore_seconds: int = 0


class EventDefinition(EventFields, frozen=True, kw_only=True):
    code: str


class Template(Model, frozen=True, kw_only=True):
    """A kind of device: what its devices have in common."""

    id: str
    name: str
    description: str = ""
    board_type: str = ""
    connection_type: str = ""
    datastreams: list[Datastream] = []
    events: list[EventDefinition] = []
    created_at: datetime
    updated_at: datetime


class Device(Model, frozen=True, kw_only=True):
    """`token` is None in lists and after `update`."""

    id: int
    name: str
    template_id: str | None = None
    dash_id: int | None = None
    dash_device_id: int | None = None
    board_type: str = ""
    connection_type: str = ""
    status: Literal["online", "offline"]
    connected_at: datetime | None = None
    disconnected_at: datetime | None = None
    last_ip: str | None = None
    hardware_info: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    tags: list[str] = []
    created_at: datetime | None = None
    token: str | None = None


class PinValue(Model, frozen=True, kw_only=True):
    """What a pin reads as."""

    pin: str
    name: str
    value: Value
    updated_at: datetime | None = None
    source: str | None = None
    seq: int = 0


class Event(Model, frozen=True, kw_only=True):
    """Something that a device has logged."""

    id: int
    code: str
    severity: str
    description: str = ""
    at: datetime
    resolved_at: datetime | None = None


class PinHistory(Model, frozen=True, kw_only=True):
    """`points` are (ms since 1970, number), oldest first."""

    pin: str
    step: Step
    points: list[tuple[int, float]]


# -- the live stream


class Hello(Model, frozen=True, kw_only=True):
    """The first event: `seq` is the number of the account's newest write."""

    epoch: int
    seq: int
    now: datetime


class ValueChanged(Model, frozen=True, kw_only=True):
    """A pin was written."""

    device_id: int
    pin: str
    value: Value
    at: datetime
    source: str
    seq: int


class StatusChanged(Model, frozen=True, kw_only=True):
    """A device came or went."""

    device_id: int
    status: Literal["online", "offline"]
    at: datetime


class EventLogged(Model, frozen=True, kw_only=True):
    """A device has logged an event."""

    device_id: int
    id: int
    code: str
    severity: str
    description: str = ""
    at: datetime
    resolved_at: datetime | None = None


class Reset(Model, frozen=True, kw_only=True):
    """Some events are lost: read the values again."""

    epoch: int
    seq: int
    now: datetime


StreamEvent = Hello | ValueChanged | StatusChanged | EventLogged | Reset
KINDS: dict[str, type[StreamEvent]] = {
    "hello": Hello,
    "value": ValueChanged,
    "status": StatusChanged,
    "event": EventLogged,
    "reset": Reset,
}
"""By the name of the event; others are ignored."""
