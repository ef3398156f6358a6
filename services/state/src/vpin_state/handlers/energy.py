"""Energy: what widgets and reports are paid with (spec 02, 11.10)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vpin_protocol import Command, Status, parse_int32, split_first

from vpin_state.errors import Refused
from vpin_state.registry import APP, handles

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.session import Session

_FORGED = re.compile(rb"com\.blynk\.energy.*|.{19}\..{16}", re.DOTALL)
_MOST = (1 << 31) - 1


@handles(Command.GET_ENERGY, APP)
def get(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    fx.answer(Command.GET_ENERGY, b"%d" % session.account.row.energy)


@handles(Command.ADD_ENERGY, APP)
def add(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`amount·transactionId`: refused with 6 without an id, with one known to be forged, and for amounts ≤ 0."""
    fields = split_first(body, 2)
    if len(fields) < 2 or not fields[1] or _FORGED.fullmatch(fields[1]):
        raise Refused(Status.NOT_ALLOWED)
    amount = parse_int32(fields[0])
    if amount <= 0:
        raise Refused(Status.NOT_ALLOWED)
    account = session.account
    account.change(energy=min(account.row.energy + amount, _MOST))
    fx.reply(Status.OK)


@handles(Command.REDEEM, APP)
def redeem(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`code`: there are no codes to redeem here, so each is unknown."""
    raise Refused(Status.NOT_ALLOWED)
