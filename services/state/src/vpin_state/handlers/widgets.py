"""Widgets: create, update, delete, get (spec 02, 8; 03, 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status, parse_int64, split_all, split_first

from vpin_state import lookup, settling
from vpin_state.errors import Refused
from vpin_state.json_rules import View, encode, read_widget_json
from vpin_state.kinds import OWN_WORD
from vpin_state.places import SILENT, absorb, clear_for_widget, clear_pins, pin_of, places, reach
from vpin_state.profile import widget_json
from vpin_state.registry import APP, handles
from vpin_state.routes import all_widgets

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard, JsonObject, Widget
    from vpin_state.places import Key
    from vpin_state.session import Session


_MEMORY = {"TABLE": ("rows", "currentRowIndex"), "PLAYER": ("isOnPlay",)}
"""Keys that writes have made what they are: as the value, they stay while the pin stays."""


@handles(Command.CREATE_WIDGET, APP)
def create(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·json`, or `dash·tilesWidget·template·json` for a widget inside a tile template."""
    fields = split_all(body)
    if len(fields) not in (2, 4):
        raise Refused(Status.ILLEGAL_COMMAND)
    dash = lookup.dash(session, fields[0])
    json = _read(fx, fields[-1])
    if any(json["id"] == other["id"] for other in all_widgets(dash)):
        raise Refused(Status.NOT_ALLOWED)
    if len(fields) == 2:
        settling.pay(dash.account, settling.price_of([json]))
        settling.place_widget(dash, json, fx.now)
    else:
        tiles = lookup.tiles(dash, fields[1])
        template = lookup.template(tiles, parse_int64(fields[2]))
        settling.pay(dash.account, settling.price_of([json]))
        clear_for_widget(dash, json, template=template)
        settling.set_inner(tiles, template, [*template.get("widgets", ()), json])
    settling.touch(dash, fx.now)
    fx.reply(Status.OK)


def _read(fx: Effects, text: bytes) -> JsonObject:
    json = read_widget_json(text, fx.config.widget_size_max)
    if json["width"] < 1 or json["height"] < 1:
        raise Refused(Status.NOT_ALLOWED)
    return json


@handles(Command.UPDATE_WIDGET, APP)
def update(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·json`: replaces a widget; values of pins that stay are kept (spec 03, 8.3)."""
    fields = split_first(body, 2)
    dash = lookup.dash(session, fields[0])
    json = _read(fx, fields[1] if len(fields) > 1 else b"")
    widget, template, old = lookup.widget_anywhere(dash, json["id"])
    if json["type"] != old["type"]:
        raise Refused(Status.ILLEGAL_COMMAND)
    if template is None:
        _replace(widget, json, fx.now)
        gone = [w.json for w in dash.widgets if w is not widget and _lost_tab(old, json, w.json)]
        _drop_all(dash, gone)
    else:
        before, after = set(reach(dash, old, template)), set(reach(dash, json, template))
        clear_pins(dash, before | after, (before & after) | _shown_by_others(dash, None))
        inner = [json if w is old else w for w in template["widgets"] if w is old or not _lost_tab(old, json, w)]
        _refund(dash, [w for w in template["widgets"] if w is not old and _lost_tab(old, json, w)])
        settling.set_inner(widget, template, inner)
    settling.touch(dash, fx.now)
    fx.reply(Status.OK)


def _replace(widget: Widget, json: JsonObject, now: int) -> None:
    """The new JSON in place of the old one, with what is kept of that: values, rows, reports, tiles, push tokens."""
    dash, old = widget.dash, widget.json
    json = _with_owned(old, json)
    before, after = set(reach(dash, old)), set(reach(dash, json))
    moved = json["type"] in OWN_WORD or json.get("deviceId") != old.get("deviceId")
    same = set() if moved else before & after
    for place in places(json):
        pin = pin_of(dash, place)
        if place.key in same and pin is not None and pin.known and json["type"] not in SILENT:
            place.holder.pop("value", None)
    clear_pins(dash, before | after, same | _shown_by_others(dash, widget))
    absorb(dash, json, now)
    widget.json = _with(json, old, _MEMORY.get(json["type"], ())) if same else json
    widget.changed()
    dash.reshape()


def _shown_by_others(dash: Dashboard, widget: Widget | None) -> set[Key]:
    return {place.key for other in dash.widgets if other is not widget for place in places(other.json)}


def _with_owned(old: JsonObject, new: JsonObject) -> JsonObject:
    """The new JSON with what an update can't change (spec 02, 8; 03, 8.3)."""
    match new["type"]:
        case "NOTIFICATION":
            return new | {key: {**old[key], **new.get(key, {})} for key in ("androidTokens", "iOSTokens") if key in old}
        case "REPORT":
            return _with(new, old, ("reports",))
        case "DEVICE_TILES":
            return _with(new, old, ("templates", "tiles"))
        case _:
            return new


def _with(new: JsonObject, old: JsonObject, keys: tuple[str, ...]) -> JsonObject:
    """The new JSON, but these keys as the old one has them, be it not at all."""
    return {key: value for key, value in new.items() if key not in keys} | {k: old[k] for k in keys if k in old}


def _lost_tab(old: JsonObject, new: JsonObject | None, json: JsonObject) -> bool:
    """Whether a widget was on a tab that a change of TABS removes: the last ones, or all but the first (`new` None)."""
    if old["type"] != "TABS":
        return False
    left = 1 if new is None else len(new.get("tabs", ()))
    return json["tabId"] > 0 and json["tabId"] >= left and (new is None or left < len(old.get("tabs", ())))


@handles(Command.DELETE_WIDGET, APP)
def delete(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·widget`: the price comes back; with TABS go the widgets on all tabs but the first."""
    fields = split_first(body, 2)
    if len(fields) < 2:
        raise Refused(Status.ILLEGAL_COMMAND)
    dash = lookup.dash(session, fields[0])
    widget, template, json = lookup.widget_anywhere(dash, parse_int64(fields[1]))
    if template is None:
        _drop_all(dash, [json, *(w.json for w in dash.widgets if _lost_tab(json, None, w.json))])
    else:
        gone = [w for w in template["widgets"] if w is json or _lost_tab(json, None, w)]
        settling.set_inner(widget, template, [w for w in template["widgets"] if w not in gone])
        for inner in gone:
            clear_for_widget(dash, inner, template=template)
        _refund(dash, gone)
    settling.touch(dash, fx.now)
    fx.reply(Status.OK)


def _drop_all(dash: Dashboard, gone: list[JsonObject]) -> None:
    for widget in [w for w in dash.widgets if any(w.json is json for json in gone)]:
        settling.drop_widget(widget)
    _refund(dash, gone)


def _refund(dash: Dashboard, gone: list[JsonObject]) -> None:
    settling.pay(dash.account, -settling.price_of(gone))


@handles(Command.GET_WIDGET, APP)
def get(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·widget` → the Widget without private keys; not those inside templates."""
    fields = split_first(body, 2)
    if len(fields) < 2:
        raise Refused(Status.ILLEGAL_COMMAND)
    widget = lookup.widget(lookup.dash(session, fields[0]), fields[1])
    fx.answer(Command.GET_WIDGET, encode(widget_json(widget, fx.now, View.PUBLIC)))
