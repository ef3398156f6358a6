"""Properties of widgets: label, colour, bounds and the rest, by the table of kinds (spec 01, 7; 03, 13)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vpin_protocol import Status

from vpin_state import schema
from vpin_state.errors import Refused
from vpin_state.kinds import KINDS, PROPERTIES
from vpin_state.pins import VIRTUAL
from vpin_state.routes import route

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.model import JsonObject, Widget

_COLOR = re.compile(r"#(?P<css>[0-9a-fA-F]{6})|0[xX](?P<hex>[0-9a-fA-F]{1,8})|(?P<decimal>[0-9]{1,10})")


def set_on_pin(device: Device, number: int, name: str, value: bytes, kind: int = VIRTUAL) -> bool:
    """Set a known property on every widget of a device's pin that has it; tell whether one took it.

    Where none did, or the last was DEVICE_TILES, it is kept as it was sent, for the pin. A value that a widget can't
    read: Refused(2), and nothing has changed.
    """
    taken = set_on_widgets(widgets_on(device, kind, number), name, value)
    if not taken or taken[-1].type == "DEVICE_TILES":
        device.bank.set_property(kind, number, name, value)
    return bool(taken)


def widgets_on(device: Device, kind: int, number: int) -> list[Widget]:
    """The widgets of the dashboard that show a pin of the device."""
    return route(device.bank, kind, number).widgets


def set_on_widgets(widgets: list[Widget], name: str, value: bytes) -> list[Widget]:
    """Set a property on those that have it, and tell which; Refused(2) for a value that one of them can't read."""
    found = [(widget, with_property(widget.json, name, value)) for widget in widgets]
    taken = [(widget, json) for widget, json in found if json is not None]
    for widget, json in taken:
        widget.json = json
        widget.changed()
    return [widget for widget, _ in taken]


def with_property(json: JsonObject, name: str, value: bytes) -> JsonObject | None:
    """The widget's JSON with a property set; None: its type does not have it. A value of the wrong kind: Refused(2)."""
    path = KINDS[json["type"]].properties.get(name)
    if path is None:
        return None
    if name == "url" and path == "urls":
        return _with_url(json, value)
    read = _read(PROPERTIES[name], value)
    key, _, inner = path.partition(".")
    if inner:  # of a styled button's state; without that object it has no effect
        return {**json, key: _without_empty({**json[key], inner: read})} if key in json else json
    if name == "color":
        return {**json, "color": read, "isDefaultColor": False}
    return {**json, key: read}


def _without_empty(state: JsonObject) -> JsonObject:
    return {key: value for key, value in state.items() if value != ""}


def _with_url(json: JsonObject, value: bytes) -> JsonObject | None:
    """`n·url`: the n-th of an image's addresses, from 1; None where there is no such one or no n."""
    index, found, url = _text(value).partition("\0")
    urls = json.get("urls", [])
    if not found or not index.isdecimal() or not 1 <= int(index[:10]) <= len(urls):
        return None
    at = int(index) - 1
    return {**json, "urls": [*urls[:at], url, *urls[at + 1 :]]}


def _read(kind: str, value: bytes) -> Any:
    text = _text(value)
    match kind:
        case "text":
            return text
        case "list":
            return text.split("\0")
        case "bool":
            return text.lower() == "true"
        case "color":
            return _color(text)
        case _:
            if not text.strip():  # in JSON that is 0
                raise Refused(Status.ILLEGAL_COMMAND)
            try:
                return schema.reader(kind)(text)
            except Refused:
                raise Refused(Status.ILLEGAL_COMMAND) from None


def _color(text: str) -> int:
    """The signed RGBA number of `#RRGGBB`, or of a decimal or 0x number RRGGBB, opaque (spec 03, 2.1)."""
    match = _COLOR.fullmatch(text)
    if match is None:
        raise Refused(Status.ILLEGAL_COMMAND)
    digits = match["css"] or match["hex"]
    rgb = int(digits, 16) if digits else int(match["decimal"])
    rgba = (rgb & 0xFFFFFF) << 8 | 0xFF
    return rgba - (1 << 32) if rgba >= 1 << 31 else rgba


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
