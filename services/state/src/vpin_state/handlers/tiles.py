"""Tile templates of DEVICE_TILES: create, update, delete (spec 02, 8; 03, 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status, parse_int64, split_first

from vpin_state import lookup, settling
from vpin_state.errors import Refused
from vpin_state.json_rules import read_template
from vpin_state.places import clear_for_widget, clear_pins, places, taken
from vpin_state.registry import APP, handles

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard, JsonObject, Widget
    from vpin_state.session import Session


def _find(session: Session, body: bytes) -> tuple[Dashboard, Widget, bytes]:
    """(dashboard, DEVICE_TILES widget, the rest) of `dash·widget·rest`; a missing field: Refused(2)."""
    fields = split_first(body, 3)
    if len(fields) < 3:
        raise Refused(Status.ILLEGAL_COMMAND)
    dash = lookup.dash(session, fields[0])
    return dash, lookup.tiles(dash, fields[1]), fields[2]


@handles(Command.CREATE_TILE_TEMPLATE, APP)
def create(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·widget·json`: with a tile for each of its devices; the widgets in it are paid for."""
    dash, tiles, text = _find(session, body)
    template = read_template(text, fx.config.widget_size_max)
    templates = tiles.json.get("templates", [])
    if any(other["id"] == template["id"] for other in templates):
        raise Refused(Status.NOT_ALLOWED)
    settling.pay(dash.account, settling.price_of(template.get("widgets", ())))
    template.setdefault("templateId", f"TMPL{template['id']}")
    tiles.json = {**tiles.json, "templates": [*templates, template]}
    _rebuild(tiles, template)
    settling.touch(dash, fx.now)
    fx.reply(Status.OK)


@handles(Command.UPDATE_TILE_TEMPLATE, APP)
def update(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·widget·json`: all but the widgets in it; its tiles are made anew when its devices or its pin change."""
    dash, tiles, text = _find(session, body)
    template = read_template(text, fx.config.widget_size_max)
    old = lookup.template(tiles, template["id"])
    template.pop("widgets", None)
    template |= {key: old[key] for key in ("widgets",) if key in old}
    template.setdefault("templateId", old.get("templateId", f"TMPL{template['id']}"))
    settling.set_template(tiles, template)
    if any(template.get(key) != old.get(key) for key in ("deviceIds", "pin")):
        _rebuild(tiles, template)
    settling.touch(dash, fx.now)
    fx.reply(Status.OK)


@handles(Command.DELETE_TILE_TEMPLATE, APP)
def delete(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·widget·template`: with its tiles, and what the widgets in it have stored for its devices."""
    dash, tiles, raw_template = _find(session, body)
    template = lookup.template(tiles, parse_int64(raw_template))
    tiles.json = {**tiles.json, "templates": [t for t in tiles.json["templates"] if t is not template]}
    _set_tiles(tiles, [tile for tile in tiles.json.get("tiles", ()) if tile["templateId"] != template["id"]])
    for inner in template.get("widgets", ()):
        clear_for_widget(dash, inner, template=template)
    settling.pay(dash.account, -settling.price_of(template.get("widgets", ())))
    settling.touch(dash, fx.now)
    fx.reply(Status.OK)


def _rebuild(tiles: Widget, template: JsonObject) -> None:
    """One tile per device of the template, in order; the others stay as they are."""
    others = [tile for tile in tiles.json.get("tiles", ()) if tile["templateId"] != template["id"]]
    pin = {key: value for key, value in template.get("pin", {}).items() if key != "value"}
    shown = {"pin": pin} if pin else {}
    own = [{"deviceId": d, "templateId": template["id"], **shown} for d in dict.fromkeys(template.get("deviceIds", ()))]
    _set_tiles(tiles, [*others, *own])


def _set_tiles(tiles: Widget, new: list[JsonObject]) -> None:
    """Replace the tiles; pins that no widget shows any more lose their values."""
    before = {place.key for place in places(tiles.json)}
    tiles.json = {**tiles.json, "tiles": new}
    tiles.changed()
    clear_pins(tiles.dash, before, taken(tiles.dash), properties=False)
    tiles.dash.reshape()
