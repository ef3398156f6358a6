"""Values: what a write does, and what others read (spec 03, 10–12; 07). The doors for handlers; values are bytes as is.

``store`` writes. ``device_sync``, ``device_sync_pin``, ``device_sync_on_connect`` and ``pin_modes`` are what a board is
sent, ``app_sync`` what an app is sent, ``http_values`` and ``message_after_write`` what the pin API needs,
``select_device`` is for selectors, ``clear_for_widget`` for changes of widgets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import parse_int32

from vpin_state import datastreams, schema
from vpin_state.kinds import LISTS
from vpin_state.places import absorb, clear_for_widget
from vpin_state.routes import route
from vpin_state.syncs import (
    SYNC_ID,
    app_sync,
    device_sync,
    device_sync_on_connect,
    device_sync_pin,
    http_values,
    message_after_write,
    pin_modes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpin_state.effects import Effects
    from vpin_state.model import JsonObject, Widget
    from vpin_state.pins import Bank, Pin

_NEVER, _SUNSET, _SUNRISE = -1, -2, -3
_SPECIAL_TIMES = {b"": _NEVER, b"ss": _SUNSET, b"sr": _SUNRISE}
_CLEAR = b"clr"


def store(fx: Effects, bank: Bank, kind: int, number: int, value: bytes) -> None:
    """Write a value to a pin of a target: its state, and what the widgets on it make of it.

    Refused(2) or BodyError, with nothing changed, for a command to a table or time input that cannot be read. Checks of
    datastreams (spec 07, 3.3) are the caller's: :func:`vpin_state.datastreams.admit`.
    """
    found = route(bank, kind, number)
    bank.dash.updated_at = fx.now
    if found.fast:
        bank.pin(kind, number).set(value, fx.moment)
        return
    if not found.widgets:
        _store_alone(fx, found.pins[0], found.listed, value)
        return
    changes = [(w, change) for w in found.widgets if (change := _INTERPRETERS.get(w.type)) is not None]
    replaced = [(widget, interpret(fx, widget.json, value)) for widget, interpret in changes]
    for widget, json in replaced:
        if json != widget.json:
            widget.json = json
            widget.changed()
    limit = max((_lines_kept(fx, widget) for widget in found.widgets), default=0)
    clears = any(widget.type in ("TERMINAL", "MAP") for widget in found.widgets) and value == _CLEAR
    for pin in found.pins:
        if clears and all(widget.type == "MAP" for widget in found.widgets):
            pin.erase()
            continue
        if clears:
            pin.lines = None
        elif limit:
            pin.lines = [*(pin.lines or ()), value][-limit:]
        pin.set(value, fx.moment)


def _store_alone(fx: Effects, pin: Pin, listed: str, value: bytes) -> None:
    """Into the pin store: set, or append to the list; which of both is decided by the first write (spec 03, 12)."""
    if pin.lines is not None or (listed and pin.value is None):
        limit = getattr(fx.config, LISTS[listed or "TERMINAL"])
        pin.lines = [*(pin.lines or ()), value][-limit:]
        if datastreams.of_target(pin.bank.dash, pin.bank.target) is not None:
            pin.value = value  # a datastream has one, whatever widgets make of it
        pin.updated_at = fx.moment
        pin.mark()
    else:
        pin.set(value, fx.moment)


def _lines_kept(fx: Effects, widget: Widget) -> int:
    """How many writes a widget of the dashboard keeps."""
    if widget.type == "TERMINAL":
        return fx.config.terminal_lines
    if widget.type == "MAP":
        return fx.config.map_points
    return fx.config.lcd_commands if widget.type == "LCD" and widget.json["advancedMode"] else 0


def select_device(widget: Widget, device_id: int) -> None:
    """Show another device in a DEVICE_SELECTOR."""
    widget.json = {**widget.json, "value": device_id}
    widget.changed()
    widget.dash.reshape()


# -- widgets that read a write as a command: (effects, JSON, value) -> the JSON afterwards


def _play(fx: Effects, json: JsonObject, value: bytes) -> JsonObject:
    """`play` and `stop` (spec 03, 10.6)."""
    return {**json, "isOnPlay": value == b"play"} if value in (b"play", b"stop") else json


def _set_times(fx: Effects, json: JsonObject, value: bytes) -> JsonObject:
    """`start·stop·zone[·days…]` (spec 03, 10.5)."""
    parts = value.split(b"\0")
    if len(parts) < 3:
        return json
    changed = {**json, "startAt": _time(parts[0]), "stopAt": _time(parts[1])}
    changed["tzName"] = schema.zone(parts[2].decode(errors="replace"))
    changed.pop("days", None)
    if len(parts) > 3 and parts[3]:
        changed["days"] = [parse_int32(day) for day in parts[3].split(b",")]
    return changed


def _time(part: bytes) -> int:
    return _SPECIAL_TIMES[part] if part in _SPECIAL_TIMES else parse_int32(part)


def _edit_table(fx: Effects, json: JsonObject, value: bytes) -> JsonObject:
    """`clr`, `add`, `update`, `select`, `deselect`, `pick` (spec 03, 10.4)."""
    command, *fields = value.split(b"\0")
    rows: list[JsonObject] = json.get("rows", [])
    if command == _CLEAR:
        return {**{k: v for k, v in json.items() if k != "rows"}, "currentRowIndex": 0}
    if command == b"pick" and fields:
        return {**json, "currentRowIndex": parse_int32(fields[0])}
    if command in (b"select", b"deselect") and fields:
        row_id = parse_int32(fields[0])
        if not rows:
            return json
        return {**json, "rows": [{**r, "isSelected": command == b"select"} if r["id"] == row_id else r for r in rows]}
    if command in (b"add", b"update") and len(fields) >= 3:
        row = _row(parse_int32(fields[0]), fields[1], fields[2])
        if any(r["id"] == row["id"] for r in rows):
            return {
                **json,
                "rows": [{**row, "isSelected": r["isSelected"]} if r["id"] == row["id"] else r for r in rows],
            }
        if command == b"add":
            return {**json, "rows": [*rows, row][-fx.config.table_rows :]}
    return json


def _row(row_id: int, name: bytes, value: bytes) -> JsonObject:
    texts = {"name": name.decode(errors="replace"), "value": value.decode(errors="replace")}
    return {"id": row_id, **{key: text for key, text in texts.items() if text}, "isSelected": True}


_INTERPRETERS: dict[str, Callable[[Effects, JsonObject, bytes], JsonObject]] = {
    "PLAYER": _play,
    "TIME_INPUT": _set_times,
    "TABLE": _edit_table,
}

__all__ = [
    "SYNC_ID",
    "absorb",
    "app_sync",
    "clear_for_widget",
    "device_sync",
    "device_sync_on_connect",
    "device_sync_pin",
    "http_values",
    "message_after_write",
    "pin_modes",
    "select_device",
    "store",
]
