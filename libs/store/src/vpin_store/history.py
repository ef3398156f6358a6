"""History in the store: what a pin's numbers were (spec 05, 3).

Theory of operation
-------------------
* A commit appends its points to ``passing``, those to be kept to ``raw_point`` as well. The pin of a point is a *stream*, a
  row that is made when the pin is first recorded. A commit whose outcome was not known is repeated: ``history_commit`` has
  the id of the last one with points of a shard, which tells.
* Once a minute the owner of some shards has what came since added up and *added* to minutes, hours and days
  (:meth:`History.roll_up`), in one transaction with the mark how far that is. So points that come late find their period,
  nothing waits in memory, and a crash loses nothing and counts nothing twice.
* ``passing`` is a ring of tables on PostgreSQL, each emptied when all of it is in the rollups (:meth:`History.tidy`):
  neither vacuum nor an index. ``raw_point`` is partitioned by the day of arrival, and old days are dropped.
* Deleting a stream takes its row away, so it is gone at once; its points follow in the background.

Times are ms since 1970 in UTC.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Any

from vpin_store.driver import Driver, Watch
from vpin_store.rows import Changes, Rollup, StreamKey

DAY_MS = 86_400_000
CHUNK = 5000
"""Rows of a chunk of :meth:`History.every_rollup` and :meth:`History.every_point`."""
LAST_MS = 100_000_000_000_000
"""Points lie between 0 and this moment (year 5138)."""
SEQ_BITS = 20
"""Of a sequence number in ``passing``: the point's position in its batch; the rest is the number of the batch."""

_ROLLUP = "qidddd"
_OF_STREAM = (
    "stream_id = (SELECT id FROM stream"
    " WHERE account_id = $1 AND dash_id = $2 AND device_id = $3 AND pin_type = $4 AND pin = $5)"
)


_ACTIVE_WITH_HISTORY = (
    "SELECT id FROM account WHERE id > $2 AND EXISTS (SELECT 1 FROM stream WHERE account_id = account.id)"
    " AND (last_login_at >= $1"
    " OR EXISTS (SELECT 1 FROM dashboard WHERE account_id = account.id AND updated_at >= $1)"
    " OR EXISTS (SELECT 1 FROM template WHERE account_id = account.id AND updated_at >= $1))"
    " ORDER BY id LIMIT $3"
)


