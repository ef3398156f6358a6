"""Commands 64 and 65 of boards: events of the device's template are logged and resolved (spec 01, 8.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status

from vpin_state import events
from vpin_state.errors import Refused
from vpin_state.questions import OpenEvents
from vpin_state.registry import HARDWARE, handles

if TYPE_CHECKING:
    from vpin_store.rows import EventRow

    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.session import Session

LONGEST_DESCRIPTION = 300


@handles(Command.LOG_EVENT, HARDWARE)
def log_event(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`code[·description]`: 200; 2 unknown code or text too long; 1 the 101st of a day, or twice in a second."""
    code, _, description = body.decode(errors="replace").partition("\0")
    if len(description) > LONGEST_DESCRIPTION:
        raise Refused(Status.ILLEGAL_COMMAND)
    if not events.log(fx, _device(session), code, description.replace("\0", " ")):
        raise Refused(Status.ILLEGAL_COMMAND)
    fx.after_commit()
    fx.reply(Status.OK)


@handles(Command.EVENT_CLEAR, HARDWARE)
def resolve_event(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`code`: the newest open event of that code is resolved, `code·all`: all of them; 200. Unknown code: 2."""
    device = _device(session)
    code, _, word = body.decode(errors="replace").partition("\0")
    if not events.defines(device, code):
        raise Refused(Status.ILLEGAL_COMMAND)

    def resolve(fx: Effects, committed: list[EventRow]) -> None:
        recent = [row for row in device.logged or () if row.code == code]
        found = {row.id: row for row in committed} | {row.id: row for row in recent}
        waiting = sorted((row for row in found.values() if not row.resolved_at), key=lambda row: row.id)
        for row in waiting if word == "all" else waiting[-1:]:
            events.resolve(fx, device, row)
        fx.reply(Status.OK)

    fx.ask(OpenEvents((device.dash.account.id, device.dash.id, device.id), code), resolve)


def _device(session: Session) -> Device:
    assert session.device is not None
    return session.device
