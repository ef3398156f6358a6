"""How many mails an account has sent of late, by boards, rules and the pin API: what its limit counts (spec 05, 1.1.1).

It is in the account's body under `KEY`, which no client sees, and is stored with the mail that it counts: the limit holds
whoever owns the account. ``[ms, …]``, oldest first, nothing older than a day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Account

KEY = "mailCounts"
DAY_MS = 86_400_000


def too_many(fx: Effects, account: Account) -> bool:
    """Whether the account has sent more than its limit in the last 24 hours: one above it passes."""
    return len(_recent(account, fx.now)) > fx.config.mails_per_day


def count(fx: Effects, account: Account) -> None:
    """A mail is handed to notify."""
    account.body[KEY] = [*_recent(account, fx.now), fx.now]
    account.mark_quietly().account = True


def _recent(account: Account, now: int) -> list[int]:
    return [at for at in account.body.get(KEY, ()) if at > now - DAY_MS]
