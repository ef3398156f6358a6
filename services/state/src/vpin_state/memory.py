"""The accounts in memory: loaded when they are first needed, kept while somebody uses them, forgotten later.

Beside them: which of them have to be stored, which read pins of their boards or do something by the clock, and the tokens
of boards.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vpin_store.rows import Changes

from vpin_state import metrics
from vpin_state.alarms import AlarmClock, is_timed
from vpin_state.collect import collect
from vpin_state.load import build_account
from vpin_state.reading import Reader
from vpin_state.seeding import plant
from vpin_state.timetable import Timetable

if TYPE_CHECKING:
    from vpin_store import Store
    from vpin_store.rows import TokenRow

    from vpin_state.alarms import Alarm
    from vpin_state.model import Account

KEEP_SECONDS = 600.0
"""How long an account without sessions stays in memory."""
MOST_TOKENS = 100_000
END_OF_IDS = 1 << 63
"""What the database can count to: entries name ids in 64 bits."""
FEW = 10
"""Forgotten accounts that are not worth a full collection: some 50 ms in which nothing else happens."""


class Memory:
    """Accounts by id. `sender` is this process, in whose name a seed is committed."""

    def __init__(self, store: Store, sender: bytes) -> None:
        self.accounts: dict[int, Account | None] = {}  # None: there is no such account
        self.tokens: dict[str, TokenRow] = {}  # of devices, as they were last looked up; see :meth:`look_up`
        self.dirty: list[Account] = []  # to be collected by the next commit
        self._store = store
        self._sender = sender
        self._reshaped: set[Account] = set()
        self._readers: dict[int, Reader] = {}  # by account
        self._clocks: dict[int, AlarmClock] = {}  # by shard
        self._timetables: dict[int, Timetable] = {}  # by shard
        self._buried: set[int] = set()  # accounts whose deletion is not committed yet
        self._tokens_gone = 0
        self._forgotten = 0  # accounts that are no longer in memory but not collected yet

    async def load(self, ids: set[int], shard: int, now: int) -> None:
        """Bring accounts into memory; StoreUnavailable when the database is away."""
        if not ids:
            return
        found = await self._store.load_accounts(sorted(i for i in ids if i < END_OF_IDS))
        for account_id in ids:
            rows = found.get(account_id)
            account = build_account(rows, shard) if rows else None
            if account is not None:
                if plant(account, now):
                    await self._commit_seed(account)
                account.on_dirty = self.dirty
                account.reshaped = self._reshaped
            self.accounts[account_id] = account
            if account is not None:
                self._look_at(account)
        gc.freeze()  # accounts stay long: to walk through a hundred large ones takes 0.2 s, at every quarter more of them
        metrics.accounts.set(len(self.accounts))

    async def _commit_seed(self, account: Account) -> None:
        """What a seed has become is committed before anybody sees it: its tokens have to let boards in at once."""
        changes = Changes(owner=self._sender, shards=[account.shard])
        collect(account, changes)
        await self._store.commit(changes)

    def take_dirty(self) -> list[Account]:
        """What has to be stored now."""
        accounts, self.dirty[:] = self.dirty[:], []
        return accounts

    def evict(self, shard: int) -> None:
        """Forget accounts of the shard that nobody uses."""
        now = time.monotonic()
        before = len(self.accounts)
        for account_id, account in list(self.accounts.items()):
            if account is None:
                if account_id not in self._buried:
                    del self.accounts[account_id]
            elif account.shard == shard:
                if (
                    account.apps
                    or account.listed
                    or account.watch is not None
                    or account.timers
                    or account.row.timed
                    or any(d.sessions for b in account.dashboards.values() for d in b.devices.values())
                ):
                    account.idle_since = 0.0
                elif not account.idle_since:
                    account.idle_since = now
                elif now - account.idle_since > KEEP_SECONDS:
                    del self.accounts[account_id]
        self._free(before - len(self.accounts))

    def forget(self, shard: int) -> None:
        """Another process owns the shard: drop its accounts and what they had to store."""
        before = len(self.accounts)
        for account_id, account in list(self.accounts.items()):
            if account is None or account.shard == shard:
                del self.accounts[account_id]
        self._buried.difference_update(account.id for account in self.dirty if account.shard == shard)
        self.dirty[:] = [account for account in self.dirty if account.shard != shard]
        self._timetables.pop(shard, None)
        self._free(before - len(self.accounts))

    def bury(self, account: Account) -> None:
        """From now on there is no such account; the next commit deletes it. What still changes in it is stored no more."""
        self.accounts[account.id] = None
        account.on_dirty = None
        self._buried.add(account.id)
        self._readers.pop(account.id, None)
        if account.shard in self._clocks:
            self._clocks[account.shard].forget(account.id)
        if account.shard in self._timetables:
            self._timetables[account.shard].forget(account.id)

    def deleted(self, account_ids: list[int]) -> None:
        """A commit has deleted them."""
        self._buried.difference_update(account_ids)

    def _free(self, forgotten: int) -> None:
        """Give back the memory of forgotten accounts, which hold each other, once they are some and a fifth of all."""
        self._forgotten += forgotten
        if self._forgotten > max(FEW, len(self.accounts) // 4):
            self._forgotten = 0
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def readers(self, shard: int) -> Iterator[Reader]:
        """Of the shard's accounts those whose displays want to read pins of boards."""
        self._look_again()
        for reader in [reader for reader in self._readers.values() if reader.account.shard == shard]:
            if self.accounts.get(reader.account.id) is reader.account:
                yield reader
            else:
                del self._readers[reader.account.id]

    def due(self, shard: int, now: int) -> Iterator[tuple[Account, int, list[Alarm]]]:
        """(account, second, alarms) of what the shard's accounts have to do by the clock until `now` (seconds)."""
        self._look_again()
        clock = self._clocks.setdefault(shard, AlarmClock())
        for account, second, alarms in clock.due(now):
            if self.accounts.get(account.id) is account:
                yield account, second, alarms
            else:
                clock.forget(account.id)

    def reports_due(self, shard: int, now: int) -> list[int]:
        """Ids of the shard's accounts that had reports to run until `now` (ms)."""
        self._look_again()
        return self._timetables.setdefault(shard, Timetable()).due(now)

    def _look_again(self) -> None:
        """At accounts whose shape has changed."""
        for account in self._reshaped:
            if self.accounts.get(account.id) is account:
                self._look_at(account)
        self._reshaped.clear()

    def _look_at(self, account: Account) -> None:
        """See what the account, which is new here or has changed its shape, reads and does by the clock."""
        reader = Reader.of(account, self._readers.pop(account.id, None))
        if reader is not None:
            self._readers[account.id] = reader
        self._clocks.setdefault(account.shard, AlarmClock()).set(account)
        self._timetables.setdefault(account.shard, Timetable()).set(account)
        if account.row.timed != is_timed(account):
            account.mark_quietly().account = True

    async def look_up(self, tokens: set[str]) -> dict[str, TokenRow]:
        """Tokens in the database; those of devices are remembered in `tokens` until a commit here deletes them.

        One that another process has deleted may stay: the owner of its account refuses it.
        """
        if not tokens:
            return {}
        gone = self._tokens_gone
        found = await self._store.tokens.find(sorted(tokens))
        if gone == self._tokens_gone:
            if len(self.tokens) > MOST_TOKENS:
                self.tokens.clear()
            self.tokens.update((token, row) for token, row in found.items() if row.kind == "device")
        return found

    def forget_tokens(self, deleted: list[str]) -> None:
        """A commit has deleted them."""
        if deleted:
            self._tokens_gone += 1
            for token in deleted:
                self.tokens.pop(token, None)
