"""Operations of the HTTP pin API (spec 04, 1.3, 1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from vpin_messages.requests import PinReply
from vpin_protocol import Command

from vpin_state import datastreams
from vpin_state.registry import operation
from vpin_state.routes import route
from vpin_state.values import http_values, message_after_write, store

if TYPE_CHECKING:
    from vpin_messages.requests import PinRequest

    from vpin_state.effects import Effects
    from vpin_state.model import Device

HTTP_ID = 111

_json = msgspec.json.Encoder().encode


@operation("get")
def get(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """The value of a pin as a list of texts."""
    values = http_values(device, ord(request.pin_type), request.pin)
    if values is None:
        return PinReply(400, b"Requested pin doesn't exist in the app.")
    return PinReply(200, _json([value.decode(errors="replace") for value in values]))


@operation("update")
def update(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """Write a pin: to the board and the apps with id 111; the reply waits for the commit."""
    kind, number = ord(request.pin_type), request.pin
    streams = datastreams.of(device)
    if streams is not None and datastreams.find(streams, kind, number) is None:
        return PinReply(400, b"No datastream setup for that pin.")
    value = datastreams.admitted(device, kind, number, "\0".join(request.values).encode(errors="surrogatepass"))
    if value is None:
        return PinReply(400, b"Value doesn't match the Datastream data type.")
    store(fx, device.bank, kind, number, value)
    device.data_received_at = fx.now
    device.dash.updated_at = fx.now
    body = message_after_write(device, kind, number, route(device.bank, kind, number))
    fx.to_device(device, HTTP_ID, body)
    if device.dash.active:
        fx.to_apps(device.dash, Command.HARDWARE, HTTP_ID, device.prefix + body)
    fx.after_commit()
    return PinReply(200)


@operation("isHardwareConnected")
def is_hardware_connected(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    return PinReply(200, _json(device.online))


@operation("isAppConnected")
def is_app_connected(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    return PinReply(200, _json(device.dash.active and bool(device.dash.account.apps)))
