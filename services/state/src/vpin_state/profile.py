"""Profile, Dashboard and Device as JSON: what is kept, with the values put into the widgets (spec 03, 1–5 and 12).

Values are those that a sync tells at `now` (ms) (spec 07, 9); without that moment they are what is stored.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from vpin_state import mail_counts
from vpin_state.json_rules import PRIVATE_OF_DEVICE, View, encode, visible
from vpin_state.places import Values, taken, with_values
from vpin_state.routes import route

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.model import Account, Dashboard, JsonObject, Widget
    from vpin_state.pins import Bank, Pin
    from vpin_state.places import Key

_NOT_LISTED = frozenset(("address", "firstConnectTime", "lastLoggedIP", "deviceOtaInfo"))


def profile_json(account: Account, now: int | None) -> JsonObject:
    """The whole Profile, for its owner."""
    dashboards = [dashboard_json(dash, now) for dash in account.projects]
    body = _without(account.body, frozenset((mail_counts.KEY,)))
    return trimmed({"dashBoards": dashboards, **body, "pinsStorage": pins_storage(account, now)})


def guest_profile_json(dash: Dashboard, now: int) -> JsonObject:
    """The Profile that a shared session sees: one dashboard, nothing private (spec 02, 10)."""
    return {"dashBoards": [dashboard_json(dash, now, View.PUBLIC)]}


def dashboard_json(dash: Dashboard, now: int | None, view: View = View.FULL) -> JsonObject:
    """A dashboard with its widgets, their values, and its devices."""
    values = Values(dash, now)
    return frame_json(dash, [_widget_json(values, widget, view) for widget in dash.widgets], view)


def frame_json(dash: Dashboard, widgets: list[JsonObject], view: View = View.FULL) -> JsonObject:
    """A dashboard with these widgets and its devices."""
    found: JsonObject = {
        "id": dash.id,
        **dash.settings,
        "updatedAt": max([dash.updated_at, *(device.data_received_at for device in dash.devices.values())]),
        "isActive": dash.active,
        "widgets": widgets,
        "devices": [device_json(device, view) for device in dash.devices.values()],
    }
    if view is not View.FULL:
        found.pop("sharedToken", None)
    streams = found.pop("dataStreams", None)
    found = trimmed(found)
    if streams is not None:  # an empty list says something: the template generation
        found["dataStreams"] = streams
    return found


def widget_json(widget: Widget, now: int | None, view: View = View.FULL) -> JsonObject:
    """A widget of a dashboard with its values."""
    return _widget_json(Values(widget.dash, now), widget, view)


def _widget_json(values: Values, widget: Widget, view: View) -> JsonObject:
    return trimmed(with_values(values, visible(widget.json, view)))


def device_json(device: Device, view: View = View.FULL) -> JsonObject:
    """A device with its token and state, or in the other views without them."""
    body = device.body
    found: JsonObject = {
        "id": device.id,
        "name": device.name,
        "boardType": body.get("boardType"),
        "address": body.get("address"),
        "token": device.token,
        "vendor": body.get("vendor"),
        "connectionType": body.get("connectionType"),
        "status": "ONLINE" if device.online else "OFFLINE",
        "disconnectTime": device.disconnect_time,
        "connectTime": device.connect_time,
        "firstConnectTime": device.first_connect_time,
        "dataReceivedAt": device.data_received_at,
        "lastLoggedIP": device.last_logged_ip,
        "hardwareInfo": trimmed(body.get("hardwareInfo") or {}),
        "deviceOtaInfo": body.get("deviceOtaInfo"),
        "iconName": body.get("iconName"),
        "isUserIcon": body.get("isUserIcon", False),
    }
    return _without(trimmed(found), frozenset() if view is View.FULL else PRIVATE_OF_DEVICE)


def device_list_json(dash: Dashboard, view: View = View.FULL) -> list[JsonObject]:
    """What the list of devices (45) shows of each."""
    return [_without(device_json(device, view), _NOT_LISTED) for device in dash.devices.values()]


def pins_storage(account: Account, now: int | None) -> JsonObject:
    """Values and properties of pins with no widget, by storage key (spec 03, 12)."""
    storage: JsonObject = {}
    for dash in account.projects:
        shown = taken(dash)
        values = Values(dash, now)
        for bank in dash.banks.values():
            listed = values.listed(bank.target)
            if listed is not None:
                storage |= {_key(bank, *key[1:]): _told(bank, key, value) for key, value in listed if key not in shown}
            else:
                for pin in bank.pins.values():
                    if pin.known and (bank.target, pin.kind, pin.number) not in shown:
                        storage[_key(bank, pin.kind, pin.number)] = _stored(bank, pin)
            for (kind, number, name), value in bank.properties.items():
                storage[f"{_key(bank, kind, number)}-{name}"] = value.decode(errors="replace")
    return storage


def _key(bank: Bank, kind: int, number: int) -> str:
    return f"{bank.dash.id}-{bank.target}-{kind:c}{number}"


def _told(bank: Bank, key: Key, value: bytes) -> Any:
    """As the pin store has it, or the default that stands for it."""
    pin = bank.pins.get(key[1:])
    return value.decode(errors="replace") if pin is None or pin.value is not value else _stored(bank, pin)


def _stored(bank: Bank, pin: Pin) -> Any:
    if pin.lines is not None:
        listed = route(bank, pin.kind, pin.number).listed or "TERMINAL"
        return {"type": listed, "values": [line.decode(errors="replace") for line in pin.lines]}
    return (pin.value or b"").decode(errors="replace")


def trimmed(found: JsonObject) -> JsonObject:
    """Without the keys that have no value: null, "", [] and {} (spec 03, 2.1)."""
    return {k: v for k, v in found.items() if v or v == 0}  # False is 0; this is most of the work of a large profile


def _without(found: JsonObject, keys: frozenset[str]) -> JsonObject:
    return {key: value for key, value in found.items() if key not in keys}


def compressed(found: JsonObject) -> bytes:
    """The JSON in zlib's format, as commands 24, 58 and 63 carry it."""
    return compressed_json(encode(found))


def compressed_json(text: bytes) -> bytes:
    """The same for JSON that is text already."""
    return zlib.compress(text, 1)
