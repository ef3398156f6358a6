"""Finding what a body names: dashboards, devices, widgets, targets. :class:`Refused` where nothing is found.

A field that is no number raises vpin_protocol's BodyError, which the dispatcher answers with 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Status, parse_int32, parse_int64

from vpin_state.errors import Refused
from vpin_state.model import NO_PROJECT
from vpin_state.pins import FIRST_SELECTOR, FIRST_TAG
from vpin_state.session import Session

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.model import Account, Dashboard, JsonObject, Widget


def dash(whose: Account | Session, raw: bytes) -> Dashboard:
    """The dashboard whose id is in `raw`; unknown: 2. For a shared session any other than the shared one: 6."""
    return dash_of(whose, parse_int32(raw))


def dash_of(whose: Account | Session, dash_id: int) -> Dashboard:
    """The same for an id that is parsed already."""
    account = whose.account if isinstance(whose, Session) else whose
    if isinstance(whose, Session) and whose.shared and (whose.dash is None or whose.dash.id != dash_id):
        raise Refused(Status.NOT_ALLOWED)
    found = account.dashboards.get(dash_id) if dash_id != NO_PROJECT else None
    if found is None or (isinstance(whose, Session) and whose.shared and found is not whose.dash):
        raise Refused(Status.ILLEGAL_COMMAND)
    return found


def shared_dash(session: Session, raw: bytes) -> Dashboard:
    """:func:`dash` for what a shared session may use: while the dashboard is not shared, it gets 6."""
    found = dash(session, raw)
    if session.shared and not found.settings.get("isShared"):
        raise Refused(Status.NOT_ALLOWED)
    return found


def device(dash: Dashboard, raw: bytes, unknown: int = Status.ILLEGAL_COMMAND_BODY) -> Device:
    """The device of the dashboard whose id is in `raw`; not there: status `unknown`."""
    found = dash.devices.get(parse_int32(raw))
    if found is None:
        raise Refused(unknown)
    return found


def widget(dash: Dashboard, raw: bytes) -> Widget:
    """The widget of the dashboard whose id is in `raw`, not those inside tile templates; unknown: 2."""
    found = dash.find_widget(parse_int64(raw))
    if found is None:
        raise Refused(Status.ILLEGAL_COMMAND)
    return found


def widget_anywhere(dash: Dashboard, widget_id: int) -> tuple[Widget, JsonObject | None, JsonObject]:
    """(widget, template, JSON) of a widget id; unknown: 2.

    A widget of the dashboard itself has no template. For one inside a tile template, `widget` is the tiles widget.
    """
    found = dash.find_widget(widget_id)
    if found is not None:
        return found, None, found.json
    for tiles in dash.widgets:
        for template in tiles.json.get("templates", ()):
            for inner in template.get("widgets", ()):
                if inner["id"] == widget_id:
                    return tiles, template, inner
    raise Refused(Status.ILLEGAL_COMMAND)


def tiles(dash: Dashboard, raw: bytes) -> Widget:
    """The DEVICE_TILES widget whose id is in `raw`; unknown or of another type: 2."""
    found = widget(dash, raw)
    if found.type != "DEVICE_TILES":
        raise Refused(Status.ILLEGAL_COMMAND)
    return found


def template(tiles: Widget, template_id: int) -> JsonObject:
    """The tile template of a tiles widget; unknown: 2."""
    found = next((t for t in tiles.json.get("templates", ()) if t["id"] == template_id), None)
    if found is None:
        raise Refused(Status.ILLEGAL_COMMAND)
    return found


def tag(dash: Dashboard, tag_id: int) -> JsonObject | None:
    """The tag of that id, if there is one."""
    return next((t for t in dash.settings.get("tags", ()) if t["id"] == tag_id), None)


def devices_of(dash: Dashboard, target: int) -> list[Device]:
    """The devices that a write to a target goes to (spec 03, 6): a device, those of a tag, or a selector's one.

    Empty for an unknown target and a tag without devices. A tag has values of its own too, in ``dash.bank(target)``.
    """
    if target >= FIRST_SELECTOR:
        selector = dash.find_widget(target)
        if selector is None or selector.type != "DEVICE_SELECTOR":
            return []
        ids = [selector.json["value"]]
    elif target >= FIRST_TAG:
        found = tag(dash, target)
        ids = list(dict.fromkeys(found.get("deviceIds", ()))) if found else []
    else:
        ids = [target]
    return [dash.devices[i] for i in ids if i in dash.devices]
