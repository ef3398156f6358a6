"""The account itself by the management API (spec 08, 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpin_messages.jobs import Job
from vpin_messages.requests import PinReply

from vpin_state import mails
from vpin_state.errors import Declined
from vpin_state.handlers.passwords import RESET_MS
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
    """The password was changed: apps have to log in anew. Guests came in by a share token, and stay."""
    for app in account.apps:
        if not app.shared:
            fx.close(app)
    return PinReply(204)


@account_operation("startReset")
def start_reset(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """Keep `token` and mail the `link` to the page that takes a new password; a reset is pending: 409 (spec 04, 1.10)."""
    for old, expires_at in list(account.resets.items()):
        if expires_at <= fx.now:
            account.drop_reset(old)
    if account.resets:
        raise Declined(409, "A reset is pending.")
    account.set_reset(a["token"], fx.now + RESET_MS)
    product = fx.config.product_name
    text = f"Choose a new password for your {product} account:\n\n{a['link']}\n\nThe link works for 45 minutes.\n"
    subject = f"Password restoration for your {product} account."
    job = Job(fx.new_token(), "mail", [account.row.email], subject, text, account=account.id)
    job.created_at = fx.now / 1000
    fx.notify(job)
    return PinReply(204)


@account_operation("finishReset")
def finish_reset(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """Use up `token`: the password is about to be set; apps have to log in anew, and the user is told. 409: outdated."""
    if account.resets.get(a["token"], 0) <= fx.now:
        raise Declined(409, "The token is outdated.")
    account.drop_reset(a["token"])
    job = mails.password_changed(account.row.email, fx.config.product_name)
    job.account, job.created_at = account.id, fx.now / 1000
    fx.notify(job)
    return end_apps(fx, account, a)
