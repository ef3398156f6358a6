"""Changes of an account's shape that several commands share: energy, widgets with their pins, devices that go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Status

from vpin_state.errors import Refused
from vpin_state.kinds import price
from vpin_state.places import absorb, clear_for_widget

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.model import Account, Dashboard, JsonObject, Widget


def touch(dash: Dashboard, now: int) -> None:
    """The dashboard was changed by an app: remember when, store it, forget what was compiled from it."""
    dash.updated_at = now
    dash.changed()
    dash.reshape()


def pay(account: Account, amount: int) -> None:
    """Take energy (or give it back); accounts of the app Blynk can't go below zero: Refused(21)."""
    if amount > account.row.energy and amount > 0 and account.row.app_name == "Blynk":
        raise Refused(Status.ENERGY_LIMIT)
    if amount:
        account.change(energy=account.row.energy - amount)


def price_of(widgets: Iterable[JsonObject]) -> int:
    """What widgets cost together."""
    return sum(price(widget) for widget in widgets)


def place_widget(dash: Dashboard, json: JsonObject, now: int) -> Widget:
    """Append a new widget; its pins forget what they held, then take the values that its JSON brings (spec 03, 12)."""
    clear_for_widget(dash, json)
    absorb(dash, json, now)
    return dash.add_widget(json)


def drop_widget(widget: Widget) -> None:
    """Delete a widget; the values of its pins go with it, unless another widget shows them."""
    widget.dash.remove_widget(widget)
    clear_for_widget(widget.dash, widget.json)


def set_inner(tiles: Widget, template: JsonObject, widgets: list[JsonObject]) -> None:
    """Replace the widgets inside a tile template."""
    bare = {key: value for key, value in template.items() if key != "widgets"}
    set_template(tiles, {**bare, "widgets": widgets} if widgets else bare)


def set_template(tiles: Widget, template: JsonObject) -> None:
    """Replace the tile template that has the same id."""
    templates = [template if t["id"] == template["id"] else t for t in tiles.json["templates"]]
    tiles.json = {**tiles.json, "templates": templates}
    tiles.changed()
    tiles.dash.reshape()


def drop_device(fx: Effects, device: Device) -> None:
    """Delete a device with token, sessions and pins; tags, selectors, tiles, reports forget it (spec 03, 5)."""
    dash = device.dash
    close_sessions(fx, device)
    dash.remove_device(device)
    tags = [_without_device(tag, device.id) for tag in dash.settings.get("tags", ())]
    if tags != dash.settings.get("tags", []):
        dash.settings = {**dash.settings, "tags": tags}
    for widget in dash.widgets:
        json = _forget_device(widget.json, device.id)
        if json != widget.json:
            widget.json = json
            widget.changed()
    dash.reshape()


def close_sessions(fx: Effects, device: Device) -> None:
    """Close the board's connections, since its device is gone or its token is; it is offline from now on."""
    sessions, device.sessions = device.sessions, []
    for session in sessions:
        fx.close(session)


def _forget_device(json: JsonObject, device_id: int) -> JsonObject:
    if json["type"] == "DEVICE_SELECTOR":
        return _without_device(json, device_id)
    if json["type"] == "DEVICE_TILES":
        changed = {**json}
        if "templates" in json:
            changed["templates"] = [_without_device(t, device_id) for t in json["templates"]]
        if "tiles" in json:
            changed["tiles"] = [t for t in json["tiles"] if t["deviceId"] != device_id]
        return changed
    if json["type"] == "TABLE" and json["deviceId"] == device_id:
        return {**{key: value for key, value in json.items() if key != "rows"}, "currentRowIndex": 0}
    if json["type"] == "REPORT" and "reports" in json:
        return {**json, "reports": [_without_source(r, device_id) for r in json["reports"]]}
    return json


def _without_source(report: JsonObject, device_id: int) -> JsonObject:
    return {**report, "reportSources": [_without_device(s, device_id) for s in report.get("reportSources", ())]}


def _without_device(json: JsonObject, device_id: int) -> JsonObject:
    """The object without the id in its `deviceIds`; the key goes when none is left."""
    if device_id not in json.get("deviceIds", ()):
        return json
    ids = [i for i in json["deviceIds"] if i != device_id]
    return {**{k: v for k, v in json.items() if k != "deviceIds"}, **({"deviceIds": ids} if ids else {})}
