"""The reset of a password (81), as far as it is the owner's: the entry has read and checked the message (spec 02, 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from vpin_messages import jobs
from vpin_messages.jobs import LAST_ATTEMPT, Answer
from vpin_protocol import Status

from vpin_state.errors import Refused
from vpin_state.registry import task

if TYPE_CHECKING:
    from vpin_state.effects import Connection, Effects
    from vpin_state.model import Account

RESET_MS = 45 * 60 * 1000


@task("reset.start")
def start(fx: Effects, account: Account, connection: Connection, fields: list[bytes]) -> None:
    """[token, mail job]: keep the token and send the mail with it; 200 once the mail server has it, else 19 and no token.

    A token is pending: 6.
    """
    token, mail = fields[0].decode(), jobs.decode(fields[1])
    for old, expires_at in list(account.resets.items()):
        if expires_at <= fx.now:
            account.drop_reset(old)
    if account.resets:
        raise Refused(Status.NOT_ALLOWED)
    account.set_reset(token, fx.now + RESET_MS)

    def delivered(fx: Effects, status: int) -> None:
        if status != Status.OK and token in account.resets:
            account.drop_reset(token)
        fx.tell(connection, status)

    gateway, number, message_id = connection
    answer = Answer(account.shard, gateway, number, message_id, Status.OK, Status.SERVER_ERROR)
    fx.notify(
        msgspec.structs.replace(mail, account=account.id, answer=answer, attempt=LAST_ATTEMPT, created_at=fx.now / 1000)
    )
    fx.when_delivered(connection, delivered)


@task("reset.done")
def done(fx: Effects, account: Account, connection: Connection, fields: list[bytes]) -> None:
    """[token, mail job]: the password is changed: the token is used up, the user is told by mail."""
    token, mail = fields[0].decode(), jobs.decode(fields[1])
    if account.resets.get(token, 0) <= fx.now:
        raise Refused(Status.NOT_ALLOWED)
    account.drop_reset(token)
    fx.notify(msgspec.structs.replace(mail, account=account.id, created_at=fx.now / 1000))
    fx.tell(connection, Status.OK)
