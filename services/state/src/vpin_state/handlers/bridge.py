"""Command 15: a board steers another board of the same account (spec 01, 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import BodyError, Command, Status, parse_pin, split_first

from vpin_state.actions import run_rules
from vpin_state.errors import Refused
from vpin_state.handlers.hardware import take_device_write
from vpin_state.pins import KINDS
from vpin_state.registry import HARDWARE, handles
from vpin_state.syncs import SYNC_ID, write_body

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.model import Account
    from vpin_state.session import Session

MOST_BRIDGES = 100
KEPT = "bridges"
"""Key in a device's body: {bridge pin: [dashboard, device]} as its connections have tied them, for the next owner."""
LONGEST_KEPT = 32
"""Bytes of a bridge pin that is kept: libraries use numbers."""


@handles(Command.BRIDGE, HARDWARE)
def bridge(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`pin·i…·token` ties a bridge pin to a device, anything else is sent to the device that the pin is tied to."""
    fields = split_first(body, 3)
    if len(fields) < 3:
        raise Refused(Status.ILLEGAL_COMMAND)
    if fields[1][:1] == b"i":
        _tie(fx, session, fields[0], fields[2])
    else:
        target = (session.bridges or {}).get(fields[0])
        if target is None or target.dash.devices.get(target.id) is not target:
            raise Refused(Status.NOT_ALLOWED)
        _send(fx, session, target, message_id, body[len(fields[0]) + 1 :])


def _tie(fx: Effects, session: Session, pin: bytes, token: bytes) -> None:
    device = _find_device(session.account, token.decode(errors="replace"))
    bridges = session.bridges or {}
    if device is None or (pin not in bridges and len(bridges) >= MOST_BRIDGES):
        raise Refused(Status.NOT_ALLOWED)
    session.bridges = {**bridges, pin: device}
    if session.device is not None and len(pin) <= LONGEST_KEPT:
        _keep(session.device, pin.decode("latin-1"), [device.dash.id, device.id])
    fx.reply(Status.OK)


def _keep(device: Device, pin: str, tied_to: list[int]) -> None:
    """Remember a tie for connections that outlive this owner; nothing is written for one that is made again."""
    kept: dict[str, list[int]] = device.body.get(KEPT) or {}
    if kept.get(pin) != tied_to:
        others = [(key, value) for key, value in kept.items() if key != pin]
        device.body[KEPT] = dict([*others, (pin, tied_to)][-MOST_BRIDGES:])
        device.changed()


def restore(session: Session, device: Device) -> None:
    """A connection of a board goes on with another owner: its board has tied its bridges and will not do it again."""
    kept: dict[str, list[int]] = device.body.get(KEPT) or {}
    dashboards = session.account.dashboards
    found = {
        pin.encode("latin-1"): dashboards[dash_id].devices.get(device_id)
        for pin, (dash_id, device_id) in kept.items()
        if dash_id in dashboards
    }
    session.bridges = {pin: target for pin, target in found.items() if target is not None}


def _find_device(account: Account, token: str) -> Device | None:
    devices = (device for dash in account.dashboards.values() for device in dash.devices.values())
    return next((device for device in devices if token and device.token == token), None)


def _send(fx: Effects, session: Session, device: Device, message_id: int, body: bytes) -> None:
    """To every other connection of the device as 15; a write also counts as the device's own."""
    others = [other for other in device.sessions if other is not session]
    for other in others:
        fx.send(other, Command.BRIDGE, message_id, body)
    if not others:
        fx.reply(Status.DEVICE_NOT_IN_NETWORK)
    if body[1:2] != b"w":
        return
    operation, _, rest = body.partition(b"\0")
    raw_pin, _, value = rest.partition(b"\0")
    kind = KINDS.get(operation[0]) if operation else None
    if kind is None or not value:
        raise BodyError("a write needs a pin and a value")
    number = parse_pin(raw_pin)
    taken = take_device_write(fx, device, kind, number, value)
    if taken is not None and taken is not value:  # cropped, or the fallback: the board would differ from the server
        fx.to_device(device, SYNC_ID, write_body(kind, number, taken))
    if taken is not None and device.dash.active:
        run_rules(fx, device.dash, device.id, kind, number, taken)
        stored = body if taken is value else write_body(kind, number, taken)
        fx.to_apps(device.dash, Command.HARDWARE, message_id, device.prefix + stored)
