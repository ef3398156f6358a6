"""Accounts that are to be deleted, and what is deleted with one.

Only the owner of an account's shard may delete it, since it would write it back. Whoever wants it deleted says so here
(`vpin user delete`: another process, perhaps on another machine), and the owner finds it (:mod:`vpin_state.deletions`).

With an account goes all that has its id: dashboards, widgets, devices, tokens of every kind (of boards, guests, sessions,
downloads), values, properties, templates, datastreams, events, kept answers, campaigns of firmware, history. An id never
comes again. The wish itself stays for a while: requests that were under way may have left something (:meth:`finish`).
"""

from __future__ import annotations

from vpin_store.driver import Driver, Watch
from vpin_store.rows import Changes, DeletionRow
from vpin_store.schema import DELETION
from vpin_store.statements import insert_new, select


class Deletions:
    """A part of a store. All methods raise StoreUnavailable."""

    def __init__(self, driver: Driver, watch: Watch) -> None:
        self._driver = driver
        self._watch = watch

    async def ask(self, account_id: int, now: int) -> None:
        """The account is to be deleted; `now` in ms. A second time it does nothing."""
        await self._watch(self._driver.write(insert_new(self._driver.dialect, DELETION), account_id, now))

    async def asked(self) -> list[DeletionRow]:
        """All that are not finished, oldest first."""
        sql = select(self._driver.dialect, DELETION, "ORDER BY asked_at, account_id")
        return DELETION.loaded(await self._watch(self._driver.fetch(sql)))

    async def finish(self, account_id: int, now: int) -> None:
        """Delete whatever there is of an account that nobody has in memory, and the wish."""
        await self._watch(self._driver.commit(Changes(deleted_accounts=[account_id], at=now)))
        await self._watch(self._driver.write("DELETE FROM deletion WHERE account_id = $1", account_id))
