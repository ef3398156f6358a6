"""Command 19: properties of widgets, from boards by pin and from apps by widget (spec 01, 7; 02, 8; 03, 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status, parse_int64, parse_pin, split_all, split_first

from vpin_state import datastreams, lookup, settling
from vpin_state.errors import Refused
from vpin_state.kinds import PROPERTIES
from vpin_state.pins import VIRTUAL
from vpin_state.properties import set_on_pin, with_property
from vpin_state.registry import APP, HARDWARE, handles

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.session import Session


LONGEST_NAME = 64
"""Characters of a name that a board made up: it is part of a key of the database, which has a limit."""
MOST_NAMES = 100
"""Properties with names of its own that a board may have, on all pins together."""


@handles(Command.SET_PROPERTY, HARDWARE)
def board_sets(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`pin·property·value…` → 200, and the apps are told. The template generation may use names of its own."""
    device = session.device
    assert device is not None
    fields = split_first(body, 3)
    if len(fields) < 3 or not fields[1] or not fields[2]:
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    name = fields[1].decode(errors="replace")
    if name not in PROPERTIES and (datastreams.of(device) is None or len(name) > LONGEST_NAME):
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    if not device.dash.active:
        return
    number = parse_pin(fields[0])
    if name in PROPERTIES:
        set_on_pin(device, number, name, fields[2])
    else:
        _set_own(device, number, name, fields[2])
    device.dash.updated_at = fx.now
    fx.reply(Status.OK)
    fx.to_apps(device.dash, Command.SET_PROPERTY, message_id, device.prefix + body)


def _set_own(device: Device, number: int, name: str, value: bytes) -> None:
    """Keep a property whose name the board made up; one too many: Refused(11)."""
    kept = device.bank.properties
    if (VIRTUAL, number, name) not in kept and sum(key[2] not in PROPERTIES for key in kept) >= MOST_NAMES:
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    device.bank.set_property(VIRTUAL, number, name, value)


@handles(Command.SET_PROPERTY, APP)
def app_sets(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·widget·property·value` → 200; nobody else is told."""
    fields = split_all(body)
    if len(fields) != 4 or not all(fields):
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    dash = lookup.dash(session, fields[0])
    name = fields[2].decode(errors="replace")
    if name not in PROPERTIES:
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    widget, template, json = lookup.widget_anywhere(dash, parse_int64(fields[1]))
    changed = with_property(json, name, fields[3])
    if changed is None:
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    if template is None:
        widget.json = changed
        widget.changed()
    else:
        settling.set_inner(widget, template, [changed if w is json else w for w in template["widgets"]])
    dash.updated_at = fx.now
    fx.reply(Status.OK)
