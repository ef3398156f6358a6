"""Commands 16 and 25: a board or an app asks for the state (spec 01, 5; 02, 9.4; 07)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status, parse_int32, parse_pin, split_first

from vpin_state import lookup
from vpin_state.appetite import MOST_ANSWERED
from vpin_state.errors import Refused
from vpin_state.pins import KINDS
from vpin_state.registry import APP, HARDWARE, handles
from vpin_state.values import SYNC_ID, app_sync, device_sync, device_sync_pin

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.session import Session


@handles(Command.HARDWARE_SYNC, HARDWARE)
def board_syncs(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """Empty: everything of this device; `vr·pin…`: these pins. Frames of command 20 with the request's id, no response.

    A word for no kind of pin is refused, one that does not read (`vw`, `v`) is ignored: spec 07, 5 decides over 01, 5.
    """
    device = session.device
    assert device is not None
    if not body:
        for value in device_sync(device, fx.now):
            fx.answer(Command.HARDWARE, value)
        return
    operation, *pins = body.split(b"\0")
    kind = KINDS.get(operation[0]) if operation else None
    if kind is None or not pins:
        raise Refused(Status.ILLEGAL_COMMAND)
    if operation[1:2] != b"r":
        return
    size = 0
    for pin in pins:  # what comes before a bad pin is answered: the refusal follows it
        for value in device_sync_pin(device, kind, parse_pin(pin), fx.now):
            fx.answer(Command.HARDWARE, value)
            size += len(value)
        if size > MOST_ANSWERED:
            break  # the connection ends here


@handles(Command.APP_SYNC, APP, also_shared=True)
def app_syncs(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash[-target]`: 200, then everything known, with id 1111."""
    raw_dash, dashed, raw_target = split_first(body, 2)[0].partition(b"-")
    dash = lookup.dash(session, raw_dash)
    target = parse_int32(raw_target) if dashed else None
    if session.shared and not dash.settings.get("isShared"):
        raise Refused(Status.NOT_ALLOWED)
    fx.reply(Status.OK)
    for command, value in app_sync(dash, fx.now, target):
        fx.send(session, command, SYNC_ID, value)
