"""What a client may send before it is logged in, as data (spec 01, section 1.3; spec 02, section 3)."""

from __future__ import annotations

from typing import NamedTuple

from vpin_protocol.commands import Command, Status
from vpin_protocol.framing import Framing


class Admission(NamedTuple):
    """Handle it as ``command``; or, with a ``refusal``, answer that status and close the connection."""

    command: Command
    refusal: Status | None = None


BEFORE_LOGIN: dict[Framing, dict[int, Admission]] = {
    Framing.HARDWARE: {
        Command.HARDWARE_LOGIN: Admission(Command.HARDWARE_LOGIN),
        Command.LOGIN: Admission(Command.HARDWARE_LOGIN),
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
