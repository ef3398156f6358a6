"""What others are told of the state: boards (16, log-in), apps (25, activation), the pin API (spec 03, 8; 07, 4–9)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from vpin_protocol import Command

from vpin_state import datastreams
from vpin_state.kinds import BUTTONS, KINDS, SHOWN_BEHIND_SELECTOR
from vpin_state.pins import ANALOG, DIGITAL, FIRST_SELECTOR, KIND_OF_NAME, VIRTUAL
from vpin_state.places import Place, concerns, pin_of, places, taken
from vpin_state.routes import route

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.model import Dashboard, JsonObject, Widget
    from vpin_state.pins import Bank, Pin, Route

SYNC_ID = 1111
_WRITE = {VIRTUAL: b"vw", DIGITAL: b"dw", ANALOG: b"aw"}
_ORDER = {DIGITAL: 0, ANALOG: 1, VIRTUAL: 2}
_SPLIT = {"RGB": "splitMode", "TWO_AXIS_JOYSTICK": "split"}


# -- to boards


def device_sync(device: Device, now: int) -> list[bytes]:
    """Bodies of command 20 that answer syncAll at `now` (ms): what the server knows of this device (spec 07, 4 and 6)."""
    streams = datastreams.of(device)
    if streams is not None:
        return _marked(device, streams, now)
    dash = device.dash
    frames = [frame for widget in dash.widgets for frame in _device_frames(dash, widget.json, device.id)]
    for pin in _stored(device.bank, taken(dash)):
        frames += _stored_frames(pin)
    return frames


def device_sync_pin(device: Device, kind: int, number: int, now: int) -> list[bytes]:
    """Bodies that answer syncVirtual (or `dr`, `ar`) for one pin: the first widget on it, else what is stored."""
    streams = datastreams.of(device)
    if streams is not None:
        stream = datastreams.find(streams, kind, number)
        return [] if stream is None else _stream_frames(device, stream, now)
    dash = device.dash
    for widget in route(device.bank, kind, number).widgets:
        return list(_device_frames(dash, widget.json, device.id))
    pin = device.bank.pins.get((kind, number))
    return [] if pin is None else _stored_frames(pin)


def device_sync_on_connect(device: Device, now: int) -> list[bytes]:
    """Bodies that a board is sent unasked after its log-in: marked datastreams of the template generation (07, 8)."""
    streams = datastreams.of(device)
    return [] if streams is None else _marked(device, streams, now)


def pin_modes(device: Device) -> bytes | None:
    """`pm·pin·mode…` for the digital and analog pins of the device's widgets; None when there are none (01, 4.5)."""
    parts = [b"pm"]
    for widget in device.dash.widgets:
        json = widget.json
        if mode := KINDS[json["type"]].pin_mode.encode():
            for place in places(json):
                if place.target == device.id and place.kind != VIRTUAL:
                    parts += (b"%d" % place.number, mode)
        elif json["type"] == "EVENTOR" and json["deviceId"] == device.id:
            for number in _rule_pins(json):
                parts += (b"%d" % number, b"out")
    return b"\0".join(parts) if len(parts) > 1 else None


def _rule_pins(json: JsonObject) -> Iterator[int]:
    for rule in json.get("rules", ()):
        for action in rule.get("actions", ()):
            pin = action.get("pin") if action["type"] == "SETPIN" else None
            if pin is not None and pin.get("pinType", "VIRTUAL") != "VIRTUAL" and 0 <= pin["pin"] <= 255:
                yield pin["pin"]


def _marked(device: Device, streams: list[JsonObject], now: int) -> list[bytes]:
    return [frame for stream in streams if stream["syncWithLatest"] for frame in _stream_frames(device, stream, now)]


def _stream_frames(device: Device, stream: JsonObject, now: int) -> list[bytes]:
    """The value of a datastream, or its default; nothing when there is none or it no longer fits."""
    kind = KIND_OF_NAME[stream["pinType"]]
    value = datastreams.current(stream, device.bank.pins.get((kind, stream["pin"])), now)
    if value is None or not datastreams.fits(stream, value):
        return []
    return [write_body(kind, stream["pin"], value)]


