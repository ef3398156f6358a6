"""The account itself by the management API (spec 08, 2)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from vpin_messages.requests import PinReply

from vpin_state import mails
from vpin_state.effects import Connection
from vpin_state.errors import Declined
from vpin_state.handlers.passwords import keep_token, mail_token
from vpin_state.registry import account_operation

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Account


@account_operation("patchMe")
def patch(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """Columns of the account's row: name, time_zone."""
    account.change(**a["changes"])
    return PinReply(204)


@account_operation("endApps")
def end_apps(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """The password was changed: apps have to log in anew. Guests came in by a share token, and stay.

    `retired` is the mark of the old password's hash: a log-in that was verified with it and comes only now is refused.
    """
    account.retire_password(a["retired"])
    for app in account.apps:
        if not app.shared:
            fx.close(app)
    return PinReply(204)


@account_operation("startReset")
def start_reset(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """Keep `token` and mail the `link` to the page that takes a new password; while a reset is pending: 409 (spec 04, 1.10)."""
    if not keep_token(fx, account, a["token"]):
        raise Declined(409, "A reset is pending.")
    mail = mails.reset_page(account.row.email, fx.config.product_name, a["link"])
    nobody = Connection(secrets.token_bytes(16), 0, 0)  # waits for the outcome: the page was answered long ago
    mail_token(fx, account, a["token"], mail, nobody)
    return PinReply(204)


@account_operation("finishReset")
def finish_reset(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """Use up `token`: the password is about to be set, and the user is told. 409: outdated."""
    if account.resets.get(a["token"], 0) <= fx.now:
        raise Declined(409, "The token is outdated.")
    account.drop_reset(a["token"])
    job = mails.password_changed(account.row.email, fx.config.product_name, ended=True)
    job.account, job.created_at = account.id, fx.now / 1000
    fx.notify(job)
    return PinReply(204)
