"""Widget kinds as data: what each type costs, syncs and accepts, compiled from :mod:`vpin_state.kinds_table`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from vpin_state import kinds_table as table
from vpin_state.schema import Fields, bad, compile_fields, read_object, register_widgets

REPORT_PRICE = 2900
SHARE_PRICE = 1000
BUTTONS = frozenset({"BUTTON", "STYLED_BUTTON", "SWITCH"})
"""Types whose pin in PWM mode is synced by its own kind (spec 03, 8.2)."""
OWN_WORD = frozenset({"TIMER", "TIME_INPUT", "EMAIL", "RTC", "REPORT"})
"""Types where an update's JSON counts, values included (spec 03, 8.3)."""
SHOWN_BEHIND_SELECTOR = frozenset({"RGB", "TWO_AXIS_JOYSTICK", "TERMINAL", "TABLE", "MAP"})
LISTS = {"TERMINAL": "terminal_lines", "LCD": "lcd_commands", "TABLE": "table_rows"}
"""Types that keep a list of writes behind a selector or in a template, and the setting that limits it (spec 03, 12)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One widget type. `pins` is "one", "many" or "none"; `pin_mode` "in", "out" or "" (spec 01, 4.5).

    `properties` maps the names that a device or app may set to the key, or ``object.key``, that takes the value.
    """

    type: str
    price: int
    pins: str
    pin_mode: str
    app_sync: bool
    device_sync: bool
    fields: Fields
    properties: dict[str, str]

    @property
    def reads(self) -> bool:
        """Whether a frequency makes the server ask the device (spec 03, 8.4)."""
        return self.pin_mode == "in" and any(f.name == "frequency" for f in self.fields)


def _compile(name: str) -> Kind:
    price, pins, pin_mode, (app_sync, device_sync), keys, own_properties = table.WIDGETS[name]
    family = {table.ONE: table.ONE_PIN, table.MANY: table.MANY_PINS, table.NONE: ""}[pins]
    properties = {"label": "label", "color": "color"}
    if pins == table.ONE:
        properties |= {"min": "min", "max": "max"}
    for item in own_properties.split():
        prop, _, path = item.partition("=")
        properties[prop] = path or prop
    fields = compile_fields(", ".join((table.COMMON, family, keys)))
    return Kind(sys.intern(name), price, pins, pin_mode, app_sync, device_sync, fields, properties)


KINDS: dict[str, Kind] = {name: _compile(name) for name in table.WIDGETS}
PROPERTIES: dict[str, str] = {name: kind for name, (kind, _) in table.PROPERTIES.items()}
"""Every known property and how its value is read: text, color, float, int, bool, list."""
PROPERTY_OF_RULE: dict[str, str] = {upper: name for name, (_, upper) in table.PROPERTIES.items()}
"""Names in the JSON of eventor rules -> names on the wire."""


def read_widget(raw: Any) -> dict[str, Any]:
    """A widget's JSON in the form that is kept; an unknown type is a BUTTON (spec 03, 2.2). Bad: Refused(11)."""
    if type(raw) is not dict:
        raise bad()
    name = raw.get("type")
    kind = KINDS.get(name) if type(name) is str else None
    kind = kind or KINDS["BUTTON"]
    return {"type": kind.type, **read_object(kind.fields, raw)}


def price(json: dict[str, Any]) -> int:
    """What a widget costs: with the widgets in its tile templates and its reports (spec 02, 15)."""
    total = KINDS[json["type"]].price + REPORT_PRICE * len(json.get("reports", ()))
    return total + sum(price(w) for t in json.get("templates", ()) for w in t.get("widgets", ()))


register_widgets(read_widget)
