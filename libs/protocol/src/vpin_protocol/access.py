"""What a client may send before it is logged in, as data (spec 01, section 1.3; spec 02, section 3)."""

from __future__ import annotations

from typing import NamedTuple

from vpin_protocol.commands import Command, Status
from vpin_protocol.framing import Framing

LONGEST = 0xFFFF
"""Bytes of body that a command before the log-in may have; a longer one closes the connection."""
LONGEST_OLD_LOGIN = 151
"""The same of an old board's log-in. An app's frame with a length over ten millions looks like a longer one of a board where
both share a port (the high half of its length is 152 or more): its connection has to be closed at once."""


class Admission(NamedTuple):
    """Handle it as ``command``; or, with a ``refusal``, answer that status and close the connection."""

    command: Command
    refusal: Status | None = None
    longest: int = LONGEST


BEFORE_LOGIN: dict[Framing, dict[int, Admission]] = {
    Framing.HARDWARE: {
        Command.HARDWARE_LOGIN: Admission(Command.HARDWARE_LOGIN),
        Command.LOGIN: Admission(Command.HARDWARE_LOGIN, longest=LONGEST_OLD_LOGIN),
    },
    Framing.APP: {
        Command.REGISTER: Admission(Command.REGISTER),
        Command.LOGIN: Admission(Command.LOGIN),
        Command.HARDWARE_LOGIN: Admission(Command.LOGIN),
        Command.SHARE_LOGIN: Admission(Command.SHARE_LOGIN),
        Command.GET_SERVER: Admission(Command.GET_SERVER),
        Command.RESET_PASSWORD: Admission(Command.RESET_PASSWORD),
    },
    Framing.WEB: {
        Command.LOGIN: Admission(Command.LOGIN),
        Command.GET_SERVER: Admission(Command.GET_SERVER),
        Command.REGISTER: Admission(Command.REGISTER, refusal=Status.NOT_ALLOWED),
    },
}
"""Any other command closes the connection without an answer."""
