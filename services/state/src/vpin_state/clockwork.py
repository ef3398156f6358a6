"""What the accounts of an owner do by the clock: once a second, at a second of the day, or some time after a message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from vpin_messages.slab import Up, up_entry
from vpin_messages.tasks import Task
from vpin_store.history import ADDED_UP_MS

from vpin_state import dispatch
from vpin_state.handlers.reports import RUN_DUE

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Account
    from vpin_state.owner import Owner

TICK_SECONDS = 1.0
TICK_PHASE = 0.002
"""Ticks come at the start of each second, since timers are set to seconds; so much later, to be never too early."""


class Clockwork:
    """Of one owner."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def tick_for_ever(self) -> None:
        """Once a second an entry to each shard: time is counted in its queue, and what is due is done at its place there."""
        tick = up_entry(Up.TICK)
        while True:
            for number in self._owner.shards:
                outlet = self._owner.ways.to_shard(number)
                if not outlet.backlog:
                    outlet.add(tick)
            await asyncio.sleep(TICK_SECONDS - (time.time() - TICK_PHASE) % TICK_SECONDS)

    def ticked(self, shard: int) -> None:
        """A shard's tick has come through its queue: do what is due."""
        owner = self._owner
        self._read_pins(shard)
        self._ring(shard)
        owner.rolling.tick(owner.tell_time(), owner.spawn)
        owner.deletions.tick(owner.tell_time(), owner.spawn)

    def run_after(self, ms: int, account: Account, action: Callable[[Effects], None]) -> None:
        """Do that so much later, unless the shard has gone to another process; until then the account stays in memory."""
        owner = self._owner
        account.timers += 1

        def run() -> None:
            account.timers -= 1
            if owner.accounts.get(account.id) is account and owner.shards[account.shard].active:
                owner.tell_time()
                action(owner.begin(account))
                owner.settle(account)
                owner.outbox.deliver()

        asyncio.get_running_loop().call_later(max(0, ms) / 1000, run)

    def _read_pins(self, shard: int) -> None:
        """Ask boards of the shard for what displays want to read."""
        for reader in self._owner.memory.readers(shard):
            self._owner.tell_time()
            reader.ask(self._owner.begin(reader.account))
            self._owner.settle(reader.account)

    def _ring(self, shard: int) -> None:
        """Let the shard's accounts do what they do at this second."""
        owner = self._owner
        for account, second, alarms in owner.memory.due(shard, owner.tell_time() // 1000):
            fx = owner.begin(account)
            for alarm in alarms:
                dispatch.ring(fx, account, alarm, second)
            owner.settle(account)
        for account_id in owner.memory.reports_due(shard, owner.tell_time() - ADDED_UP_MS):
            owner.hand_over(account_id, Task(RUN_DUE, []))
