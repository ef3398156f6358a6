"""Operations of the HTTP pin API (spec 04, 1.3, 1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from vpin_messages.requests import PinReply
from vpin_protocol import Command

from vpin_state import confirmations, datastreams
from vpin_state.actions import run_rules
from vpin_state.errors import Refused
from vpin_state.properties import set_on_widgets, widgets_on
from vpin_state.registry import operation
from vpin_state.routes import route
from vpin_state.syncs import write_body
from vpin_state.values import http_values, message_after_write, store

if TYPE_CHECKING:
    from vpin_messages.requests import PinRequest

    from vpin_state.device import Device
    from vpin_state.effects import Effects

HTTP_ID = 111
OK = PinReply(200)
NO_DATASTREAM = PinReply(400, b"No datastream setup for that pin.")
WRONG_TYPE = PinReply(400, b"Value doesn't match the Datastream data type.")
NOT_ACTIVE = PinReply(400, b"Project is not active.")
NO_WIDGET = PinReply(400, b"No widget for SetWidgetProperty command.")
WRONG_PROPERTY = PinReply(400, b"Error setting widget property.")

_json = msgspec.json.Encoder().encode
_decode_points = msgspec.json.Decoder(list[tuple[int, str]]).decode


@operation("get")
def get(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """The value of a pin as a list of texts."""
    values = http_values(device, ord(request.pin_type), request.pin, fx.now)
    if values is None:
        return PinReply(400, b"Requested pin doesn't exist in the app.")
    return PinReply(200, _json([value.decode(errors="replace") for value in values]))


@operation("update")
def update(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """Write a pin: to the board and the apps with id 111; the reply waits for the commit."""
    kind, number = ord(request.pin_type), request.pin
    value = admit(device, kind, number, request.values)
    if isinstance(value, PinReply):
        return value
    device.data_received_at = fx.now
    return write(fx, device, kind, number, value)


@operation("extra")
def extra(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """Points of history have come, as JSON ([ms, text]) and the first of them as `values`: the present value (spec 04, 1.4)."""
    kind, number = ord(request.pin_type), request.pin
    value = admit(device, kind, number, request.values)
    if isinstance(value, PinReply):
        return value
    answer = write(fx, device, kind, number, value, is_history=True)
    record_points(device, kind, number, _decode_points(request.payload or b"[]"))
    return answer


def admit(device: Device, kind: int, number: int, values: list[str]) -> bytes | PinReply:
    """The value that a write of these parts stores, or the refusal (spec 07, 3.3)."""
    streams = datastreams.of(device)
    if streams is not None and datastreams.find(streams, kind, number) is None:
        return NO_DATASTREAM
    value = datastreams.admitted(device, kind, number, "\0".join(values).encode(errors="surrogatepass"))
    return WRONG_TYPE if value is None else value


def write(fx: Effects, device: Device, kind: int, number: int, value: bytes, *, is_history: bool = False) -> PinReply:
    """Store an admitted value, run the pin's rules, tell board and apps with id 111; the reply waits for the commit.

    `is_history`: of points of history no rule hears, and they are recorded with the times that they have.
    Where the datastream waits for a confirmation, the value only goes to the board (spec 07, 3.4).
    """
    if datastreams.confirmation_ms(device, kind, number):
        taken = fx.to_device(device, HTTP_ID, write_body(kind, number, value))
        confirmations.hold(fx, device, kind, number, taken=taken)
        return OK
    store(fx, device.bank, kind, number, value)
    found = route(device.bank, kind, number)
    if not is_history:
        if found.recorder is not None:
            found.recorder.record(value, fx.now)
        run_rules(fx, device.dash, device.id, kind, number, value)
    body = message_after_write(device, kind, number, found)
    fx.to_device(device, HTTP_ID, body)
    if device.dash.active:
        fx.to_apps(device.dash, Command.HARDWARE, HTTP_ID, device.prefix + body)
    fx.after_commit()
    return OK


def record_points(device: Device, kind: int, number: int, points: list[tuple[int, str]]) -> None:
    """Record what a board or integration has kept, (ms, text). Others than numbers are left out."""
    recorder = route(device.bank, kind, number).recorder
    if recorder is None:
        return
    for at, text in points:
        value = datastreams.admitted(device, kind, number, text.encode(errors="surrogatepass"))
        if value is not None:
            recorder.record(value, at)


@operation("property")
def set_property(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """Change the widgets on a pin (`pin` -1: none is); the apps are told with id 111 (spec 04, 1.4)."""
    if not device.dash.active:
        return NOT_ACTIVE
    widgets = widgets_on(device, ord(request.pin_type), request.pin)
    if not widgets:
        return NO_WIDGET
    value = "\0".join(request.values).encode(errors="surrogatepass")
    try:
        taken = set_on_widgets(widgets, request.name, value)
    except Refused:
        return WRONG_PROPERTY
    if not taken:
        return WRONG_PROPERTY
    device.dash.updated_at = fx.now
    tell_property(fx, device, request.pin, request.name, value)
    return OK


def tell_property(fx: Effects, device: Device, number: int, name: str, value: bytes) -> None:
    """`dash-device·pin·name·value` to the apps."""
    body = b"%s%d\0%s\0%s" % (device.prefix, number, name.encode(), value)
    fx.to_apps(device.dash, Command.SET_PROPERTY, HTTP_ID, body)


@operation("isHardwareConnected")
def is_hardware_connected(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    return PinReply(200, _json(device.online))


@operation("isAppConnected")
def is_app_connected(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    return PinReply(200, _json(device.dash.active and bool(device.dash.account.apps)))
