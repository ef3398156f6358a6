"""History on SQLite; see :mod:`vpin_store.history`. Every function runs in the thread that writes.

Points are deleted from ``passing`` by the roll-up itself, so how far it is need not be stored.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from vpin_store.errors import Fenced
from vpin_store.history import DAY_MS, SEQ_BITS, Step, deleted_prefixes
from vpin_store.rows import Changes, Rollup, StreamKey

ROLL_POINTS = 30_000
"""Points of one transaction of the roll-up, some 100 ms: commits wait for it."""
DROP_POINTS = 20_000

_NAMES = StreamKey._fields
_KEY = ", ".join(_NAMES)
_SUMS = "count, total, least, greatest, last, last_at"
_IS_KEY = " AND ".join(f"{name} = ?{n}" for n, name in enumerate(_NAMES, 1))
_ROLLING = f"CREATE TEMP TABLE IF NOT EXISTS rolling (stream_id, period, {_SUMS}, PRIMARY KEY (stream_id, period))"
# The last point of a minute is the one of the greatest moment, of several the one that came last: with a single max()
# SQLite gives the other columns of the row that has it.
_SUM_UP = """
    INSERT INTO rolling
    SELECT sums.stream_id, sums.period, count, total, least, greatest, value, at FROM (
        SELECT stream_id, at / 60000 AS period, count(*) AS count, sum(value) AS total, min(value) AS least,
            max(value) AS greatest
        FROM passing WHERE rowid <= ?1 AND shard IN (SELECT value FROM json_each(?2)) GROUP BY 1, 2
    ) AS sums JOIN (
        SELECT stream_id, at / 60000 AS period, value, at, max((at % 60000) << 40 | rowid)
        FROM passing WHERE rowid <= ?1 AND shard IN (SELECT value FROM json_each(?2)) GROUP BY 1, 2
    ) AS latest ON latest.stream_id = sums.stream_id AND latest.period = sums.period
    WHERE sums.stream_id IN (SELECT id FROM stream)
"""
_ADD = """
    INSERT INTO {step}_rollup (stream_id, period, count, total, least, greatest, last, last_at)
    SELECT sums.stream_id, sums.period, count, total, least, greatest, last, last_at FROM (
        SELECT stream_id, period / {factor} AS period, sum(count) AS count, sum(total) AS total, min(least) AS least,
            max(greatest) AS greatest
        FROM rolling GROUP BY 1, 2
    ) AS sums JOIN (
        SELECT stream_id, period / {factor} AS period, last, max(last_at) AS last_at FROM rolling GROUP BY 1, 2
    ) AS latest ON latest.stream_id = sums.stream_id AND latest.period = sums.period
    WHERE true
    ON CONFLICT (stream_id, period) DO UPDATE SET count = count + excluded.count, total = total + excluded.total,
        least = min(least, excluded.least), greatest = max(greatest, excluded.greatest),
        last = CASE WHEN excluded.last_at >= last_at THEN excluded.last ELSE last END,
        last_at = max(last_at, excluded.last_at)