def _device_frames(dash: Dashboard, json: JsonObject, device_id: int) -> Iterator[bytes]:
    """What a widget tells a board: a frame per place of this device that has a value (07, 4)."""
    if json["type"] != "DEVICE_TILES" and not KINDS[json["type"]].device_sync:
        return
    for place, pin in _shown(dash, json):
        if place.target != device_id:
            continue
        value = pin.value
        if json["type"] == "TERMINAL":
            value = pin.lines[-1] if pin.lines else None
        if value is not None:
            yield write_body(_told_kind(json, place), place.number, value)


# -- to apps


def app_sync(dash: Dashboard, now: int, target: int | None = None) -> list[tuple[int, bytes]]:
    """(command, body) of what is known of a dashboard at `now` (ms), or of one target of it: the pin store, then widgets."""
    frames: list[tuple[int, bytes]] = []
    shown = taken(dash)
    for bank in dash.banks.values() if target is None else filter(None, [dash.banks.get(target)]):
        prefix = b"%d-%d\0" % (dash.id, bank.target)
        streams = _streams(dash, bank.target)
        if streams is None:
            for pin in _stored(bank, shown):
                frames += ((Command.APP_SYNC, prefix + body) for body in _stored_app_bodies(pin))
        for (_, number, name), value in bank.properties.items():
            frames.append((Command.SET_PROPERTY, b"%s%d\0%s\0%s" % (prefix, number, name.encode(), value)))
    for device in dash.devices.values():
        if target is None or device.id == target:
            frames += ((Command.APP_SYNC, device.prefix + body) for body in _stream_bodies(device, now))
    for widget in dash.widgets:
        for of, body in _app_bodies(dash, widget.json):
            if (target is None or of == target) and _streams(dash, of) is None:
                frames.append((Command.APP_SYNC, b"%d-%d\0%s" % (dash.id, of, body)))
    return frames


def _streams(dash: Dashboard, target: int) -> list[JsonObject] | None:
    """The datastreams that speak for a target; tags and selectors have values of their own in both generations."""
    device = dash.devices.get(target)
    return None if device is None else datastreams.of(device)


def _stream_bodies(device: Device, now: int) -> Iterator[bytes]:
    for stream in datastreams.of(device) or ():
        kind = KIND_OF_NAME[stream["pinType"]]
        value = datastreams.current(stream, device.bank.pins.get((kind, stream["pin"])), now)
        if value is not None:
            yield write_body(kind, stream["pin"], value)


def _stored_app_bodies(pin: Pin) -> list[bytes]:
    if pin.lines:
        return [many_body(pin.kind, pin.number, pin.lines), write_body(pin.kind, pin.number, pin.lines[-1])]
    return _stored_frames(pin)


def _app_bodies(dash: Dashboard, json: JsonObject) -> Iterator[tuple[int, bytes]]:
    """(target, body) of what a widget tells an app."""
    name = json["type"]
    if name != "DEVICE_TILES":
        if not KINDS[name].app_sync:
            return
        if json["deviceId"] >= FIRST_SELECTOR and name not in SHOWN_BEHIND_SELECTOR:
            return
    for place, pin in _shown(dash, json):
        kind = _told_kind(json, place)
        if name == "TERMINAL":
            bodies = [many_body(kind, place.number, pin.lines)] if pin.lines else []
        elif name == "TABLE":
            rows = json.get("rows")
            bodies = [many_body(kind, place.number, map(_row_parts, rows))] if rows else []
        elif name == "MAP" or (name == "LCD" and json["advancedMode"]):
            bodies = [write_body(kind, place.number, line) for line in pin.lines or ()]
        else:
            bodies = [] if pin.value is None else [write_body(kind, place.number, pin.value)]
        for body in bodies:
            yield place.target, body


def _row_parts(row: JsonObject) -> bytes:
    parts = ("add", str(row["id"]), row.get("name", ""), row.get("value", ""), "true" if row["isSelected"] else "false")
    return "\0".join(parts).encode()


# -- to the pin API


