"""Streams on PostgreSQL: the rows that stand for pins with history, and their ids, which are remembered."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from vpin_store.rows import StreamKey

MOST_IDS = 200_000  # of streams that are remembered

_KEY = "account_id, dash_id, device_id, pin_type, pin"
_KEYS = f"unnest($1::bigint[], $2::integer[], $3::integer[], $4::integer[], $5::integer[]) AS r ({_KEY})"


class Streams:
    """Ids of streams that were found before, by account."""

    def __init__(self) -> None:
        self._ids: dict[int, dict[StreamKey, int]] = {}
        self._count = 0

    def find(self, keys: Iterable[StreamKey]) -> dict[StreamKey, int]:
        found: dict[StreamKey, int] = {}
        for key in keys:
            if (account := self._ids.get(key[0])) is not None and (known := account.get(key)) is not None:
                found[key] = known
        return found

    def remember(self, ids: dict[StreamKey, int]) -> None:
        if self._count + len(ids) > MOST_IDS:
            self.clear()
        for key, number in ids.items():
            self._ids.setdefault(key[0], {})[key] = number
        self._count += len(ids)

    def forget(self, account_id: int) -> None:
        self._count -= len(self._ids.pop(account_id, ()))

    def clear(self) -> None:
        self._ids.clear()
        self._count = 0


async def find_streams(connection: Any, keys: set[StreamKey]) -> dict[StreamKey, int]:
    """Ids of streams, made where there are none."""
    found: dict[StreamKey, int] = {}
    select = f"SELECT id, {_KEY} FROM stream JOIN {_KEYS} USING ({_KEY})"  # noqa: S608
    insert = f"INSERT INTO stream ({_KEY}) SELECT {_KEY} FROM {_KEYS} ON CONFLICT DO NOTHING RETURNING id, {_KEY}"  # noqa: S608
    for sql in (select, insert, select):
        missing = sorted(keys - found.keys())
        if missing:
            records = await connection.fetch(sql, *zip(*missing, strict=True))
            found.update((StreamKey(*record[1:]), record[0]) for record in map(tuple, records))
    return found


async def drop_streams(connection: Any, prefixes: Iterable[tuple[int, ...]], now: int) -> None:
    """Take the rows away of streams with these beginnings of a key; their points wait to be deleted."""
    for width, keys in groupby(sorted(prefixes, key=len), key=len):
        columns = _KEY.split(", ")[:width]
        arrays = ", ".join(f"${n}::bigint[]" for n in range(2, width + 2))
        condition = " AND ".join(f"t.{name} = r.{name}" for name in columns)
        sql = (
            f"WITH gone AS (DELETE FROM stream AS t USING unnest({arrays}) AS r ({', '.join(columns)})"  # noqa: S608
            f" WHERE {condition} RETURNING t.id)"
            " INSERT INTO dropped_stream SELECT id, $1 FROM gone ON CONFLICT DO NOTHING"
        )
        await connection.execute(sql, now, *zip(*keys, strict=True))
