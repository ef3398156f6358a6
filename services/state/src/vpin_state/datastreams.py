"""Datastreams: the pins of the template generation with their types, bounds and defaults (spec 07, 1–3; 03, 18.3)."""

from __future__ import annotations

import re
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from vpin_protocol import Status

from vpin_state.errors import Refused
from vpin_state.pins import KIND_OF_NAME

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.model import Dashboard, JsonObject
    from vpin_state.pins import Pin

_VALUE_TYPES = frozenset(("INT", "DOUBLE", "STRING", "LOCATION", "ENUM", "RAW"))
_POLICIES = frozenset(("NOTHING", "DEFAULT", "NO_DATA", "EMPTY", "DASHES"))
_DEFAULTS: dict[str, Any] = {
    "name": None,
    "alias": None,
    "pinType": "VIRTUAL",
    "valueType": "STRING",
    "min": None,
    "max": None,
    "defaultValue": None,
    "syncWithLatest": False,
    "waitForConfirmation": 0,
    "invalidateAfter": 0,
    "invalidateTo": "NOTHING",
    "enumValues": None,
    "enumFallback": None,
}
_INT = re.compile(rb"([+-]?)0*([0-9]{1,10})")
_INT32 = 1 << 31
_DOUBLE = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


def of(device: Device) -> list[JsonObject] | None:
    """The device's datastreams in list order, those of its template first; None: a device of the legacy generation."""
    template = device.dash.account.templates.get(device.template_id) if device.template_id else None
    return device.dash.settings.get("dataStreams") if template is None else template.streams


def of_target(dash: Dashboard, target: int) -> list[JsonObject] | None:
    """The same for a target: values of tags and selectors follow the dashboard."""
    device = dash.devices.get(target)
    return dash.settings.get("dataStreams") if device is None else of(device)


def by_pin(dash: Dashboard) -> dict[int, dict[tuple[int, int], JsonObject]]:
    """For each device of the template generation its datastreams by (kind, number); tags and selectors have none."""
    if dash.settings.get("dataStreams") is None and not dash.account.templates:
        return {}
    lists = {device.id: streams for device in dash.devices.values() if (streams := of(device)) is not None}
    indices = {id(streams): {(KIND_OF_NAME[s["pinType"]], s["pin"]): s for s in streams} for streams in lists.values()}
    return {device: indices[id(streams)] for device, streams in lists.items()}


def find(streams: list[JsonObject], kind: int, number: int) -> JsonObject | None:
    """The datastream on a pin."""
    return next((s for s in streams if s["pin"] == number and KIND_OF_NAME[s["pinType"]] == kind), None)


def admit(stream: JsonObject, value: bytes) -> bytes | None:
    """What is stored for a write: the value, cropped to its bounds, or a fallback; None: no match (07, 3.3)."""
    kind = stream["valueType"]
    if b"\0" in value and kind not in ("STRING", "LOCATION", "RAW"):
        return None
    if kind == "INT":
        number = _int(value)
        return None if number is None or not -_INT32 <= number < _INT32 else _crop(stream, number, value)
    if kind == "DOUBLE":
        number = _double(value)
        return None if number is None else _crop(stream, number, value)
    if kind == "ENUM":
        number = _int(value)
        if number is not None and number in (stream["enumValues"] or ()):
            return value
        fallback = stream["enumFallback"]
        return None if fallback is None else b"%d" % fallback
    if kind == "LOCATION":
        parts = value.split(b"\0")
        return value if len(parts) == 2 and all(_double(p) is not None for p in parts) else None
    return value


def admitted(device: Device, kind: int, number: int, value: bytes) -> bytes | None:
    """What of a write to a device's pin is stored: the value itself in the legacy generation; None: it is refused."""
    streams = of(device)
    if streams is None:
        return value
    stream = find(streams, kind, number)
    return None if stream is None else admit(stream, value)


def fits(stream: JsonObject, value: bytes) -> bool:
    """Whether a stored value still is one of the datastream's type."""
    admitted = admit(stream, value)
    return admitted is not None and (stream["valueType"] != "ENUM" or admitted == value)


