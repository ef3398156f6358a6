"""The group commit of a state process.

One commit at a time. It takes everything that is dirty at one moment, writes it in one transaction together with the numbers
of the slabs that caused it, then releases the answers that wait for it and acknowledges the slabs. A commit starts at the
latest `flush_ms` after the first change, at once when an answer waits, and early when many slabs wait.
While the database is away the same commit is tried again; sessions stay, values go on to apps, answers to changes wait.
If another process has claimed one of the shards, the store refuses the commit (`Fenced`): then what is in memory here is
worth nothing, and the process ends; its unacknowledged slabs go to the new owner.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog
from vpin_store import StoreUnavailable
from vpin_store.rows import AppliedRow, Changes

from vpin_state import metrics
from vpin_state.collect import collect
from vpin_state.domain_events import value_events

if TYPE_CHECKING:
    from vpin_store import Store

    from vpin_state.deliveries import Deliveries
    from vpin_state.memory import Memory
    from vpin_state.outbox import Outbox
    from vpin_state.publishing import Publisher
    from vpin_state.shard import Shard

log = structlog.get_logger()

EARLY_SLABS = 1000
"""Slabs waiting for their commit that start one early."""
RETRY_SECONDS = 0.25


class Commits:
    """Commits what `memory` holds dirty and the numbers of the slabs that `shards` have applied."""

    def __init__(
        self,
        store: Store,
        sender: bytes,
        shards: dict[int, Shard],
        memory: Memory,
        outbox: Outbox,
        flush_ms: int,
        publisher: Publisher,
        *,
        tells_values: bool = False,
    ) -> None:
        """`publisher` is given the jobs that are committed, and when it `tells_values` those too, as events."""
        self.flush_seconds = flush_ms / 1000
        self.database_there = True
        self._store = store
        self._sender = sender
        self._shards = shards
        self._memory = memory
        self._outbox = outbox
        self._publisher = publisher
        self._tells_values = tells_values
        self._sent_jobs: list[str] = []
        self._forgotten: list[tuple[int, bytes]] = []
        self._work = asyncio.Event()
        self._urgent = asyncio.Event()
        self._stopping = False

    def start_now(self) -> None:
        """Somebody waits for what is changed now."""
        self._outbox.waited = True
        self._urgent.set()
        self._work.set()

    def slab_applied(self, unacked: int) -> None:
        """There is something to commit; many slabs that wait for it don't wait long."""
        self._work.set()
        if unacked >= EARLY_SLABS:
            self._urgent.set()

    def job_sent(self, key: str) -> None:
        """The job's row can go."""
        self._sent_jobs.append(key)
        self._work.set()

    def forget_instance(self, shard: int, sender: bytes) -> None:
        """The number of its last slab need not be kept."""
        self._forgotten.append((shard, sender))

    def stop(self) -> None:
        """Let :meth:`run` end once everything is committed."""
        self._stopping = True
        self._work.set()
        self._urgent.set()

    async def run(self) -> None:
        """Commit whenever there is something to, until :meth:`stop`; Fenced when a shard belongs to another process."""
        while True:
            await self._work.wait()
            self._work.clear()
            if not self._urgent.is_set() and not self._stopping:
                try:
                    async with asyncio.timeout(self.flush_seconds):
                        await self._urgent.wait()
                except TimeoutError:
                    pass
            self._urgent.clear()
            await self._flush()
            if self._stopping and not self._memory.dirty and not self._outbox.waited:
                return

    async def patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, again and again while the database is away."""
        while True:
            try:
                return await work()
            except StoreUnavailable:
                self.database_there = False
                await asyncio.sleep(RETRY_SECONDS)

    async def _flush(self) -> None:
        """One commit of everything that is dirty now."""
        changes, done = self._collect()
        number = self._outbox.next_commit
        self._outbox.next_commit += 1
        self._outbox.waited = False
        if changes:
            started = time.perf_counter()
            await self._commit(changes)
            metrics.commit_seconds.observe(time.perf_counter() - started)
            metrics.commits.inc()
            metrics.commit_rows.inc(len(changes.values))
        self._memory.forget_tokens(changes.deleted_tokens)
        self._memory.deleted(changes.deleted_accounts)
        for account_id in changes.deleted_accounts:
            log.info("an account is deleted", account=account_id)
        self._outbox.release(number)
        for deliveries, tag, slabs in done:
            deliveries.ack(tag, slabs)
            metrics.slabs.inc(slabs)
        self._publisher.publish_jobs(changes.jobs)
        if self._tells_values and changes.values:
            self._publisher.emit(value_events(changes.values))

    def _collect(self) -> tuple[Changes, list[tuple[Deliveries, int, int]]]:
        changes = Changes()
        applied = [shard.deliveries for shard in self._shards.values()]
        done = [(deliveries, deliveries.last_tag, deliveries.unacked) for deliveries in applied if deliveries.unacked]
        accounts = self._memory.take_dirty()
        for account in accounts:
            collect(account, changes)
        if self._sent_jobs or self._forgotten:
            changes.deleted_jobs, self._sent_jobs = self._sent_jobs, []
            changes.deleted_applied, self._forgotten = self._forgotten, []
        if changes:
            changes.owner = self._sender
            changes.at = time.time_ns() // 1_000_000
            changes.shards = sorted(
                {a.shard for a in accounts} | {n for n, shard in self._shards.items() if shard.active}
            )
            for number in changes.shards:
                for instance in self._shards[number].instances.values():
                    if instance.applied > instance.saved:
                        instance.saved = instance.applied
                        changes.applied.append(AppliedRow(number, instance.sender, instance.applied))
        return changes, done

    async def _commit(self, changes: Changes) -> None:
        while True:
            try:
                await self._store.commit(changes)
            except StoreUnavailable:
                if self.database_there:
                    log.warning("the database is away, changes wait", values=len(changes.values))
                self.database_there = False
                metrics.commit_failures.inc()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if not self.database_there:
                    log.info("the database is back")
                self.database_there = True
                return
