"""Operations of the Blynk IoT HTTPS API (spec 04, part 2). `payload` is a JSON object; refusals are texts with status 400."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from vpin_messages.requests import PinReply

from vpin_state import datastreams, events, templates, typed_values
from vpin_state.errors import Refused
from vpin_state.handlers.internal import DEVICE_NAME, INFO_KEYS, tell_meta
from vpin_state.handlers.pins import NO_DATASTREAM, OK, WRONG_TYPE, admit, record_points, tell_property, write
from vpin_state.pins import KIND_OF_NAME
from vpin_state.properties import set_on_pin
from vpin_state.registry import operation

if TYPE_CHECKING:
    from vpin_messages.requests import PinRequest

    from vpin_state.device import Device
    from vpin_state.effects import Effects

MONTH_MS = 31 * 24 * 3600 * 1000
TOO_MANY = PinReply(429, b"Too many requests.")
NO_META = PinReply(400, b"MetaField doesn't exist.")

_json = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, Any]).decode

Pin = tuple[int, int]


@operation("iotGet")
def get(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """`pins` ([letter, number]) and `ids` of datastreams → a list of [name, bare text or null, JSON value]."""
    found: list[tuple[str, str | None, Any]] = []
    for kind, number in _pins(device, _object(request.payload)):
        parts = None if kind < 0 else typed_values.read(device, kind, number, fx.now)
        if kind < 0 or (parts is None and datastreams.of(device) is not None):
            return _no_datastream(device)
        stream = typed_values.stream_of(device, kind, number)
        value = typed_values.to_json(stream, parts or [])
        text = _bare(stream, parts[0].decode(errors="replace")) if parts and len(parts) == 1 else None
        found.append((f"{kind:c}{number}", text, value))
    return PinReply(200, _json(found))


def _bare(stream: dict[str, Any] | None, text: str) -> str:
    """A number with the decimals of its datastream, anything else as it was written."""
    decimals = stream.get("decimals") if stream and stream["valueType"] == "DOUBLE" else None
    return text if decimals is None else f"{float(text):.{decimals}f}"


def _no_datastream(device: Device) -> PinReply:
    template = device.dash.account.templates.get(device.template_id)
    name = template.name if template else device.dash.settings.get("name", "")
    return PinReply(400, f"Requested dataStream doesn't exist in the product {name}".encode(errors="replace"))


def _pins(device: Device, a: dict[str, Any]) -> list[Pin]:
    """(kind, number) of all that is named; (-1, -1) for an id that no datastream has."""
    streams = {s["id"]: (KIND_OF_NAME[s["pinType"]], s["pin"]) for s in datastreams.of(device) or ()}
    named = [(ord(letter), number) for letter, number in a.get("pins", ())]
    return named + [streams.get(number, (-1, -1)) for number in a.get("ids", ())]


@operation("iotStreams")
def streams(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """[kind, number, name] of the datastreams that `pins` and `ids` name, without any of all; null: there are none defined."""
    defined = datastreams.of(device)
    pins = _pins(device, _object(request.payload))
    if not pins:
        if defined is None:
            return PinReply(200, b"null")
        pins = [(KIND_OF_NAME[stream["pinType"]], stream["pin"]) for stream in defined]
    found: list[tuple[int, int, str]] = []
    for kind, number in pins:
        stream = None if kind < 0 else typed_values.stream_of(device, kind, number)
        if kind < 0 or (stream is None and defined is not None):
            return _no_datastream(device)
        found.append((kind, number, (stream or {}).get("name", "")))
    return PinReply(200, _json(found))


@operation("iotGetAll")
def get_all(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """Every pin that has a value."""
    found = {
        f"{kind:c}{number}": typed_values.to_json(
            typed_values.stream_of(device, kind, number), typed_values.read(device, kind, number, fx.now) or []
        )
        for kind, number in typed_values.known_pins(device, fx.now)
    }
    return PinReply(200, _json(found))


@operation("iotUpdate")
def update(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """`pins`, `ids`, and their `values` (lists of parts) in the same order: all are written, or none."""
    a = _object(request.payload)
    admitted: list[tuple[int, int, bytes]] = []
    for (kind, number), parts in zip(_pins(device, a), a["values"], strict=True):
        value = NO_DATASTREAM if kind < 0 else admit(device, kind, number, parts)
        if isinstance(value, PinReply):
            return value
        admitted.append((kind, number, value))
    for kind, number, value in admitted:
        write(fx, device, kind, number, value)
    device.data_received_at = fx.now
    return OK


@operation("iotPoints")
def points(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """`points` ([ms, parts]) of one of `pins`: the newest is the present value, if it is newer than that."""
    a = _object(request.payload)
    ((kind, number),) = _pins(device, a)
    newest: tuple[int, bytes] | None = None
    taken: list[tuple[int, str]] = []
    for at, parts in a["points"]:
        value = admit(device, kind, number, parts)
        if isinstance(value, PinReply):
            return value
        if abs(at - fx.now) <= MONTH_MS:
            taken.append((at, "\0".join(parts)))
            if newest is None or at >= newest[0]:
                newest = (at, value)
    record_points(device, kind, number, taken)
    fx.after_commit()
    pin = device.bank.pins.get((kind, number))
    if newest is not None and (pin is None or newest[0] > pin.updated_at):
        return write(fx, device, kind, number, newest[1], is_history=True)
    return OK


@operation("iotProperty")
def set_properties(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """`properties` ([name, values]) of a virtual pin: kept, whether a widget shows it or not; the apps are told."""
    for name, values in _object(request.payload)["properties"]:
        value = "\0".join(values).encode(errors="surrogatepass")
        try:
            set_on_pin(device, request.pin, name, value)
        except Refused:
            return WRONG_TYPE
        device.dash.updated_at = fx.now
        if device.dash.active:
            tell_property(fx, device, request.pin, name, value)
    return OK


@operation("iotEvent")
def log_event(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """The event whose code is `name`, with the description in `values`."""
    try:
        if events.log(fx, device, request.name, request.values[0]):
            fx.after_commit()
            return OK
    except Refused:
        return TOO_MANY
    return PinReply(400, b"Can't find Event with this code in Product template")


@operation("iotMeta")
def meta(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """The metadata field of that `name`, or else of the number in `pin` (from 1; 1 is the device's name)."""
    metadata: dict[str, str] = device.body.get("metadata") or {}
    name = _meta_name(metadata, request)
    if name is None:
        return NO_META
    value = device.name or "" if name == DEVICE_NAME else metadata[name]
    return PinReply(200, _json({"type": DEVICE_NAME if name == DEVICE_NAME else "Text", "value": value}))


@operation("iotSetMeta")
def set_meta(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """The same field becomes `values`; a board is told of it as it would ask for it."""
    metadata: dict[str, str] = device.body.get("metadata") or {}
    name, value = _meta_name(metadata, request), request.values[0]
    if name is None:
        return NO_META
    if name == DEVICE_NAME:
        if not 0 < len(value) <= 50:
            return PinReply(400, b"Wrong value")
        device.name = value
    else:
        device.body["metadata"] = metadata | {name: value}
    device.changed()
    tell_meta(fx, device, name, value)
    return OK


def _meta_name(metadata: dict[str, str], request: PinRequest) -> str | None:
    names = [DEVICE_NAME, *metadata]
    if request.name:
        return request.name if request.name in names else None
    return names[request.pin - 1] if 1 <= request.pin <= len(names) else None


@operation("iotProvision")
def provision(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """A fresh device joins the template `name`, and tells of its firmware; one that has a template keeps that."""
    if request.name not in device.dash.account.templates:
        return PinReply(400, b"Request with incorrect parameters")
    told: dict[str, str] = _object(request.payload)
    info = dict(device.body.get("hardwareInfo") or {})
    for word, key in _FIRMWARE.items():
        if told.get(word):
            info[key] = told[word]
    device.body["hardwareInfo"] = info | {"templateId": request.name}
    device.tell_buffer()
    device.changed()
    templates.attach_itself(device, request.name)
    return OK


_FIRMWARE = {
    "build": INFO_KEYS["build"],
    "ver": INFO_KEYS["fw"],
    "fwType": INFO_KEYS["fw-type"],
    "blVer": INFO_KEYS["ver"],
    "boType": INFO_KEYS["dev"],
}
