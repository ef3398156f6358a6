"""Projects: create, update, settings, delete, activate, deactivate (spec 02, 6; 03, 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status, split_first

from vpin_state import lookup, settling
from vpin_state.device import Device
from vpin_state.errors import Refused
from vpin_state.json_rules import read_dashboard, read_settings
from vpin_state.model import NO_PROJECT, Dashboard
from vpin_state.places import absorb, clear_pins, pin_of, places, reach, strip_values
from vpin_state.registry import APP, handles
from vpin_state.values import SYNC_ID, app_sync, pin_modes

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Account, JsonObject
    from vpin_state.places import Key
    from vpin_state.session import Session

PIN_MODE_ID = 1
_ORDINARY = -1
"""`parentId` of a project that is no face of another."""
_UPDATED = (
    "name",
    "theme",
    "keepScreenOn",
    "isAppConnectedOn",
    "isNotificationsOff",
    "isShared",
    "widgetBackgroundOn",
    "color",
    "isDefaultColor",
)


@handles(Command.CREATE_DASH, APP)
def create(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`json` or `no_token·json` (6.1)."""
    word, _, rest = body.partition(b"\0")
    bare = word == b"no_token"
    settings, widgets, devices = read_dashboard(rest if bare else body, fx.config.profile_size_max)
    if bare:
        for json in widgets:
            strip_values(json)
    create_dashboard(
        fx, session.account, settings, widgets, [(json, "" if bare else fx.new_token()) for json in devices]
    )
    fx.reply(Status.OK)


def create_dashboard(
    fx: Effects,
    account: Account,
    settings: JsonObject,
    widgets: list[JsonObject],
    devices: list[tuple[JsonObject, str]],
) -> Dashboard:
    """A new dashboard of what :func:`read_dashboard` gives, devices with their tokens; it is paid for."""
    if len(account.projects) >= fx.config.dashboards_max:
        raise Refused(Status.QUOTA_LIMIT)
    if settings["id"] in account.dashboards or settings["id"] == NO_PROJECT:
        raise Refused(Status.NOT_ALLOWED)
    if len(devices) > fx.config.devices_max or len(settings.get("tags", ())) > fx.config.tags_max:
        raise Refused(Status.NOT_ALLOWED)
    if settings["parentId"] == _ORDINARY:
        settling.pay(account, settling.price_of(widgets))
    return build_dashboard(account, settings, widgets, devices, fx.now)


def build_dashboard(
    account: Account,
    settings: JsonObject,
    widgets: list[JsonObject],
    devices: list[tuple[JsonObject, str]],
    now: int,
) -> Dashboard:
    """The same, asking nobody."""
    dash = _build(account, settings, now)
    for json in widgets:
        absorb(dash, json, now)
        dash.add_widget(json)
    for json, token in devices:
        if json["id"] not in dash.devices:
            add_device(dash, json, token)
    return dash


def _build(account: Account, settings: JsonObject, now: int) -> Dashboard:
    dash_id, active, updated_at = (settings.pop(key) for key in ("id", "isActive", "updatedAt"))
    settings["createdAt"] = settings["createdAt"] or now
    if settings.get("dataStreams", ()) is None:
        del settings["dataStreams"]
    position = max((dash.position for dash in account.dashboards.values()), default=-1) + 1
    dash = Dashboard(account, dash_id, settings, position)
    dash.active, dash.updated_at = active, updated_at
    account.dashboards[dash_id] = dash
    dash.changed()
    return dash


def add_device(dash: Dashboard, json: JsonObject, token: str) -> Device:
    """A new device as an app described it, with that token (none: "")."""
    position = max((device.position for device in dash.devices.values()), default=-1) + 1
    body = {key: value for key, value in json.items() if key not in ("id", "name")}
    device = Device(dash, json["id"], json.get("name", ""), "", body, position)
    dash.devices[device.id] = device
    device.set_token(token)
    dash.reshape()
    return device