class Step(StrEnum):
    """Length of a period."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def ms(self) -> int:
        return _STEP_MS[self]

    @property
    def table(self) -> str:
        return f"{self.value}_rollup"


def deleted_prefixes(changes: Changes) -> set[tuple[int, ...]]:
    """What a commit deletes of history: what it says, and what devices, dashboards and accounts had."""
    whole = ((account_id,) for account_id in changes.deleted_accounts)
    return {*changes.deleted_history, *changes.deleted_dashboards, *changes.deleted_devices, *whole}


_STEP_MS = {Step.MINUTE: 60_000, Step.HOUR: 3_600_000, Step.DAY: DAY_MS}


ADDED_UP_MS = 5_000
"""So long after its end a period is added up, unless the owner of the shard is in trouble."""


def finished(now: int, step: Step) -> int:
    """The end of the last period that is over and added up at `now`: whoever shows no running periods ends there."""
    return (now - ADDED_UP_MS) // step.ms * step.ms


class History:
    """What pins were, and the upkeep of that: the part of a store that is about history."""

    def __init__(self, driver: Driver, watch: Watch) -> None:
        self._driver = driver
        self._watch = watch

    async def points(self, stream: StreamKey, start: int, end: int, limit: int) -> list[tuple[int, float]]:
        """Points as they came, (ms, number), of ``start <= at < end``: the newest `limit` of them, oldest first."""
        sql = (
            f"SELECT at, value FROM raw_point WHERE {_OF_STREAM} AND at >= $6 AND at < $7"  # noqa: S608
            " ORDER BY at DESC LIMIT $8"
        )
        found = await self._numbers(sql, "qd", None, *stream, _clamp(start), _clamp(end), limit)
        found.reverse()
        return found

    async def rollups(
        self, stream: StreamKey, step: Step, start: int, end: int, limit: int, skip: int = 0
    ) -> list[Rollup]:
        """Periods that begin in ``start <= at < end``: the last `limit` of them but for the `skip` last, oldest first.

        The running period is among them, as far as it has got.
        """
        sql = _rollup_query(step, "DESC LIMIT $8 OFFSET $9")
        first, behind = _periods(step, start, end)
        found = await self._numbers(sql, _ROLLUP, Rollup, *stream, first, behind, limit, skip)
        found.reverse()
        return found

    async def every_rollup(self, stream: StreamKey, step: Step, start: int, end: int) -> AsyncIterator[list[Rollup]]:
        """All periods that begin in ``start <= at < end``, oldest first, in chunks."""
        sql = _rollup_query(step, "LIMIT $8")
        first, behind = _periods(step, start, end)
        while first < behind:
            found = await self._numbers(sql, _ROLLUP, Rollup, *stream, first, behind, CHUNK)
            if found:
                yield found
            if len(found) < CHUNK:
                return
            first = found[-1][0] // step.ms + 1

    async def every_point(self, stream: StreamKey, start: int, end: int) -> AsyncIterator[list[tuple[int, float]]]:
        """All points as they came of ``start <= at < end``, oldest first, in chunks."""
        sql = (
            f"SELECT at, value FROM raw_point WHERE {_OF_STREAM} AND at >= $6 AND at < $7"  # noqa: S608
            " ORDER BY at LIMIT $8 OFFSET $9"
        )
        start, end, skip = _clamp(start), _clamp(end), 0
        while start < end:
            found = await self._numbers(sql, "qd", None, *stream, start, end, CHUNK, skip)
            if found:
                yield found
            if len(found) < CHUNK:
                return
            last = found[-1][0]
            skip = sum(1 for at, _ in found if at == last) + (skip if last == start else 0)
            start = last

    async def streams(self, prefix: Sequence[int]) -> list[StreamKey]:
        """Pins that were ever recorded, by the beginning of their key: an account, a dashboard of it, a device, …"""
        names = StreamKey._fields
        condition = " AND ".join(f"{name} = ${n}" for n, name in enumerate(names[: len(prefix)], 1)) or "1 = 1"
        columns = ", ".join(names)
        sql = f"SELECT {columns} FROM stream WHERE {condition} ORDER BY {columns}"  # noqa: S608
        return await self._numbers(sql, "qiiii", StreamKey, *prefix)

    async def active_accounts(self, active_since: int, after: int, limit: int) -> list[int]:
        """Ids above `after`, ascending, of accounts with a pin that was ever recorded, if somebody has logged in or changed
        a dashboard or template since that moment (ms)."""
        found = await self._numbers(_ACTIVE_WITH_HISTORY, "q", None, active_since, after, limit)
        return [record[0] for record in found]

    async def add_rollups(self, step: Step, rows: Sequence[tuple[StreamKey, Rollup]]) -> None:
        """Store whole periods, in place of what is there of the same ones (an import); of equal ones the last counts.

        `at` of each is the start of a period. Points that boards write into such a period later are added to it.
        """
        if rows:
            await self._watch(self._driver.add_rollups(step, rows))

    async def roll_up(self, owner: bytes, shards: Sequence[int]) -> int:
        """Add what was committed of the shards since the last time to minutes, hours and days; how many points.

        Once a minute, by the owner of the shards: Fenced when it is not any more.
        """
        return await self._watch(self._driver.roll_up(owner, shards)) if shards else 0

    async def tidy(self, now: int, raw_days: int) -> None:
        """Make room for the days to come, drop raw points that came more than `raw_days` days ago, empty what is rolled
        up, delete points of deleted streams. Any process, about once a minute."""
        await self._watch(self._driver.tidy_history(now, raw_days))

    async def trim_minutes(self, keep: int, after: int, count: int) -> int:
        """Delete all but the last `keep` minutes of `count` streams, those with ids above `after`.

        The greatest id that was looked at; 0: there are no more.
        """
        return await self._watch(self._driver.trim_minutes(keep, after, count))

    async def _numbers(self, sql: str, kinds: str, row: type[Any] | None, *numbers: int) -> list[Any]:
        return await self._watch(self._driver.fetch_numbers(sql, kinds, row, *numbers))


def _rollup_query(step: Step, order: str) -> str:
    return (
        f"SELECT {step.ms} * CAST(period AS bigint), count, total, least, greatest, last FROM {step.table}"  # noqa: S608
        f" WHERE {_OF_STREAM} AND period >= $6 AND period < $7 ORDER BY period {order}"
    )


def _periods(step: Step, start: int, end: int) -> tuple[int, int]:
    """The first period that begins at `start` or later, and the first that begins at `end` or later."""
    return -(-_clamp(start) // step.ms), -(-_clamp(end) // step.ms)


def _clamp(at: int) -> int:
    return max(0, min(at, LAST_MS))
