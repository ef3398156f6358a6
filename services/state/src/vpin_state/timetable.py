"""When accounts have reports to run (spec 05, 4.2). No IO, no clock: the owner says what time it is.

An account with an active report stays in memory, and is loaded when its shard is claimed (`AccountRow.timed`): what has
become due while no process was there runs then. An account whose time has come is handed a task, so a run stands in order
with all that happens to the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_state import reports

if TYPE_CHECKING:
    from vpin_state.model import Account

RETRY_MS = 60_000
"""An account whose run did not succeed, since the database was away, is named again."""
_NEVER = 1 << 62


class Timetable:
    """The next time (ms) of each account of one shard that has one."""

    def __init__(self) -> None:
        self._times: dict[int, int] = {}
        self._named: dict[int, int] = {}  # account -> when it was named last
        self._first = _NEVER  # no time is earlier

    def set(self, account: Account) -> None:
        """The account is new here, or its shape has changed."""
        at = reports.next_due(account)
        named = self._named.get(account.id)
        if at is None:
            self.forget(account.id)
            return
        if named is not None and at <= named:  # its run is on its way
            at = named + RETRY_MS
        self._times[account.id] = at
        self._first = min(self._first, at)

    def forget(self, account_id: int) -> None:
        """The account is gone."""
        self._times.pop(account_id, None)
        self._named.pop(account_id, None)

    def due(self, now: int) -> list[int]:
        """Ids of the accounts whose time has come, each once."""
        if now < self._first:
            return []
        found = [account_id for account_id, at in self._times.items() if at <= now]
        for account_id in found:
            self._named[account_id] = now
            self._times[account_id] = now + RETRY_MS
        self._first = min(self._times.values(), default=_NEVER)
        return found
