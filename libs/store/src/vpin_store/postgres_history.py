"""History on PostgreSQL; see :mod:`vpin_store.history`.

The tables and why they lie so on the disk: docs/adr/0009-history.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg  # type: ignore[reportMissingTypeStubs]  there are none

from vpin_store.errors import Fenced
from vpin_store.history import DAY_MS, SEQ_BITS, Step, deleted_prefixes
from vpin_store.postgres_copy import COPY_ROWS, pack_passing, pack_raw
from vpin_store.postgres_streams import Streams, drop_streams, find_streams
from vpin_store.rows import Changes, Rollup, StreamKey

SLOTS = 32  # tables of the ring, as migration 0003 makes them
SLOT_BITS = 10  # batches that go into one: 2 ** 10
ROLL_SECONDS = 300.0
GRACE_MS = 600_000  # a stream's points are deleted so long after it: no roll-up of older points is running any more
SWEEP = 20  # deleted streams whose points are deleted at a time

_SUMS = "count, total, least, greatest, last, last_at"
_ADD = (
    " ON CONFLICT (stream_id, period) DO UPDATE SET count = t.count + excluded.count, total = t.total + excluded.total,"
    " least = least(t.least, excluded.least), greatest = greatest(t.greatest, excluded.greatest),"
    " last = CASE WHEN excluded.last_at >= t.last_at THEN excluded.last ELSE t.last END,"
    " last_at = greatest(t.last_at, excluded.last_at)"
)


class PostgresHistory:
    """The part of the driver that is about history; every method gets the connection that it works on."""

    def __init__(self) -> None:
        self.streams = Streams()
        self._days: set[int] = set()  # of arrival that have a partition

    async def prepare(self, connection: Any, changes: Changes) -> None:
        """Before the transaction of a commit: the partition that its points go to."""
        if any(point.keep for point in changes.points):
            await self._make_days(connection, [changes.at // DAY_MS])

    async def write(self, connection: Any, changes: Changes) -> dict[StreamKey, int]:
        """Within the transaction of a commit: delete streams, append points. Streams to remember once it is done."""
        prefixes = deleted_prefixes(changes)
        if prefixes:
            await drop_streams(connection, prefixes, changes.at)
            for account_id in {prefix[0] for prefix in prefixes}:
                self.streams.forget(account_id)
        if not changes.points:
            return {}
        shards = sorted({point.shard for point in changes.points})
        batch = await connection.fetchval("SELECT nextval('history_batch')")
        sql = (
            "INSERT INTO history_commit (shard, id, batch) SELECT shard, $2, $3 FROM unnest($1::integer[]) AS shard"
            " ON CONFLICT (shard) DO UPDATE SET id = excluded.id, batch = excluded.batch"
            " WHERE history_commit.id <> excluded.id RETURNING 1"
        )
        if not await connection.fetch(sql, shards, changes.id, batch):
            return {}  # the commit was stored, its answer was lost
        keys = {point.stream for point in changes.points}
        ids = self.streams.find(keys)
        new = await find_streams(connection, keys - ids.keys())
        ids |= new
        table = f"passing_{(batch >> SLOT_BITS) % SLOTS}"
        columns = ("shard", "seq", "stream_id", "at", "value")
        packed = pack_passing(changes.points, ids, batch << SEQ_BITS)
        await connection.copy_to_table(table, source=packed, columns=columns, format="binary")
        kept = [point for point in changes.points if point.keep]
        if kept:
            day = changes.at // DAY_MS
            packed = pack_raw(kept, ids, day)
            columns = ("day", "stream_id", "at", "value")
            await connection.copy_to_table(f"raw_point_{day}", source=packed, columns=columns, format="binary")
        return new

    async def add_rollups(self, connection: Any, step: Step, rows: Sequence[tuple[StreamKey, Rollup]]) -> None:
        newest = {(key, rollup.at): rollup for key, rollup in rows}
        ids = await find_streams(connection, {key for key, _ in newest})
        packed = [(ids[key], at // step.ms, *rollup[1:]) for (key, at), rollup in newest.items()]
        sql = (
            f"INSERT INTO {step.table} (stream_id, period, {_SUMS})"  # noqa: S608
            " SELECT *, 0 FROM unnest($1::integer[], $2::integer[], $3::integer[], $4::double precision[],"
            " $5::double precision[], $6::double precision[], $7::double precision[])"
            " ON CONFLICT (stream_id, period) DO UPDATE SET count = excluded.count, total = excluded.total,"
            " least = excluded.least, greatest = excluded.greatest, last = excluded.last, last_at = excluded.last_at"
        )
        for start in range(0, len(packed), COPY_ROWS):
            await connection.execute(sql, *zip(*packed[start : start + COPY_ROWS], strict=True))

    async def roll_up(self, connection: Any, owner: bytes, shards: Sequence[int]) -> int:
        async with connection.transaction():
            sql = "SELECT shard FROM shard_owner WHERE owner = $1 AND shard = ANY($2::integer[]) FOR SHARE"
            owned = {record[0] for record in await connection.fetch(sql, owner, shards)}
            if not owned.issuperset(shards):
                raise Fenced(f"shards {sorted(set(shards) - owned)} have another owner")
            sql = "INSERT INTO history_rolled (shard, batch) SELECT shard, 0 FROM unnest($1::integer[]) AS shard"
            await connection.execute(f"{sql} ON CONFLICT DO NOTHING", shards)
            sql = "SELECT shard, batch FROM history_rolled WHERE shard = ANY($1::integer[]) ORDER BY shard FOR UPDATE"
            rolled = dict(await connection.fetch(sql, shards))
            sql = "SELECT shard, batch FROM history_commit WHERE shard = ANY($1::integer[])"
            due = [
                (shard, rolled[shard], batch)
                for shard, batch in await connection.fetch(sql, shards)
                if batch > rolled[shard]
            ]
            if not due:
                return 0
            names, lows, highs = zip(*due, strict=True)
            await connection.execute("SET LOCAL work_mem = '64MB'")
            count = await connection.fetchval(
                _roll_up(min(lows), max(highs)),
                names,
                [(low + 1) << SEQ_BITS for low in lows],
                [(high + 1) << SEQ_BITS for high in highs],
                timeout=ROLL_SECONDS,
            )
            sql = (
                "UPDATE history_rolled AS t SET batch = r.batch"
                " FROM unnest($1::integer[], $2::bigint[]) AS r (shard, batch) WHERE t.shard = r.shard"
            )
            await connection.execute(sql, names, highs)
            return count

    async def tidy(self, connection: Any, now: int, raw_days: int) -> None:
        today = now // DAY_MS
        await self._make_days(connection, [today, today + 1])
        sql = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = $1::regclass"
        for (name,) in await connection.fetch(sql, "raw_point"):
            day = int(name.rpartition("_")[2])
            if day < today - raw_days and await _try_locked(connection, f"DROP TABLE IF EXISTS {name}"):
                self._days.discard(day)
        sql = "SELECT n FROM generate_series(0, $1) AS n WHERE pg_relation_size(('passing_' || n)::regclass) > 0"
        for (slot,) in await connection.fetch(sql, SLOTS - 1):
            if await _is_rolled(connection, slot):
                await _empty(connection, slot)
        sql = "SELECT id FROM dropped_stream WHERE dropped_at <= $1 ORDER BY id LIMIT $2"
        for (stream,) in await connection.fetch(sql, now - GRACE_MS, SWEEP):
            async with connection.transaction():
                for table in ("raw_point", *(step.table for step in Step)):
                    sql = f"DELETE FROM {table} WHERE stream_id = $1"  # noqa: S608
                    await connection.execute(sql, stream, timeout=ROLL_SECONDS)
                await connection.execute("DELETE FROM dropped_stream WHERE id = $1", stream)

    async def trim_minutes(self, connection: Any, keep: int, after: int, count: int) -> int:
        sql = "SELECT id FROM stream WHERE id > $1 ORDER BY id LIMIT $2"
        ids = [record[0] for record in await connection.fetch(sql, after, count)]
        sql = (
            "DELETE FROM minute_rollup AS m USING (SELECT id, (SELECT period FROM minute_rollup WHERE stream_id = id"
            " ORDER BY period DESC OFFSET $2 LIMIT 1) AS cut FROM unnest($1::integer[]) AS id) AS c"
            " WHERE m.stream_id = c.id AND m.period <= c.cut"
        )
        await connection.execute(sql, ids, keep)
        return ids[-1] if ids else 0

    async def _make_days(self, connection: Any, days: Sequence[int]) -> None:
        """Partitions of raw points that came on these days (since 1970)."""
        for day in days:
            if day in self._days:
                continue
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(7041966)")
                if await connection.fetchval("SELECT to_regclass($1)", f"raw_point_{day}") is None:
                    # Not PARTITION OF, which would wait for everybody who reads.
                    await connection.execute(f"CREATE TABLE raw_point_{day} (LIKE raw_point INCLUDING ALL)")
                    attach = f"ATTACH PARTITION raw_point_{day} FOR VALUES FROM ({day}) TO ({day + 1})"
                    await connection.execute(f"ALTER TABLE raw_point {attach}")
            self._days.add(day)


def _roll_up(low: int, high: int) -> str:
    """The statement that adds up points of the batches behind `low` up to `high`.

    Parameters: shards, and for each the least sequence number that is due and the first that is not.
    """
    slots = {(batch >> SLOT_BITS) % SLOTS for batch in (*range(low + 1, high, 1 << SLOT_BITS)[:SLOTS], high)}
    source = " UNION ALL ".join(f"SELECT * FROM passing_{slot}" for slot in sorted(slots))  # noqa: S608
    return f"""
        WITH point AS (
            SELECT stream_id, at, seq, value FROM ({source}) AS p
            JOIN unnest($1::integer[], $2::bigint[], $3::bigint[]) AS due (shard, first, behind)
            ON p.shard = due.shard AND p.seq >= due.first AND p.seq < due.behind
        ), minute AS MATERIALIZED (
            SELECT m.* FROM (
                SELECT stream_id, (at / 60000)::integer AS period, count(*)::integer AS count, sum(value) AS total,
                    min(value) AS least, max(value) AS greatest,
                    max(ARRAY[at, seq, value]::double precision[]) AS last
                FROM point GROUP BY 1, 2
            ) AS m JOIN stream ON stream.id = m.stream_id
        ), hour AS MATERIALIZED ({_coarser("minute", 60)}), day AS ({_coarser("hour", 24)}),
        minutes AS ({_insert("minute")}), hours AS ({_insert("hour")}), days AS ({_insert("day")})
        SELECT coalesce(sum(count), 0)::bigint FROM minute
    """  # noqa: S608  made of constants


def _coarser(source: str, factor: int) -> str:
    return (
        f"SELECT stream_id, period / {factor} AS period, sum(count)::integer AS count, sum(total) AS total,"  # noqa: S608
        f" min(least) AS least, max(greatest) AS greatest, max(last) AS last FROM {source} GROUP BY 1, 2"
    )


def _insert(step: str) -> str:
    return (
        f"INSERT INTO {step}_rollup AS t (stream_id, period, {_SUMS})"  # noqa: S608
        " SELECT stream_id, period, count, total, least, greatest, last[3], last[1]::bigint"
        f" FROM {step} ORDER BY stream_id, period{_ADD}"
    )


async def _is_rolled(connection: Any, slot: int) -> bool:
    """Nothing will be added to a table of the ring for long, and all of it is in the rollups."""
    sql = (
        "SELECT (SELECT last_value FROM history_batch),"
        " (SELECT min(coalesce(r.batch, 0)) FROM history_commit c LEFT JOIN history_rolled r USING (shard)"
        " WHERE c.batch > coalesce(r.batch, 0))"
    )
    last, rolled = await connection.fetchrow(sql)
    turn, at = divmod(last >> SLOT_BITS, SLOTS)
    if at == slot:
        return False
    newest = (((turn if slot < at else turn - 1) * SLOTS + slot + 1) << SLOT_BITS) - 1
    return rolled is None or newest <= rolled


async def _empty(connection: Any, slot: int) -> None:
    """Whoever writes into the table has its commit in sight before it is looked at again."""
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '200ms'")
            await connection.execute(f"LOCK TABLE passing_{slot} IN ACCESS EXCLUSIVE MODE")
            if await _is_rolled(connection, slot):
                await connection.execute(f"TRUNCATE passing_{slot}")
    except asyncpg.LockNotAvailableError:
        return


async def _try_locked(connection: Any, sql: str) -> bool:
    """Run what needs an exclusive lock, unless that would keep others waiting; the next time may be better."""
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '200ms'")
            await connection.execute(sql)
    except asyncpg.LockNotAvailableError:
        return False
    return True