@handles(Command.UPDATE_DASH, APP)
def update(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`json`: replaces settings and widgets; devices, tags and activity stay (6.2)."""
    if body.strip() == b"null":
        raise Refused(Status.ILLEGAL_COMMAND)
    settings, widgets, _ = read_dashboard(body, fx.config.profile_size_max)
    dash = lookup.dash_of(session, settings["id"])
    changed = {key: value for key, value in dash.settings.items() if key not in _UPDATED}
    changed |= {key: settings[key] for key in _UPDATED if key in settings}
    if "dataStreams" in settings:
        changed.pop("dataStreams", None)
        if settings["dataStreams"] is not None:
            changed["dataStreams"] = settings["dataStreams"]
    dash.settings = changed
    replace_widgets(dash, widgets, fx.now)
    settling.touch(dash, fx.now)
    fx.reply(Status.OK)


def replace_widgets(dash: Dashboard, widgets: list[JsonObject], now: int) -> None:
    """Other widgets with the values that they bring; push tokens, reports and lines of pins that stay are kept."""
    old = [widget.json for widget in dash.widgets]
    lines = _lines(dash, old)
    touched = {key for json in (*old, *widgets) for key in reach(dash, json)}
    for widget in list(dash.widgets):
        dash.remove_widget(widget)
    clear_pins(dash, touched, set(), properties=False)
    for json in widgets:
        absorb(dash, json, now)
        dash.add_widget(_with_kept(json, old))
    for key in _lines(dash, widgets).keys() & lines.keys():
        pin = dash.bank(key[0]).pin(key[1], key[2])
        pin.lines = lines[key]
        pin.mark()


def _lines(dash: Dashboard, widgets: list[JsonObject]) -> dict[Key, list[bytes] | None]:
    """The lines of the pins that terminals, maps and LCDs among the widgets name."""
    keepers = (json for json in widgets if json["type"] in ("TERMINAL", "MAP", "LCD"))
    found = [(place, pin_of(dash, place)) for json in keepers for place in places(json)]
    return {place.key: pin.lines for place, pin in found if pin is not None}


def _with_kept(json: JsonObject, old: list[JsonObject]) -> JsonObject:
    """The widget with what an app can't take away: push tokens, and the reports of the same widget."""
    if json["type"] == "NOTIFICATION":
        before = next((o for o in old if o["type"] == "NOTIFICATION"), {})
        return json | {
            key: {**before[key], **json.get(key, {})} for key in ("androidTokens", "iOSTokens") if key in before
        }
    if json["type"] == "REPORT":
        before = next((o for o in old if o["type"] == "REPORT" and o["id"] == json["id"]), {})
        return json | {key: before[key] for key in ("reports",) if key in before}
    return json


@handles(Command.UPDATE_SETTINGS, APP)
def update_settings(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·json`: a full replacement of the settings (6.3)."""
    fields = split_first(body, 2)
    dash = lookup.dash(session, fields[0])
    settings = read_settings(fields[1] if len(fields) > 1 else b"", fx.config.widget_size_max)
    dash.settings = {key: value for key, value in dash.settings.items() if key not in _UPDATED} | settings
    settling.touch(dash, fx.now)
    fx.reply(Status.OK)


@handles(Command.DELETE_DASH, APP)
def delete(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash`: with everything in it; the energy of its widgets comes back (6.4)."""
    delete_dashboard(fx, lookup.dash(session, body))
    fx.reply(Status.OK)


def delete_dashboard(fx: Effects, dash: Dashboard) -> None:
    """Take a dashboard away: its boards are disconnected, its tokens are worth nothing any more."""
    account = dash.account
    if dash.settings.get("parentId", _ORDINARY) == _ORDINARY:
        settling.pay(account, -settling.price_of(widget.json for widget in dash.widgets))
    tokens = [device.token for device in dash.devices.values()] + [dash.settings.get("sharedToken", "")]
    for device in dash.devices.values():
        settling.close_sessions(fx, device)
    dirty = account.mark()
    for token in filter(None, tokens):
        dirty.tokens.pop(token, None)
        dirty.deleted_tokens.append(token)
    del account.dashboards[dash.id]
    dirty.deleted_dashboards.append(dash.id)
    dash.reshape()


@handles(Command.ACTIVATE, APP)
def activate(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash`: pin modes to its boards, an answer that tells whether they are there, the state to all apps (6.6)."""
    dash = lookup.dash(session, body)
    if not dash.active:
        dash.active = True
        settling.touch(dash, fx.now)
    _greet_boards(fx, dash)
    fx.to_apps(dash, Command.ACTIVATE, message_id, body, but=session)
    values = app_sync(dash, fx.now)
    for app in dash.account.apps:
        if app.hears(dash):
            for command, value in values:
                fx.send(app, command, SYNC_ID, value)


def _greet_boards(fx: Effects, dash: Dashboard) -> None:
    assert fx.session is not None
    quiet = bool(dash.settings.get("isNotificationsOff"))
    if not any(device.online for device in dash.devices.values()):
        fx.reply(Status.OK if quiet else Status.DEVICE_NOT_IN_NETWORK)
        return
    for device in dash.devices.values():
        if not device.online:
            if not quiet:
                fx.respond(fx.session, PIN_MODE_ID, Status.DEVICE_NOT_IN_NETWORK)
        elif (modes := pin_modes(device)) is not None and not fx.to_device(device, PIN_MODE_ID, modes) and not quiet:
            fx.reply(Status.DEVICE_NOT_IN_NETWORK)
    fx.reply(Status.OK)


@handles(Command.DEACTIVATE, APP)
def deactivate(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash`, or empty for all (6.5)."""
    account = session.account
    dashboards = [lookup.dash(session, body)] if body else list(account.dashboards.values())
    for dash in dashboards:
        if dash.active:
            dash.active = False
            settling.touch(dash, fx.now)
    fx.reply(Status.OK)
    for app in account.apps:
        if app is not session and (not body or app.hears(dashboards[0])):
            fx.send(app, Command.DEACTIVATE, message_id, body)