def http_values(device: Device, kind: int, number: int, now: int) -> list[bytes] | None:
    """The strings that a read of a pin gives; None for a pin with neither widget nor value (spec 04, 1.3)."""
    dash = device.dash
    streams = datastreams.of(device)
    if streams is not None:
        stream = datastreams.find(streams, kind, number)
        pin = device.bank.pins.get((kind, number))
        value = None if stream is None else datastreams.current(stream, pin, now)
        return None if stream is None else [] if value is None else value.split(b"\0")
    for widget in dash.widgets:
        place = next(concerns(widget.json, device.id, kind, number), None)
        if place is not None:
            return _widget_values(dash, widget, place)
    pin = device.bank.pins.get((kind, number))
    if pin is None or not pin.known:
        return None
    return list(pin.lines) if pin.lines else _parts(pin.value)


def _widget_values(dash: Dashboard, widget: Widget, place: Place) -> list[bytes]:
    json = widget.json
    pin = pin_of(dash, place)
    if _is_split(json):
        shown = {id(p.holder): pin_of(dash, p) for p in places(json)}
        pins = [shown.get(id(entry)) for entry in json["pins"] if entry is not None]
        return [b"" if p is None or p.value is None else p.value for p in pins]
    if widget.type == "TABLE":
        return [_row_parts(row) for row in json.get("rows", ())]
    if widget.type in ("TERMINAL", "MAP") or (widget.type == "LCD" and json["advancedMode"]):
        return list(pin.lines) if pin is not None and pin.lines else []
    return _parts(pin.value if pin else None)


def _parts(value: bytes | None) -> list[bytes]:
    return [] if value is None else value.split(b"\0")


def message_after_write(device: Device, kind: int, number: int, route: Route) -> bytes:
    """`xw·pin·value` for board and apps after an HTTP write, as the first widget on the pin says it (spec 04, 1.3)."""
    if not route.widgets:
        pin = route.pins[0]
        return write_body(kind, number, (pin.lines[-1] if pin.lines else pin.value) or b"")
    json = route.widgets[0].json
    place = next(concerns(json, device.id, kind, number))
    pin = pin_of(device.dash, place)
    value = b"clr" if pin is None or pin.value is None else pin.value  # only a cleared map has none
    return write_body(_told_kind(json, place), place.number, value)


# -- common


def write_body(kind: int, number: int, value: bytes) -> bytes:
    return b"%s\0%d\0%s" % (_WRITE[kind], number, value)


def many_body(kind: int, number: int, values: Iterable[bytes]) -> bytes:
    """Several writes in one: `vm·pin·value·value…`."""
    return b"%cm\0%d\0%s" % (kind, number, b"\0".join(values))


def _shown(dash: Dashboard, json: JsonObject) -> Iterator[tuple[Place, Pin]]:
    """The places of a widget whose pins hold something; of a merged widget only the first."""
    for place in places(json):
        pin = pin_of(dash, place)
        if pin is not None and (pin.known or json["type"] == "TABLE"):
            yield place, pin
        if json["type"] in _SPLIT and not _is_split(json):
            return


def _is_split(json: JsonObject) -> bool:
    key = _SPLIT.get(json["type"])
    return bool(json[key]) if key else json["type"] == "LCD" and not json["advancedMode"]


def _told_kind(json: JsonObject, place: Place) -> int:
    """The kind that a widget's pin is told by: PWM pins are analog, but not those of buttons (spec 03, 8.2)."""
    return ANALOG if place.holder.get("pwmMode") and json["type"] not in BUTTONS else place.kind


def _stored(bank: Bank, shown: set[tuple[int, int, int]]) -> list[Pin]:
    """What the pin store has of a target, ascending d, a, v and number."""
    pins = [p for p in bank.pins.values() if p.known and (bank.target, p.kind, p.number) not in shown]
    return sorted(pins, key=lambda p: (_ORDER[p.kind], p.number))


def _stored_frames(pin: Pin) -> list[bytes]:
    if pin.lines:
        return [write_body(pin.kind, pin.number, line) for line in pin.lines]
    return [] if pin.value is None else [write_body(pin.kind, pin.number, pin.value)]
