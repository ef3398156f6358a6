"""The account itself by the management API (spec 08, 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpin_messages.requests import PinReply

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
