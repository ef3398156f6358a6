"""Commands 64 and 65 of boards: events of the device's template are logged and resolved (spec 01, 8.3)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from vpin_protocol import Command, Status

from vpin_state import events
from vpin_state.errors import Refused
from vpin_state.questions import OpenEvents
from vpin_state.registry import HARDWARE, handles

if TYPE_CHECKING:
    from vpin_store.rows import EventRow

    from vpin_state.effects import Effects
    from vpin_state.model import Device
    from vpin_state.session import Session

LONGEST_DESCRIPTION = 300
A_DAY = 100
"""Events of a device a day; as many of the last ones are remembered."""
DAY_MS = 86_400_000
SAME_EVENT_MS = 1000


@handles(Command.LOG_EVENT, HARDWARE)
def log_event(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`code[·description]`: 200; 2 unknown code or text too long; 1 the 101st of a day, or twice in a second."""
    device = _device(session)
    code, _, description = body.decode(errors="replace").partition("\0")
    if not _defines(device, code) or len(description) > LONGEST_DESCRIPTION:
        raise Refused(Status.ILLEGAL_COMMAND)
    logged = device.logged = device.logged if device.logged is not None else deque(maxlen=A_DAY)
    if len(logged) == A_DAY and fx.now - logged[0].at < DAY_MS:
        raise Refused(Status.QUOTA_LIMIT)
    if any(row.code == code and fx.now - row.at < SAME_EVENT_MS for row in logged):
        raise Refused(Status.QUOTA_LIMIT)
    events.log(fx, device, code, description.replace("\0", " "))
    logged.append(device.dash.account.dirty.events[-1])
    fx.reply(Status.OK)


@handles(Command.EVENT_CLEAR, HARDWARE)
def resolve_event(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`code`: the newest open event of that code is resolved, `code·all`: all of them; 200. Unknown code: 2."""
    device = _device(session)
    code, _, word = body.decode(errors="replace").partition("\0")
    if not _defines(device, code):
        raise Refused(Status.ILLEGAL_COMMAND)

    def resolve(fx: Effects, committed: list[EventRow]) -> None:
        recent = [row for row in device.logged or () if row.code == code]
        found = {row.id: row for row in committed} | {row.id: row for row in recent}
        waiting = sorted((row for row in found.values() if not row.resolved_at), key=lambda row: row.id)
        for row in waiting if word == "all" else waiting[-1:]:
            _store(device, row._replace(resolved_at=fx.now))
        fx.reply(Status.OK)

    fx.ask(OpenEvents((device.dash.account.id, device.dash.id, device.id), code), resolve)


def _store(device: Device, row: EventRow) -> None:
    """Commit a resolved event; one that is not committed yet is committed once, as resolved."""
    waiting = device.dash.account.mark().events
    waiting[:] = [*(other for other in waiting if other[:4] != row[:4]), row]
    if device.logged is not None:
        device.logged = deque((row if other.id == row.id else other for other in device.logged), maxlen=A_DAY)


def _device(session: Session) -> Device:
    assert session.device is not None
    return session.device


def _defines(device: Device, code: str) -> bool:
    """Whether the device has a template, and that an event of this code."""
    template = device.dash.account.templates.get(device.template_id)
    return template is not None and code in template.body.get("events", {})
