"""Who watches which account, and sending what is new there (:mod:`vpin_messages.stream`).

An account without a watch costs nothing here. Those with one are looked at when a slab is through, and every `TICK_SECONDS`
for what happens elsewhere (timers, commits). An account with many pins to look at is left to the tick.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from vpin_messages import stream
from vpin_messages.slab import Down, down_entry
from vpin_messages.stream import LEASE, Batch, Interest

from vpin_state import metrics
from vpin_state.numbering import number_writes
from vpin_state.watching import Watch

if TYPE_CHECKING:
    from vpin_state.model import Account
    from vpin_state.owner import Owner
    from vpin_state.session import Instance

TICK_SECONDS = 0.025
MANY_PINS = 64
"""More written pins than that are looked at no more than once a tick."""
FULL_BYTES = 1024 * 1024
"""Bytes that may wait for a process: it is told no more until it has caught up, and asks for what it has missed then."""

log = structlog.get_logger()


class Watches:
    """The watched accounts of one state process."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._watches: dict[int, Watch] = {}  # by account
        self._timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return bool(self._watches)

    def take(
        self, instance: Instance, account: Account | None, account_id: int, reader: int, interest: Interest
    ) -> None:
        """A process tells that it has readers of an account, or none any more; greet the reader (0: the process itself)."""
        if account is None:
            self._send(instance, reader, Batch(account_id, 0, 0))
            return
        now = asyncio.get_running_loop().time()
        watch = account.watch
        if watch is None:
            if not interest.sends:
                return
            number_writes(account)
            watch = account.watch = self._watches[account.id] = Watch(account)
            metrics.watched.set(len(self._watches))
            self._arm()
        watch.ends = now + LEASE
        if not interest.sends:
            watch.until.pop(instance, None)
            return
        self._gather(watch)
        watch.until[instance] = now + LEASE
        missed = watch.behind(interest.number) if interest.epoch == watch.epoch else None
        greeting = Batch(account.id, watch.epoch, watch.number, account.seq, missed or [], missed is not None)
        self._send(instance, reader, greeting)

    def gather(self, shard: int) -> None:
        """A slab of the shard is through."""
        now = asyncio.get_running_loop().time()
        for watch in self._watches.values():
            account = watch.account
            if account.shard == shard and (watch.fresh or account.dirty.pins):
                if len(account.dirty.pins) > MANY_PINS and now - watch.looked < TICK_SECONDS:
                    continue
                watch.looked = now
                self._gather(watch)

    def account_gone(self, account: Account) -> None:
        """It is deleted: tell those who have readers that there is no such account."""
        if (watch := account.watch) is not None:
            for instance in watch.until:
                self._send(instance, 0, Batch(account.id, 0, 0))
            self._end(watch)

    def forget_shard(self, shard: int) -> None:
        """Another process owns its accounts."""
        for watch in [watch for watch in self._watches.values() if watch.account.shard == shard]:
            self._end(watch)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for watch in list(self._watches.values()):
            if watch.ends < now or self._owner.accounts.get(watch.account.id) is not watch.account:
                self._end(watch)
                continue
            for instance in [
                one for one, until in watch.until.items() if until < now or not self._is_there(one, watch)
            ]:
                del watch.until[instance]
            if watch.fresh or watch.account.dirty.pins:
                watch.looked = now
                self._gather(watch)
        if self._watches:
            self._arm()

    def _is_there(self, instance: Instance, watch: Watch) -> bool:
        return self._owner.shards[watch.account.shard].instances.get(instance.sender) is instance

    def _end(self, watch: Watch) -> None:
        watch.account.watch = None
        del self._watches[watch.account.id]
        metrics.watched.set(len(self._watches))

    def _gather(self, watch: Watch) -> None:
        """Send what is new to everybody who has readers."""
        number_writes(watch.account)
        if not watch.fresh:
            return
        batch = Batch(watch.account.id, watch.epoch, watch.number, watch.account.seq, watch.fresh)
        entry = down_entry(Down.STREAM, 0, stream.encode(batch))
        watch.fresh = []
        for instance in watch.until:
            if instance.outlet.backlog < FULL_BYTES:
                instance.outlet.add(entry)
        metrics.shown.inc(len(batch.events))

    def _send(self, instance: Instance, reader: int, batch: Batch) -> None:
        instance.outlet.add(down_entry(Down.STREAM, reader, stream.encode(batch)))
