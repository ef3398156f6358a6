"""How long a question of history takes beside a great many points: fills a database, then asks.

Fills raw points of other pins (server-side, in the order in which they would have come), 30 days of minutes of one pin and of
many others, then asks for the minutes of that pin by the store's API and, where a URL is given, over HTTP. What is there
already stays and counts, so a second run only asks. 100 million raw points take some 12 GB and half an hour on two cores.

    python scripts/history_query.py postgresql://vpin@127.0.0.1/vpin --rows 5000000
    python scripts/history_query.py URL --rows 0 --stream 1,1,0,118,5 \\
        --url 'http://127.0.0.1:8080/api/v1/devices/1/history?pin=V5&step=minute&limit=43200' --bearer TOKEN
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import asyncpg
import httpx
import typer
from vpin_store import Store, open_store, upgrade
from vpin_store.history import DAY_MS, Step
from vpin_store.rows import Rollup, StreamKey

OTHERS = 1 << 40
"""The account of the other pins: no server has given that id."""
ROWS_AT_A_TIME = 1_000_000
MINUTES = 1440


def main(
    database: str,
    rows: Annotated[int, typer.Option(help="Raw points of other pins.")] = 100_000_000,
    pins: Annotated[int, typer.Option(help="Pins that these are of.")] = 10_000,
    others: Annotated[int, typer.Option(help="Other pins that have minutes too.")] = 200,
    days: Annotated[int, typer.Option(help="Days of minutes, and days on which the raw points came.")] = 30,
    stream: Annotated[
        str, typer.Option(help="The pin: account,dashboard,device,kind,number.")
    ] = f"{OTHERS + 1},1,0,118,5",
    asked: Annotated[int, typer.Option(help="How often it is asked for.")] = 100,
    url: Annotated[str, typer.Option(help="Ask this URL too.")] = "",
    bearer: Annotated[str, typer.Option(help="Token for it.")] = "",
) -> None:
    """Fill, then ask."""
    key = StreamKey(*map(int, stream.split(",")))
    asyncio.run(_main(database, rows, pins, others, days, key, asked, url, bearer))


async def _main(
    database: str, rows: int, pins: int, others: int, days: int, key: StreamKey, asked: int, url: str, bearer: str
) -> None:
    await upgrade(database)
    today = time.time_ns() // 1_000_000 // DAY_MS
    connection: Any = await asyncpg.connect(database)
    async with open_store(database) as store:
        await _fill_raw(connection, store, rows, pins, today, days)
        await _fill_minutes(connection, store, key, others, today, days)
        for table in ("minute_rollup", "raw_point", "stream"):
            await connection.execute(f"VACUUM (ANALYZE) {table}", timeout=3600)
        (count,) = await connection.fetchrow("SELECT count(*) FROM raw_point", timeout=3600)
        (minutes,) = await connection.fetchrow("SELECT count(*) FROM minute_rollup", timeout=3600)
        _say(f"{count:,} raw points, {minutes:,} minutes")
        await connection.close()
        end, wanted = (today + 1) * DAY_MS, days * MINUTES
        start = end - wanted * Step.MINUTE.ms

        async def ask() -> None:
            found = await store.history.rollups(key, Step.MINUTE, start, end, wanted)
            assert len(found) == wanted, len(found)

        await _time(f"{wanted:,} minutes of one pin, store", ask, asked)
        random_pins = [StreamKey(OTHERS, 1, random.randrange(others), 118, 1) for _ in range(asked)]  # noqa: S311  no secret

        async def ask_another() -> None:
            await store.history.rollups(random_pins.pop(), Step.MINUTE, start, end, wanted)

        await _time("the same of ever other pins", ask_another, asked)
        await _time("1,440 minutes", lambda: store.history.rollups(key, Step.MINUTE, start, end, MINUTES), asked)
    if url:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        async with httpx.AsyncClient(headers=headers, timeout=60) as client:

            async def fetch() -> None:
                (await client.get(url)).raise_for_status()

            await _time("over HTTP", fetch, asked)


async def _fill_raw(connection: Any, store: Store, rows: int, pins: int, today: int, days: int) -> None:
    sql = (
        "INSERT INTO stream (account_id, dash_id, device_id, pin_type, pin)"
        " SELECT $1::bigint, 1, n, 118, 1 FROM generate_series(0, $2::integer - 1) AS n ON CONFLICT DO NOTHING"
    )
    await connection.execute(sql, OTHERS, pins)
    (first,) = await connection.fetchrow("SELECT min(id) FROM stream WHERE account_id = $1", OTHERS)
    (there,) = await connection.fetchrow("SELECT count(*) FROM raw_point", timeout=3600)
    started, each = time.perf_counter(), -(-rows // days)
    for number in range(days):
        day = today - days + 1 + number
        await store.history.tidy(day * DAY_MS, 1 << 30)
        for begin in range(max(0, there - number * each), each, ROWS_AT_A_TIME):
            sql = (
                f"INSERT INTO raw_point_{day} (day, stream_id, at, value)"  # noqa: S608
                " SELECT $1::integer, $2::integer + n % $3, $1::bigint * 86400000 + n * 86400000 / $4, n % 1000"
                " FROM generate_series($5::bigint, $6::bigint - 1) AS n"
            )
            last = min(begin + ROWS_AT_A_TIME, each)
            await connection.execute(sql, day, first, pins, each, begin, last, timeout=3600)
        done = (number + 1) * each
        _say(f"raw points of day {number + 1}/{days}: {done:,} after {time.perf_counter() - started:.0f} s")


async def _fill_minutes(connection: Any, store: Store, key: StreamKey, others: int, today: int, days: int) -> None:
    """Minute after minute, of all pins each, as roll-ups write them."""
    if await store.history.rollups(key, Step.MINUTE, 0, 1 << 60, 1):
        return
    await store.history.add_rollups(Step.MINUTE, [(key, Rollup((today + 1) * DAY_MS - 60_000, 60, 30, 0, 1, 0.5))])
    (own,) = await connection.fetchrow("SELECT max(stream_id) FROM minute_rollup", timeout=3600)
    sql = (
        "INSERT INTO minute_rollup SELECT s.id, m, 60, m % 100, 0, 1, 0.5, m * 60000::bigint"
        " FROM generate_series($1::integer, $2::integer - 1) AS m,"
        " (SELECT id FROM stream WHERE id = $3 OR (account_id = $4 AND device_id < $5)) AS s"
        " ORDER BY m, s.id ON CONFLICT DO NOTHING"
    )
    for day in range(today - days + 1, today + 1):
        await connection.execute(sql, day * MINUTES, (day + 1) * MINUTES, own, OTHERS, others, timeout=3600)
    _say(f"{days} days of minutes of {others + 1} pins")


async def _time(name: str, ask: Callable[[], Awaitable[object]], times: int) -> None:
    took: list[float] = []
    for _ in range(times):
        gc.collect()
        started = time.perf_counter()
        await ask()
        took.append((time.perf_counter() - started) * 1000)
    cuts = statistics.quantiles(took, n=20)
    _say(f"{name}: p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms, first {took[0]:.1f} ms")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
