"""JSON of apps: reading it into the form that is kept, writing it in the views that there are (spec 03, 2).

What is read is already what is written: keys without a value are left out, numbers are numbers, floats are the shortest
decimal of their 32 bits. The values of pins are no part of it: :mod:`vpin_state.places` takes them out and puts them in.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, NoReturn

import msgspec
from vpin_protocol import Status

from vpin_state.datastreams import read_streams
from vpin_state.errors import Refused
from vpin_state.kinds import KINDS, price, read_widget
from vpin_state.model import JsonObject
from vpin_state.schema import OBJECTS, bad, reader

encode = msgspec.json.Encoder().encode
"""An object that was read, as UTF-8."""

_SERVER_OWNED = frozenset(
    (
        "token",
        "status",
        "disconnectTime",
        "connectTime",
        "firstConnectTime",
        "dataReceivedAt",
        "lastLoggedIP",
        "hardwareInfo",
        "deviceOtaInfo",
    )
)


class View(Enum):
    """Who reads it (spec 03, 2.3): the owner; guests, clones, the pin API, which gives no push tokens away (04, 1.7)."""

    FULL = 0
    PUBLIC = 1


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


_prefix = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode


def parse(text: bytes, limit: int = 0) -> JsonObject:
    """The object at the start of `text`; what stands behind it is ignored.

    Empty text: Refused(2). More than `limit` characters (0: any number): 6. No JSON object: 11.
    """
    if not text:
        raise Refused(Status.ILLEGAL_COMMAND)
    if limit and len(text) > limit and len(text.decode(errors="replace")) > limit:
        raise Refused(Status.NOT_ALLOWED)
    try:
        found = _decode(text)
    except (ValueError, RecursionError):
        raise bad() from None
    if type(found) is not dict:
        raise bad()
    return found


def _decode(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        unicode = text.decode().lstrip(" \t\r\n")
        return msgspec.json.decode(unicode[: _prefix(unicode)[1]].encode())


def _read(name: str, raw: JsonObject) -> JsonObject:
    try:
        return reader(name)(raw)
    except RecursionError:
        raise bad() from None


def read_widget_json(text: bytes, limit: int) -> JsonObject:
    """A widget as it is kept, its `value` keys included."""
    raw = parse(text, limit)
    try:
        return read_widget(raw)
    except RecursionError:
        raise bad() from None


def read_dashboard(text: bytes, limit: int) -> tuple[JsonObject, list[JsonObject], list[JsonObject]]:
    """(settings, widgets, devices) of a project; `settings` also has id, isActive and updatedAt as they were sent.

    `dataStreams` is among the settings when it was sent: a list, or None for an explicit null.
    """
    raw = parse(text, limit)
    found = _read("Dashboard", raw)
    widgets = found.pop("widgets", [])
    devices = [_without_state(d) for d in found.pop("devices", [])]
    if "dataStreams" in raw:
        found["dataStreams"] = None if raw["dataStreams"] is None else read_streams(raw["dataStreams"])
    return found, widgets, devices


def read_settings(text: bytes, limit: int) -> JsonObject:
    """A full set of project settings (38): what is missing has its default."""
    return _read("Settings", parse(text, limit))


def read_device(text: bytes, limit: int) -> JsonObject:
    """A device as an app may describe it, without what the server owns. No `boardType`, a long name: Refused(2)."""
    device = _without_state(_read("Device", parse(text, limit)))
    if "boardType" not in device or len(device.get("name", "")) > 50:
        raise Refused(Status.ILLEGAL_COMMAND)
    return device


def read_tag(text: bytes, limit: int) -> JsonObject:
    """A tag within its bounds (spec 03, 6), else Refused(2)."""
    tag = _read("Tag", parse(text, limit))
    if tag["id"] < 100_000 or not 1 <= len(tag.get("name", "")) <= 40 or len(tag.get("deviceIds", ())) > 25:
        raise Refused(Status.ILLEGAL_COMMAND)
    return tag


def read_template(text: bytes, limit: int) -> JsonObject:
    """A tile template, `templateId` still as it was sent."""
    return _read("TileTemplate", parse(text, limit))


def read_report(text: bytes, limit: int) -> JsonObject:
    return _read("Report", parse(text, limit))


def read_app(text: bytes, limit: int) -> JsonObject:
    """An exported app; theme, provisionType, name or projectIds missing: Refused(6). `projectIds` is always there."""
    raw = parse(text, limit)
    app = _read("App", raw)
    if raw.get("projectIds") is None or not app.keys() >= {"theme", "provisionType", "name"}:
        raise Refused(Status.NOT_ALLOWED)
    return app


def _without_state(device: JsonObject) -> JsonObject:
    return {key: value for key, value in device.items() if key not in _SERVER_OWNED}


def visible(widget: JsonObject, view: View) -> JsonObject:
    """The widget's JSON with the keys that the view shows; the same object when that is all of them."""
    if "templates" in widget and view is not View.FULL:
        return {**widget, "templates": [_visible_template(template, view) for template in widget["templates"]]}
    hidden = _PRIVATE.get(widget["type"])
    if view is View.FULL or hidden is None:
        return widget
    return {key: value for key, value in widget.items() if key not in hidden}


def _visible_template(template: JsonObject, view: View) -> JsonObject:
    if "widgets" not in template:
        return template
    return {**template, "widgets": [visible(widget, view) for widget in template["widgets"]]}


_PRIVATE = {
    name: names for name, kind in KINDS.items() if (names := frozenset(f.name for f in kind.fields if f.private))
}
PRIVATE_OF_DEVICE = frozenset(f.name for f in OBJECTS["Device"] if f.private)

__all__ = [
    "PRIVATE_OF_DEVICE",
    "View",
    "encode",
    "parse",
    "price",
    "read_app",
    "read_dashboard",
    "read_device",
    "read_report",
    "read_settings",
    "read_tag",
    "read_template",
    "read_widget_json",
    "visible",
]
