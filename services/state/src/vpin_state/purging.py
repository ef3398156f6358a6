"""Once a week: history that nothing names any more goes (spec 05, 3.2).

Which pins still have history, an account knows that is in memory. So accounts are handed a task, a few a minute, and only
those that have history and were active of late: whoever takes a graph away is. Who is not, keeps what there is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vpin_messages.slab import shard_of

if TYPE_CHECKING:
    from vpin_store.history import History

WEEK_MS = 7 * 86_400_000
ACTIVE_MS = 2 * WEEK_MS
"""How far back activity counts: a week in which no process was there when it began is made up for in the next."""
ACCOUNTS = 50
"""That are looked at in one minute, so that loading them is no load; half a million in a week."""


class Purging:
    """The walk through the accounts of a process's shards; `hand_over` gives the task to the account of that id."""

    def __init__(self, history: History, shard_count: int, hand_over: Callable[[int], object]) -> None:
        self._history = history
        self._shard_count = shard_count
        self._hand_over = hand_over
        self._week = 0  # since 1970, whose walk is done; the one in which the process starts counts as such
        self._after = 0  # id of the account that was looked at last

    async def go_on(self, now: int, shards: list[int]) -> None:
        """The next accounts, of `shards` only; once a minute, `now` in ms. StoreUnavailable."""
        week = now // WEEK_MS
        self._week = self._week or week
        if week == self._week:
            return
        found = await self._history.active_accounts(now - ACTIVE_MS, self._after, ACCOUNTS)
        for account_id in found:
            if shard_of(account_id, self._shard_count) in shards:
                self._hand_over(account_id)
        self._after = found[-1] if len(found) == ACCOUNTS else 0
        if not self._after:
            self._week = week
