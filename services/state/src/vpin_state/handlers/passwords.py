"""The reset of a password (81, and the pages for it), as far as it is the owner's (spec 02, 3.5; 04, 1.10).

What was sent has been read and checked by the entry, or by the api.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from vpin_messages import jobs
from vpin_messages.jobs import LAST_ATTEMPT, Answer
from vpin_protocol import Status

from vpin_state.errors import Refused
from vpin_state.questions import SetPassword
from vpin_state.registry import task

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpin_messages.jobs import Job

    from vpin_state.effects import Connection, Effects
    from vpin_state.model import Account

RESET_MS = 45 * 60 * 1000


def keep_token(fx: Effects, account: Account, token: str) -> bool:
    """Let whoever has the token set the password for 45 minutes; False, with nothing done, while another one is pending."""
    for old, expires_at in list(account.resets.items()):
        if expires_at <= fx.now:
            account.drop_reset(old)
    if account.resets:
        return False
    account.set_reset(token, fx.now + RESET_MS)
    return True


def mail_token(
    fx: Effects,
    account: Account,
    token: str,
    mail: Job,
    connection: Connection,
    then: Callable[[Effects, int], None] = lambda fx, status: None,
) -> None:
    """Send the mail with a token that is kept, once, in the name of a connection; go on with 200 or 19.

    A token whose mail has failed is kept no longer: who asked may ask again at once.
    """

    def delivered(fx: Effects, status: int) -> None:
        if status != Status.OK and token in account.resets:
            account.drop_reset(token)
        then(fx, status)

    gateway, number, message_id = connection
    answer = Answer(account.shard, gateway, number, message_id, Status.OK, Status.SERVER_ERROR)
    fx.notify(
        msgspec.structs.replace(mail, account=account.id, answer=answer, attempt=LAST_ATTEMPT, created_at=fx.now / 1000)
    )
    fx.when_delivered(connection, delivered)


@task("reset.start")
def start(fx: Effects, account: Account, connection: Connection, fields: list[bytes]) -> None:
    """[token, mail job]: keep the token and send the mail with it; 200 once the mail server has it, else 19.

    A token is pending: 6.
    """
    token, mail = fields[0].decode(), jobs.decode(fields[1])
    if not keep_token(fx, account, token):
        raise Refused(Status.NOT_ALLOWED)
    mail_token(fx, account, token, mail, connection, lambda fx, status: fx.tell(connection, status))


@task("reset.finish")
def finish(fx: Effects, account: Account, connection: Connection, fields: list[bytes]) -> None:
    """[token, hash of the new password, mark of the old one, mail job]: the token is used up, then the password set: 200.

    Whoever comes second with the token gets 6 and changes nothing.
    """
    token, password_hash, retired, mail = fields
    if account.resets.get(token.decode(), 0) <= fx.now:
        raise Refused(Status.NOT_ALLOWED)
    account.drop_reset(token.decode())

    def then(fx: Effects, is_set: bool) -> None:
        if is_set:
            account.retire_password(int(retired))
            fx.notify(msgspec.structs.replace(jobs.decode(mail), account=account.id, created_at=fx.now / 1000))
        fx.tell(connection, Status.OK if is_set else Status.SERVER_ERROR)

    fx.ask(SetPassword(account.id, password_hash.decode()), then)
