"""Accounts whose deletion somebody has asked for (:mod:`vpin_store.deletions`), found in the database every few seconds.

Each is handed a task through its shard's queue, so it goes in order with all that happens to it: from then on there is no
such account here, and the commit that deletes it is fenced like any other. Whoever is not served in time is handed it
again. A minute after the wish, when requests that were under way are over, the account's leftovers and the wish go.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from vpin_messages.slab import shard_of
from vpin_store import StoreUnavailable

if TYPE_CHECKING:
    from vpin_store import Store

    from vpin_state.shard import Shard

LOOK_MS = 2000
FINISH_MS = 60_000


class Deletions:
    """Of the active ones of `shards`; `hand_over` gives the task to the account of that id."""

    def __init__(
        self, store: Store, shards: Mapping[int, Shard], shard_count: int, hand_over: Callable[[int], object]
    ) -> None:
        self._store = store
        self._shards = shards
        self._shard_count = shard_count
        self._hand_over = hand_over
        self._looked = 0
        self._running = False

    def tick(self, now: int, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        """Look beside the loop by `spawn` where it is time to; any number of calls a second, `now` in ms."""
        if not self._running and not 0 <= now - self._looked < LOOK_MS:
            self._running = True
            self._looked = now
            spawn(self._look(now))

    async def _look(self, now: int) -> None:
        """While the database is away nothing is done; the commits say that it is."""
        try:
            for wish in await self._store.deletions.asked():
                shard = self._shards.get(shard_of(wish.account_id, self._shard_count))
                if shard is None or not shard.active:
                    continue
                if now - wish.asked_at < FINISH_MS or await self._store.get_account(wish.account_id) is not None:
                    self._hand_over(wish.account_id)
                else:
                    await self._store.deletions.finish(wish.account_id, now)
        except StoreUnavailable:
            return
        finally:
            self._running = False
