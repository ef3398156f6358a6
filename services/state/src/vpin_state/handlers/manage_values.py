"""Values of devices by the management API (spec 08, 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from vpin_messages.requests import PinReply

from vpin_state import datastreams, typed_values
from vpin_state.errors import Declined
from vpin_state.handlers.manage_devices import device_of
from vpin_state.handlers.pins import NO_DATASTREAM, admit, write
from vpin_state.numbering import number_writes
from vpin_state.origins import NAMES, origin_of
from vpin_state.registry import account_operation

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.model import Account, JsonObject

NO_PIN = "The device has no such pin."
_json = msgspec.json.Encoder().encode


@account_operation("listValues")
def list_all(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """All pins that have something to read."""
    device = device_of(account, a["id"])
    number_writes(account)
    return PinReply(200, _json([_item(device, *pin, fx.now) for pin in typed_values.known_pins(device, fx.now)]))


@account_operation("getValue")
def get(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """`pin` is [letter, number]; 404 for one with neither datastream nor value."""
    number_writes(account)
    device, kind, number = _pin(account, a)
    if typed_values.read(device, kind, number, fx.now) is None:
        raise Declined(404, NO_PIN)
    return PinReply(200, _json(_item(device, kind, number, fx.now)))


@account_operation("putValues")
def put(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """`values`: [letter, number, parts] each; all are stored, or none."""
    device = device_of(account, a["id"])
    admitted: list[tuple[int, int, bytes]] = []
    for letter, number, parts in a["values"]:
        value = admit(device, ord(letter), number, parts)
        if value == NO_DATASTREAM:
            raise Declined(404, NO_PIN)
        if isinstance(value, PinReply):
            raise Declined(422, value.body.decode(), loc=f"{letter.upper()}{number}")
        admitted.append((ord(letter), number, value))
    for kind, number, value in admitted:
        write(fx, device, kind, number, value)
    return PinReply(204)


@account_operation("deleteValue")
def delete(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """The pin becomes never written."""
    device, kind, number = _pin(account, a)
    pin = device.bank.pins.get((kind, number))
    if pin is None or not pin.known:
        raise Declined(404, NO_PIN)
    pin.erase()
    return PinReply(204)


def _pin(account: Account, a: dict[str, Any]) -> tuple[Device, int, int]:
    letter, number = a["pin"]
    return device_of(account, a["id"]), ord(letter), number


def _item(device: Device, kind: int, number: int, now: int) -> JsonObject:
    """One value; its name is the datastream's. One that is out of date has no time: it counts as never written."""
    name = f"{kind:c}{number}".upper()
    stream = typed_values.stream_of(device, kind, number)
    pin = device.bank.pins.get((kind, number))
    stored = pin is not None and pin.known and (stream is None or not datastreams.is_outdated(stream, pin, now))
    is_default = not stored and stream is not None and datastreams.current(stream, pin, now) is not None
    return {
        "pin": name,
        "name": (stream["name"] if stream else None) or name,
        "value": typed_values.to_json(stream, typed_values.read(device, kind, number, now) or []),
        "updatedAt": int(pin.updated_at) if pin is not None and stored else 0,
        "source": NAMES[origin_of(pin.updated_at)] if pin is not None and stored else "default" if is_default else None,
        "seq": pin.seq if pin is not None else 0,
    }