def current(stream: JsonObject, pin: Pin | None, now: int) -> bytes | None:
    """What a reader gets at `now` (ms): the stored value, else the default, else None.

    A value that is out of date counts as never written; the default takes its place where the datastream says so (3.5).
    """
    if pin is not None and pin.value is not None:
        if not is_outdated(stream, pin, now):
            return pin.value
        if stream["invalidateTo"] != "DEFAULT":
            return None
    default = stream["defaultValue"]
    return default.encode() if default else None


def is_outdated(stream: JsonObject, pin: Pin, now: int) -> bool:
    """Whether the pin was written so long ago that its datastream gives its value up."""
    return bool(stream["invalidateAfter"]) and now - pin.updated_at > stream["invalidateAfter"] * 1000


def confirmation_ms(device: Device, kind: int, number: int) -> int:
    """How long a write of an app waits for the board's word; 0: not at all (3.4)."""
    stream = find(of(device) or [], kind, number)
    return 0 if stream is None else int(stream["waitForConfirmation"] * 1000)


def read_streams(raw: Any) -> list[JsonObject]:
    """The list `dataStreams` of a dashboard with its defaults filled in; a list that breaks the rules: Refused(2)."""
    if type(raw) is not list:
        raise Refused(Status.ILLEGAL_COMMAND)
    streams = [_read_stream(item) for item in raw]
    if len({s["id"] for s in streams}) < len(streams) or len({(s["pinType"], s["pin"]) for s in streams}) < len(
        streams
    ):
        raise Refused(Status.ILLEGAL_COMMAND)
    return streams


def _read_stream(raw: Any) -> JsonObject:
    if type(raw) is not dict:
        raise Refused(Status.ILLEGAL_COMMAND)
    stream: dict[str, Any] = {"id": raw.get("id"), "pin": raw.get("pin")}
    for name, default in _DEFAULTS.items():
        value = raw.get(name)
        stream[name] = default if value is None else value
    if not _is_sound(stream):
        raise Refused(Status.ILLEGAL_COMMAND)
    return stream


def _is_sound(s: JsonObject) -> bool:
    numbers, values = (int, float), s["enumValues"]
    return (
        type(s["id"]) is int
        and type(s["pin"]) is int
        and 0 <= s["pin"] <= 255
        and type(s["pinType"]) is str
        and s["pinType"] in KIND_OF_NAME
        and type(s["valueType"]) is str
        and s["valueType"] in _VALUE_TYPES
        and type(s["invalidateTo"]) is str
        and s["invalidateTo"] in _POLICIES
        and all(s[k] is None or type(s[k]) is str for k in ("name", "alias", "defaultValue"))
        and all(s[k] is None or type(s[k]) in numbers for k in ("min", "max"))
        and (s["min"] is None or s["max"] is None or s["min"] <= s["max"])
        and (s["valueType"] in ("INT", "DOUBLE") or s["min"] is s["max"] is None)
        and type(s["syncWithLatest"]) is bool
        and all(type(s[k]) in numbers and s[k] >= 0 for k in ("waitForConfirmation", "invalidateAfter"))
        and (values is None or (type(values) is list and all(type(v) is int for v in values)))
        and (s["enumFallback"] is None or type(s["enumFallback"]) is int)
    )


def _crop(stream: JsonObject, number: float, value: bytes) -> bytes:
    low, high = stream["min"], stream["max"]
    is_int = stream["valueType"] == "INT"
    if low is not None and number < low:
        return _shortest(min(ceil(low), _INT32 - 1) if is_int else low)
    if high is not None and number > high:
        return _shortest(max(floor(high), -_INT32) if is_int else high)
    return value


def _shortest(bound: float) -> bytes:
    return str(int(bound) if bound == int(bound) else bound).encode()


def _int(value: bytes) -> int | None:
    found = _INT.fullmatch(value)
    return None if found is None else int(found[1] + found[2])


def _double(value: bytes) -> float | None:
    number = float(value) if _DOUBLE.fullmatch(value) else None
    return None if number is None or number in (float("inf"), float("-inf")) else number
