"""Command 20, the writes of boards and apps, and 65, what an app heard from a board by Bluetooth (spec 01, 4; 02, 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_messages.slab import SETTLE
from vpin_protocol import BodyError, Command, Status, parse_int32, parse_pin, parse_target, split_first

from vpin_state import confirmations, datastreams, lookup
from vpin_state.actions import run_rules
from vpin_state.errors import Refused
from vpin_state.pins import FIRST_SELECTOR, FIRST_TAG, KINDS
from vpin_state.registry import APP, HARDWARE, handles
from vpin_state.routes import route
from vpin_state.syncs import write_body
from vpin_state.values import SYNC_ID, app_sync, select_device, store

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard
    from vpin_state.pins import Bank
    from vpin_state.session import Session

SHORTEST_WRITE = 4
SHORTEST_RESEND = 8
LONGEST_STAMP = 15
"""Digits of a group's time stamp in ms: more are no time."""
FAST_SPELLINGS = 1024
"""Spellings of pins (`5`, `05`, …) that a bank remembers for the fast way: a board that sends ever new ones stays slow."""
FAST_ROUTES = 65_536
"""The same for an account's app writes."""
LONGEST_SPELLING = 48
"""Bytes of what is remembered: a pin may be spelled with any number of zeros in front."""


@handles(Command.HARDWARE, HARDWARE)
def board_writes(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`vw·pin·value…`: store, tell the apps. Nothing is answered on success (spec 01, 4.2)."""
    device = session.device
    assert device is not None
    if len(body) < SHORTEST_WRITE:
        raise Refused(Status.ILLEGAL_COMMAND)
    if body[1:2] != b"w":
        if session.mqtt:
            _forward_read(fx, device, message_id, body)
        return
    kind, number, value = _parse_write(body)
    taken = take_device_write(fx, device, kind, number, value, at=session.group_time)
    if taken is None:
        if session.mqtt:
            raise Refused(Status.ILLEGAL_COMMAND)
        return
    if taken is not value:  # cropped, or the fallback: the board would differ from the server
        body = write_body(kind, number, taken)
        fx.to_device(device, SYNC_ID, body)
    if not session.mqtt:  # spec 05, 2.2.3
        run_rules(fx, device.dash, device.id, kind, number, taken)
    if device.dash.active:
        fx.to_apps(device.dash, Command.HARDWARE, message_id, device.prefix + body)
    spelling = body[: body.find(0, 3)] if body[2:3] == b"\0" else b""
    if 0 < len(spelling) <= LONGEST_SPELLING and len(device.bank.fast) < FAST_SPELLINGS:
        found = route(device.bank, kind, number)
        if found.fast:
            device.bank.fast[spelling] = found.recorder or device.bank.pin(kind, number)


def _forward_read(fx: Effects, device: Device, message_id: int, body: bytes) -> None:
    """`xr·pin` by MQTT is told the apps and changes nothing (spec 01, 9); others are dropped."""
    operation, _, rest = body.partition(b"\0")
    if operation[1:] != b"r":
        return
    _kind(operation)
    parse_pin(rest.partition(b"\0")[0])
    if device.dash.active:
        fx.to_apps(device.dash, Command.HARDWARE, message_id, device.prefix + body)


@handles(SETTLE, HARDWARE)
def settle(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """A gateway wants to know when all that its client did before this is committed."""
    fx.reply(Status.OK)
    fx.after_commit()


def take_device_write(
    fx: Effects, device: Device, kind: int, number: int, value: bytes, *, at: int = 0
) -> bytes | None:
    """A board has written: store it, and remember when data came. What was stored; None where its datastreams refuse it.

    `at`: the moment (ms) under which history keeps it; 0: now.
    """
    device.data_received_at = fx.now
    admitted = datastreams.admitted(device, kind, number, value)
    if admitted is not None:
        confirmations.end(device.bank, kind, number)
        store(fx, device.bank, kind, number, admitted)
        if (recorder := route(device.bank, kind, number).recorder) is not None:
            recorder.record(admitted, at or fx.now)
    return admitted


@handles(Command.GROUP, HARDWARE)
def group(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`b` or `t·epoch-ms` opens a group whose writes share one moment, `e` closes it; never answered (spec 01, 10.1)."""
    word, _, stamp = body.partition(b"\0")
    if word == b"b":
        session.group_time = fx.now
    elif word == b"t":
        session.group_time = min(parse_stamp(stamp) or fx.now, fx.now)
    elif word == b"e":
        session.group_time = 0
    if session.device is not None:
        session.device.bank.moment = session.group_time


def parse_stamp(text: bytes) -> int:
    """Milliseconds since 1970 as a board tells them; 0 where they are none."""
    return int(text) if len(text) <= LONGEST_STAMP and text.isdigit() else 0


def _parse_write(body: bytes) -> tuple[int, int, bytes]:
    """(kind, pin, value) of `xw·pin·value`; BodyError where it is malformed, its value is empty or missing."""
    fields = split_first(body, 3)
    if len(fields) < 3 or not fields[2]:
        raise BodyError("a write needs a pin and a value")
    return _kind(fields[0]), parse_pin(fields[1]), fields[2]


def _kind(operation: bytes) -> int:
    kind = KINDS.get(operation[0]) if operation else None
    if kind is None:
        raise BodyError("pins are v, d or a")
    return kind


@handles(Command.HARDWARE, APP, also_shared=True)
def app_writes(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash[-target]·op·pin·value…`; see spec 02, 9.1 for the order of the checks."""
    prefix, found, operation = body.partition(b"\0")
    dash_id, target = parse_target(prefix)
    dash = lookup.dash_of(session, dash_id)
    if not found:
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    if session.shared and not dash.settings.get("isShared"):
        raise Refused(Status.NOT_ALLOWED)
    if not dash.active:
        return
    if operation[1:2] == b"u":
        _select(fx, session, dash, message_id, body, operation)
        return
    if operation[1:2] != b"w":
        return
    devices = lookup.devices_of(dash, target)
    if not devices:
        return
    fields = split_first(operation, 3)
    if len(fields) < 3:
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    kind, number = _kind(fields[0]), parse_pin(fields[1])
    value = fields[2]
    for device in devices:
        admitted = datastreams.admitted(device, kind, number, value)
        if admitted is None:
            raise Refused(Status.ILLEGAL_COMMAND_BODY)
        if admitted is not value:
            value = admitted
            operation = write_body(kind, number, value)
            body = prefix + b"\0" + operation
    waiting = [device for device in devices if datastreams.confirmation_ms(device, kind, number)]
    banks = [device.bank for device in devices if device not in waiting]
    if banks:
        if FIRST_TAG <= target < FIRST_SELECTOR:
            banks.append(dash.bank(target))
        for bank in banks:
            store(fx, bank, kind, number, value)
        fx.to_apps(dash, Command.APP_SYNC, message_id, body, but=session)
    taken = [fx.to_device(device, message_id, operation) for device in devices]
    if not any(taken) and not dash.settings.get("isNotificationsOff"):
        fx.reply(Status.DEVICE_NOT_IN_NETWORK)
    for device in waiting:
        confirmations.hold(fx, device, kind, number, taken=taken[devices.index(device)])
    if banks:
        run_rules(fx, dash, target, kind, number, value)
        _remember_route(session, devices, target, len(prefix), body, banks[0], kind, number)


def _remember_route(
    session: Session, devices: list[Device], target: int, prefix: int, body: bytes, bank: Bank, kind: int, number: int
) -> None:
    """Let the fast way do the next write like this one, where it is to one device and its pin just takes the value."""
    routes = session.account.routes
    simple = target < FIRST_TAG and not session.shared and body[prefix + 3 : prefix + 4] == b"\0"
    spelling = body[: body.find(0, prefix + 4)]
    if simple and len(spelling) <= LONGEST_SPELLING and len(routes) < FAST_ROUTES and route(bank, kind, number).fast:
        routes[spelling] = (bank.pin(kind, number), devices[0])


def _select(fx: Effects, session: Session, dash: Dashboard, message_id: int, body: bytes, operation: bytes) -> None:
    """`vu·selector·device`: show another of its devices in a selector (spec 02, 9.3; 03, 16.18)."""
    fields = split_first(operation, 3)
    if len(fields) < 3:
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    widget = lookup.widget(dash, fields[1])
    if widget.type != "DEVICE_SELECTOR":
        raise Refused(Status.ILLEGAL_COMMAND)
    device = lookup.device(dash, fields[2], unknown=Status.ILLEGAL_COMMAND)
    if device.id not in widget.json.get("deviceIds", ()):
        raise Refused(Status.ILLEGAL_COMMAND)
    select_device(widget, device.id)
    fx.reply(Status.OK)
    values = app_sync(dash, fx.now, device.id)
    for app in dash.account.apps:
        if app is not session and app.hears(dash):
            fx.send(app, Command.APP_SYNC, message_id, body)
        elif app is not session:
            continue
        for command, value in values:
            fx.send(app, command, SYNC_ID, value)


@handles(Command.BLUETOOTH_RESEND, APP)
def bluetooth_resend(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash-device·vw·pin·value`: as if the board had written it, but nobody is told (spec 02, 9.5)."""
    if len(body) < SHORTEST_RESEND:
        raise Refused(Status.ILLEGAL_COMMAND)
    prefix, _, operation = body.partition(b"\0")
    dash_id, dashed, device_id = prefix.partition(b"-")
    if not dashed:
        raise Refused(Status.ILLEGAL_COMMAND)
    dash = lookup.dash(session, dash_id)
    device = dash.devices.get(parse_int32(device_id))
    if device is None or operation[1:2] != b"w":
        return
    kind, number, value = _parse_write(operation)
    taken = take_device_write(fx, device, kind, number, value)
    if taken is not None:
        run_rules(fx, dash, device.id, kind, number, taken)
