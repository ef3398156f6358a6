"""What a new owner of a shard makes up for, once the gateways have had time to announce their sessions.

Boards whose gateway died while nobody looked are online by the tables, and notices that boards are offline waited in the
memory of the last owner. The accounts concerned are found by one query; each is handed a task through its shard's queue, so
it is loaded and changed in order like by anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_messages.slab import shard_of
from vpin_messages.tasks import Task

from vpin_state.handlers.presence import LEFT_BEHIND
from vpin_state.handlers.waking import WAKE

if TYPE_CHECKING:
    from vpin_bus import Outlet

    from vpin_state.owner import Owner

WAKE_AT_ONCE = 1000
"""Accounts that are asked for at a time."""
GRACE_TICKS = 10
"""Seconds from the claim of a shard until boards that nobody has announced count as gone."""


async def settle_left_behind(owner: Owner, shard: int) -> None:
    """Hand the task to all accounts of the shard that need it; waits while the database is away."""

    async def hand_over() -> None:
        for account_id in await owner.store.accounts_left_behind():
            if shard_of(account_id, owner.shard_count) == shard:
                owner.hand_over(account_id, Task(LEFT_BEHIND, []))

    await owner.commits.patiently(hand_over)


async def wake_timed(owner: Owner, shard: int) -> None:
    """Bring the accounts of the shard into memory that do something by the clock; waits while the database is away."""

    async def hand_over() -> None:
        outlet: Outlet | None = None
        for count, account_id in enumerate(await owner.store.timed_accounts()):
            if shard_of(account_id, owner.shard_count) == shard:
                outlet = owner.hand_over(account_id, Task(WAKE, []))
            if outlet is not None and count % WAKE_AT_ONCE == 0:
                await outlet.drained()

    await owner.commits.patiently(hand_over)
