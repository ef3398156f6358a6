"""Once a minute: what was recorded becomes minutes, hours and days, and history that is old enough goes (spec 05, 3.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import structlog
from vpin_store import StoreUnavailable

from vpin_state import metrics

if TYPE_CHECKING:
    from vpin_store.history import History

    from vpin_state.purging import Purging
    from vpin_state.shard import Shard

log = structlog.get_logger()

MINUTE_MS = 60_000
DAY_MS = 86_400_000
SETTLE_MS = 1500
"""After the start of a minute: by then the last points of the minute before are committed."""
TRIM_STREAMS = 200
"""Streams whose minutes are looked through in one minute, until all were once in a day."""


class Rolling:
    """Rolls up the active ones of `shards` and has them purged; the one who has shard 0 also tidies up for all."""

    def __init__(
        self,
        history: History,
        sender: bytes,
        shards: Mapping[int, Shard],
        purging: Purging,
        *,
        raw_days: int,
        minute_days: int,
    ) -> None:
        self._history = history
        self._sender = sender
        self._shards = shards
        self._purging = purging
        self._raw_days = raw_days
        self._minutes_kept = minute_days * 1440
        self._minute = 0  # that was begun last, since 1970
        self._running = False
        self._trimmed = 0  # id of the stream that was looked at last
        self._trim_day = 0  # when all will have been looked at

    def tick(self, now: int, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        """Work beside the loop by `spawn` where a minute is over; any number of calls a second, `now` in ms."""
        if not self._running and (now - SETTLE_MS) // MINUTE_MS > self._minute:
            self._running = True
            spawn(self._run(now))

    async def _run(self, now: int) -> None:
        """Fenced: a shard belongs to another process. While the database is away it is done again with the next tick."""
        shards = [number for number, shard in self._shards.items() if shard.active]
        started = time.perf_counter()
        try:
            points = await self._history.roll_up(self._sender, shards)
            if 0 in shards:
                await self._history.tidy(now, self._raw_days)
                await self._trim(now // DAY_MS)
            await self._purging.go_on(now, shards)
            self._minute = (now - SETTLE_MS) // MINUTE_MS
        except StoreUnavailable:
            log.warning("the database is away, the roll-up of history waits")
            return
        finally:
            self._running = False
        metrics.rolled_points.inc(points)
        metrics.roll_up_seconds.observe(time.perf_counter() - started)

    async def _trim(self, day: int) -> None:
        if day <= self._trim_day:
            return
        self._trimmed = await self._history.trim_minutes(self._minutes_kept, self._trimmed, TRIM_STREAMS)
        if not self._trimmed:
            self._trim_day = day