"""


def write(connection: sqlite3.Connection, changes: Changes) -> None:
    """Within the transaction of a commit: delete streams, append points."""
    for prefix in deleted_prefixes(changes):
        _drop(connection, prefix, changes.at)
    if not changes.points:
        return
    shards = sorted({point.shard for point in changes.points})
    (batch,) = connection.execute("SELECT coalesce(max(batch), 0) + 1 FROM history_commit").fetchone()
    for shard in shards:
        known = connection.execute("SELECT id FROM history_commit WHERE shard = ?1", [shard]).fetchone()
        if known and known[0] == changes.id:
            return  # the commit was stored, its answer was lost
        connection.execute("INSERT OR REPLACE INTO history_commit VALUES (?1, ?2, ?3)", [shard, changes.id, batch])
    ids = {key: _find_stream(connection, key) for key in {point.stream for point in changes.points}}
    connection.executemany(
        "INSERT INTO passing (shard, seq, stream_id, at, value) VALUES (?1, ?2, ?3, ?4, ?5)",
        [(p.shard, batch << SEQ_BITS | n, ids[p.stream], p.at, p.value) for n, p in enumerate(changes.points)],
    )
    day = changes.at // DAY_MS
    connection.executemany(
        "INSERT INTO raw_point (day, stream_id, at, value) VALUES (?1, ?2, ?3, ?4)",
        [(day, ids[p.stream], p.at, p.value) for p in changes.points if p.keep],
    )


def add_rollups(connection: sqlite3.Connection, step: Step, rows: Sequence[tuple[StreamKey, Rollup]]) -> None:
    with _transaction(connection):
        ids = {key: _find_stream(connection, key) for key in {key for key, _ in rows}}
        connection.executemany(
            f"INSERT OR REPLACE INTO {step.table} (stream_id, period, {_SUMS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)",  # noqa: S608
            [(ids[key], at // step.ms, *sums) for key, (at, *sums) in rows],
        )


def roll_up(connection: sqlite3.Connection, owner: bytes, shards: Sequence[int]) -> int:
    """Add up the next points; how many, 0: there are none any more."""
    names = str(list(shards))
    with _transaction(connection):
        owned = {shard for (shard,) in connection.execute("SELECT shard FROM shard_owner WHERE owner = ?1", [owner])}
        if not owned.issuperset(shards):
            raise Fenced(f"shards {sorted(set(shards) - owned)} have another owner")
        sql = (
            "SELECT count(*), max(rowid) FROM (SELECT rowid FROM passing"
            " WHERE shard IN (SELECT value FROM json_each(?1)) ORDER BY rowid LIMIT ?2)"
        )
        count, last = connection.execute(sql, [names, ROLL_POINTS]).fetchone()
        if not count:
            return 0
        connection.execute(_ROLLING)
        connection.execute("DELETE FROM rolling")
        connection.execute(_SUM_UP, [last, names])
        for step, factor in (("minute", 1), ("hour", 60), ("day", 1440)):
            connection.execute(_ADD.format(step=step, factor=factor))
        sql = "DELETE FROM passing WHERE rowid <= ?1 AND shard IN (SELECT value FROM json_each(?2))"
        connection.execute(sql, [last, names])
        return count


def tidy(connection: sqlite3.Connection, now: int, raw_days: int) -> None:
    with _transaction(connection):
        oldest = connection.execute("SELECT day, rowid FROM raw_point ORDER BY rowid LIMIT 1").fetchone()
        if oldest and oldest[0] < now // DAY_MS - raw_days:
            sql = "DELETE FROM raw_point WHERE rowid < ?1 AND day < ?2"
            connection.execute(sql, [oldest[1] + DROP_POINTS, now // DAY_MS - raw_days])
        dropped = connection.execute("SELECT id FROM dropped_stream ORDER BY id LIMIT 1").fetchone()
        if dropped:
            for table in ("raw_point", *(step.table for step in Step)):
                connection.execute(f"DELETE FROM {table} WHERE stream_id = ?1", dropped)  # noqa: S608
            connection.execute("DELETE FROM dropped_stream WHERE id = ?1", dropped)


def trim_minutes(connection: sqlite3.Connection, keep: int, after: int, count: int) -> int:
    with _transaction(connection):
        sql = "SELECT id FROM stream WHERE id > ?1 ORDER BY id LIMIT ?2"
        ids = [row[0] for row in connection.execute(sql, [after, count]).fetchall()]
        sql = (
            "DELETE FROM minute_rollup WHERE stream_id = ?1 AND period <= (SELECT period FROM minute_rollup"
            " WHERE stream_id = ?1 ORDER BY period DESC LIMIT 1 OFFSET ?2)"
        )
        connection.executemany(sql, [(stream, keep) for stream in ids])
        return ids[-1] if ids else 0


def _drop(connection: sqlite3.Connection, prefix: tuple[int, ...], now: int) -> None:
    condition = " AND ".join(f"{name} = ?" for name in _NAMES[: len(prefix)])
    sql = f"INSERT OR IGNORE INTO dropped_stream SELECT id, ? FROM stream WHERE {condition}"  # noqa: S608
    connection.execute(sql, [now, *prefix])
    connection.execute(f"DELETE FROM stream WHERE {condition}", prefix)  # noqa: S608


def _find_stream(connection: sqlite3.Connection, key: StreamKey) -> int:
    """The id of a stream, made where there is none."""
    found = connection.execute(f"SELECT id FROM stream WHERE {_IS_KEY}", key).fetchone()  # noqa: S608
    if found is None:
        sql = f"INSERT INTO stream ({_KEY}) VALUES (?, ?, ?, ?, ?) RETURNING id"  # noqa: S608
        found = connection.execute(sql, key).fetchone()
    return found[0]


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
