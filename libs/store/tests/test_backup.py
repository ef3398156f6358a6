"""Backups: every table, between both kinds of database, all or nothing."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from vpin_store import StoreUnavailable, in_use, open_store, schema, upgrade
from vpin_store.backup import BackupError, check, restore, save
from vpin_store.backup.archive import Column, End, Head, Reader, TableHead, Writer
from vpin_store.backup.snapshot import COUNTED, LEFT_OUT, TABLES
from vpin_store.history import Step
from vpin_store.migrations import HEAD, check_schema, create_engine, run_alembic
from vpin_store.postgres_history import SLOTS
from vpin_store.rows import Changes, PointRow, StreamKey
from vpin_store.schema import Table

from .samples import account, dashboard, device, template, token, value, widget

pytestmark = pytest.mark.anyio

ROWS = 3
VALUES = {
    "integer": lambda n: n + 1,
    "bigint": lambda n: (1 << 40) + n,
    "double precision": lambda n: n + 0.1,
    "boolean": lambda n: n % 2 == 0,
    "text": lambda n: f"täxt {n} \\u0000 \\\\",
    "json": lambda n: f'{{"a":"\\u0000ü","n":{n}}}',
    "bytea": lambda n: bytes([0, 255, n]),
}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A second database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/other.db"
    return request.getfixturevalue("other_postgres")


@pytest.fixture
def other_postgres(postgres_server_url: str) -> Any:
    from infra.database import fresh_database

    with fresh_database(postgres_server_url) as url:
        yield url


def rows_of(table: Table) -> list[tuple[Any, ...]]:
    return [tuple(_value(table, column.name, column.kind, n) for column in table.columns) for n in range(ROWS)]


def _value(table: Table, name: str, kind: str, n: int) -> Any:
    if table is schema.PASSING and name == "seq":
        return (n * 40_000) << 20 | n  # batches that lie far apart in the ring
    return VALUES[kind](n)


def head(tables: tuple[Table, ...] = TABLES, revision: str = HEAD) -> Head:
    heads = tuple(TableHead(t.name, tuple(Column(c.name, c.kind) for c in t.columns)) for t in tables)
    return Head(1, revision, 1_700_000_000_000, "sqlite", heads)


def full() -> bytes:
    """A backup with rows in every table."""
    file = BytesIO()
    writer = Writer(file, head())
    for place, table in enumerate(TABLES):
        if table is not schema.HISTORY_ROLLED:  # else points would count as rolled up
            writer.add(place, rows_of(table))
    writer.end({"account": (1 << 40) + 900, "stream": 900, "history_batch": 900})
    return file.getvalue()


def contents(backup: bytes) -> tuple[dict[str, list[Any]], End]:
    """Rows by table, in an order of their own."""
    reader = Reader(BytesIO(backup))
    found: dict[str, list[Any]] = {table.name: [] for table in reader.head.tables}
    for block in reader.rows():
        found[reader.head.tables[block.table].name] += map(tuple, block.rows)
    assert reader.end is not None
    return {name: sorted(rows, key=repr) for name, rows in found.items()}, reader.end


async def saved(url: str) -> bytes:
    file = BytesIO()
    await save(url, file)
    return file.getvalue()


def test_every_table_is_in_a_backup_or_left_out_on_purpose():
    assert {*TABLES, *LEFT_OUT} == set(schema.TABLES)
    assert {table.name for table in LEFT_OUT} == {"shard_owner", "notification_job"}


async def test_nothing_that_the_database_has_is_forgotten(empty_url: str):
    """Asked of the database itself: whoever adds a table or a sequence has to say whether backups have it."""
    await upgrade(empty_url)
    engine = create_engine(empty_url)
    async with engine.connect() as connection:
        if empty_url.startswith("sqlite"):
            found = await connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
            names = {name for (name,) in found if not name.startswith("sqlite_")}
            sql = "SELECT name FROM sqlite_master WHERE upper(sql) LIKE '%AUTOINCREMENT%'"
            counted = {name for (name,) in await connection.exec_driver_sql(sql)}
        else:
            kinds = "c.relkind IN ('r', 'p') AND NOT c.relispartition"
            sql = "SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND "
            parts = {f"passing_{n}" for n in range(SLOTS)}  # children of a table by inheritance
            names = {name for (name,) in await connection.exec_driver_sql(sql + kinds)} - parts
            counted = {name for (name,) in await connection.exec_driver_sql(sql + "c.relkind = 'S'")}
            counted = {name.removesuffix("_id_seq") for name in counted} - {"history_batch"}
    await engine.dispose()
    assert names == {table.name for table in (*TABLES, *LEFT_OUT)} | {"alembic_version"}
    assert counted == set(COUNTED)
    counters = contents(await saved(empty_url))[1].counters
    assert "history_batch" in counters or empty_url.startswith("sqlite")


async def test_every_table_moves_from_one_database_to_another(empty_url: str, other_url: str):
    first = full()
    await restore(empty_url, BytesIO(first))
    second = await saved(empty_url)
    assert contents(second)[0] == contents(first)[0]
    await restore(other_url, BytesIO(second))
    third = await saved(other_url)
    assert contents(third)[0] == contents(first)[0]
    assert await check_schema(other_url)
    counters = contents(third)[1].counters
    assert counters["account"] == (1 << 40) + 900
    assert counters["stream"] == 900


async def test_numbers_go_on_where_they_were(empty_url: str):
    await restore(empty_url, BytesIO(full()))
    async with open_store(empty_url) as store:
        assert await store.create_account(account(email="new@example.com")) == (1 << 40) + 901


async def test_a_store_that_is_moved_answers_the_same(empty_url: str, other_url: str):
    await upgrade(empty_url)
    odd = 'n\0 "\\ \ud800'
    async with open_store(empty_url) as store:
        changes = Changes(
            accounts=[account(1, name=odd)],
            dashboards=[dashboard(1, 1)],
            widgets=[widget(1, 1, 1)],
            devices=[device(1, 1, 0, name=odd)],
            tokens=[token("t" * 32, 1), token("s" * 32, 1, body=b'{"a":1}')],
            values=[value(1, 1, 0, 1, b"a\0\xff"), value(1, 1, 0, 2, lines=b"\x90", value=None)],
        )
        await store.commit(changes)
        before = await store.load_accounts([1])
        backup = await saved(empty_url)
    await restore(other_url, BytesIO(backup))
    async with open_store(other_url) as store:
        assert await store.load_accounts([1]) == before
        assert (await store.tokens.find(["t" * 32])).keys() == {"t" * 32}
        assert not await store.claim(0, b"o" * 16)


async def test_points_on_their_way_arrive_where_the_backup_is_restored(empty_url: str, other_url: str):
    await upgrade(empty_url)
    pin = StreamKey(1, 1, 0, ord("v"), 5)
    at = 1_700_000_000_000
    async with open_store(empty_url) as store:
        await store.claim(3, b"o" * 16)
        for n in range(3):
            points = [PointRow(pin, at + n, float(n), keep=True, shard=3)]
            await store.commit(Changes(points=points, owner=b"o" * 16, shards=[3], at=at, id=bytes([n]) * 16))
            if n == 0:
                await store.history.roll_up(b"o" * 16, [3])
        backup = await saved(empty_url)
    await restore(other_url, BytesIO(backup))
    async with open_store(other_url) as store:
        await store.claim(3, b"n" * 16)
        points = [PointRow(pin, at + 3, 3.0, shard=3)]
        await store.commit(Changes(points=points, owner=b"n" * 16, shards=[3], at=at, id=b"z" * 16))
        while await store.history.roll_up(b"n" * 16, [3]):
            pass
        (minute,) = await store.history.rollups(pin, Step.MINUTE, 0, at * 2, 10)
        assert (minute.count, minute.total, minute.last) == (4, 6.0, 3.0)
        assert await store.history.points(pin, 0, at * 2, 10) == [(at, 0.0), (at + 1, 1.0), (at + 2, 2.0)]


async def test_a_backup_is_of_one_moment(empty_url: str):
    """A writer that adds a dashboard to each of two accounts in one commit is never seen half way."""
    await upgrade(empty_url)
    stop = threading.Event()

    def write() -> None:
        async def work() -> None:
            async with open_store(empty_url) as store:
                number = 0
                while not stop.is_set():
                    number += 1
                    await store.commit(
                        Changes(
                            dashboards=[dashboard(account_id, number) for account_id in (1, 2)],
                            devices=[device(1, number, 0)],
                            values=[value(1, number, 0, 1)],
                        )
                    )

        asyncio.run(work())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            rows, _ = contents(await saved(empty_url))
            dashboards = {n: [row for row in rows["dashboard"] if row[0] == n] for n in (1, 2)}
            assert len(dashboards[1]) == len(dashboards[2]) == len(rows["device"]) == len(rows["pin_value"])
            await asyncio.sleep(0.02)
    finally:
        stop.set()
        writer.join()


async def test_only_an_empty_database_is_filled_unless_it_is_to_be_replaced(empty_url: str):
    backup = full()
    await upgrade(empty_url)
    async with open_store(empty_url) as store:
        await store.create_account(account(email="first-admin@example.com"))
    await restore(empty_url, BytesIO(backup))  # an account that nobody ever used
    with pytest.raises(BackupError, match="--replace"):
        await restore(empty_url, BytesIO(backup))
    await restore(empty_url, BytesIO(backup), replace=True)
    assert contents(await saved(empty_url))[0] == contents(backup)[0]


async def test_it_is_refused_while_somebody_works_with_the_database(empty_url: str):
    await upgrade(empty_url)
    backup = full()
    async with open_store(empty_url) as store:
        assert await in_use(empty_url)
        with pytest.raises(BackupError, match="running"):
            await restore(empty_url, BytesIO(backup), replace=True)
        assert await store.list_accounts(10) == []
    await restore(empty_url, BytesIO(backup))


def damaged() -> list[tuple[str, bytes]]:
    whole = full()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    return [
        ("cut", whole[:-40]),
        ("half", whole[: len(whole) // 2]),
        ("changed", bytes(changed)),
        ("text", b"hello"),
        ("", b""),
    ]


@pytest.mark.parametrize("backup", [b for _, b in damaged()], ids=[n for n, _ in damaged()])
async def test_of_a_damaged_backup_nothing_is_restored(empty_url: str, backup: bytes):
    await upgrade(empty_url)
    async with open_store(empty_url) as store:
        await store.commit(Changes(accounts=[account(1)], dashboards=[dashboard(1, 1)]))
    before = contents(await saved(empty_url))[0]
    with pytest.raises(BackupError):
        await restore(empty_url, BytesIO(backup), replace=True)
    with pytest.raises(BackupError):
        check(BytesIO(backup))
    assert contents(await saved(empty_url))[0] == before


def test_whatever_is_wrong_with_a_file_it_is_refused_or_read_as_it_was_written():
    """Bytes changed, lost and added, in the file as it lies on the disk and below its compression."""
    whole = full()
    plain, before, chance = gzip.decompress(whole), contents(whole), random.Random(1)
    for n in range(600):
        text = bytearray(plain if n % 2 else whole)
        for _ in range(chance.choice((1, 1, 3, 20))):
            at, length = chance.randrange(len(text)), chance.randrange(1, 50)
            match chance.randrange(4):
                case 0:
                    del text[at : at + length]
                case 1:
                    text[at:at] = chance.randbytes(length)
                case _:
                    text[at] = chance.randrange(256)
        damaged = gzip.compress(bytes(text), 1) if n % 2 else bytes(text)
        try:
            found = contents(damaged)
        except BackupError:
            continue
        assert found == before  # in the header or behind the end


async def test_names_that_are_no_names_never_reach_a_statement(empty_url: str):
    file = BytesIO()
    bad = TableHead("account; DROP TABLE account", ())
    Writer(file, Head(1, HEAD, 0, "sqlite", (bad,))).end({})
    with pytest.raises(BackupError, match="no backup"):
        await restore(empty_url, BytesIO(file.getvalue()))


def forged(*tables: tuple[Table, list[tuple[Any, ...]]], revision: str = HEAD) -> bytes:
    """A backup whose checksum is right and whose contents are not."""
    file = BytesIO()
    writer = Writer(file, head(tuple(table for table, _ in tables), revision))
    for place, (_, rows) in enumerate(tables):
        writer.add(place, rows)
    writer.end({})
    return file.getvalue()


SECRET = "secret-token-of-a-board"


@pytest.mark.parametrize(
    "what", ["twice", "not null", "too long", "too large", "no table", "no revision", "foreign", "sly"]
)
async def test_rows_that_a_database_refuses_are_told_without_them_and_nothing_is_changed(empty_url: str, what: str):
    await upgrade(empty_url)
    async with open_store(empty_url) as store:
        await store.commit(Changes(accounts=[account(1)], dashboards=[dashboard(1, 1)]))
    before = contents(await saved(empty_url))[0]
    row = (SECRET, "device", 1, 1, 0, 0, None)
    stranger = replace(schema.TOKEN, name="alembic_version" if what == "foreign" else "stranger")
    backup = {
        "twice": lambda: forged((schema.TOKEN, [row, row])),
        "not null": lambda: forged((schema.TOKEN, [(SECRET, None, *row[2:])])),
        "too long": lambda: forged((schema.TOKEN, [(*row, 1)])),
        "too large": lambda: forged((schema.TOKEN, [(SECRET, "device", 1 << 63, *row[3:])])),
        "no table": lambda: forged((stranger, [row])),
        "no revision": lambda: forged((schema.TOKEN, [row]), revision="0000"),
        "foreign": lambda: forged((stranger, [row])),
        "sly": lambda: forged((schema.RAW_POINT, [("1) TO (2); DROP TABLE dashboard; --", 1, 1, 1.0)])),
    }[what]()
    with pytest.raises(BackupError) as refused:
        await restore(empty_url, BytesIO(backup), replace=True)
    assert SECRET not in str(refused.value)
    assert contents(await saved(empty_url))[0] == before


async def test_a_template_alone_makes_a_database_full(empty_url: str):
    """Whoever works with the API only has neither projects nor log-ins of an app."""
    await upgrade(empty_url)
    async with open_store(empty_url) as store:
        await store.commit(Changes(accounts=[account(1, last_login_at=0)], templates=[template(1, "TMPL12345678")]))
    with pytest.raises(BackupError, match="--replace"):
        await restore(empty_url, BytesIO(full()))


@pytest.mark.parametrize("damage", ["no database", "pages"])
async def test_a_damaged_file_of_sqlite_is_told_and_replaced(tmp_path: Path, damage: str):
    path = tmp_path / "vpin.db"
    url = f"sqlite:///{path}"
    await upgrade(url)
    if damage == "no database":
        path.write_bytes(b"x" * 20_000)
        (tmp_path / "vpin.db-wal").write_bytes(b"of the damaged one")
    else:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"x" * 4096 * 40)
    with pytest.raises(BackupError, match=r"cannot be read|not a database"):
        await saved(url)
    with pytest.raises(BackupError, match="damaged"):
        await restore(url, BytesIO(full()))
    await restore(url, BytesIO(full()), replace=True)
    assert contents(await saved(url))[0] == contents(full())[0]


@pytest.mark.integration
async def test_a_database_that_goes_away_while_a_backup_is_made_is_told(postgres_database: str):
    await restore(postgres_database, BytesIO(full()))
    engine = create_engine(postgres_database)
    file = BytesIO()
    cut: list[int] = []

    async with engine.connect() as other:
        sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vpin backup'"

        def tell(done: int, total: int) -> None:
            if done > 20 and not cut:
                cut.append(done)
                loop.call_soon(task.set_result, None)

        loop = asyncio.get_running_loop()
        task: asyncio.Future[None] = loop.create_future()

        async def terminate() -> None:
            await task
            await other.exec_driver_sql(sql)

        async def save_until_it_is_cut() -> None:
            async with asyncio.timeout(20):
                while True:  # one may be done before it hears of it
                    await save(postgres_database, file, tell)

        killer = asyncio.create_task(terminate())
        with pytest.raises((StoreUnavailable, ConnectionError)):
            await save_until_it_is_cut()
        await killer
    await engine.dispose()


async def test_a_backup_of_a_newer_version_is_refused(empty_url: str):
    file = BytesIO()
    Writer(file, head((), "9999")).end({})
    with pytest.raises(BackupError, match="newer"):
        await restore(empty_url, BytesIO(file.getvalue()))


async def test_a_backup_of_an_older_schema_is_migrated(empty_url: str):
    """As 0001 was: accounts without the columns that came later."""
    columns = tuple(c for c in schema.ACCOUNT.columns if c.name not in ("time_zone", "seq", "timed"))
    old = Head(1, "0001", 0, "sqlite", (TableHead("account", tuple(Column(c.name, c.kind) for c in columns)),))
    file = BytesIO()
    writer = Writer(file, old)
    writer.add(0, [tuple(_value(schema.ACCOUNT, c.name, c.kind, n) for c in columns) for n in range(2)])
    writer.end({"account": 7})
    await restore(empty_url, BytesIO(file.getvalue()))
    assert await check_schema(empty_url)
    async with open_store(empty_url) as store:
        assert [row.time_zone for row in await store.list_accounts(10, 0)] == ["", ""]


async def test_a_database_of_an_older_schema_has_to_be_upgraded_first(empty_url: str):
    with pytest.raises(BackupError, match=r"empty|no database"):
        await saved(empty_url)
    await run_alembic(empty_url, "0001")
    with pytest.raises(BackupError, match="vpin db upgrade"):
        await saved(empty_url)


KILLED = """
import asyncio, os, signal, sys
from vpin_store.backup import restore

def tell(rows):
    if rows:
        print("under way", flush=True)
        signal.pause()

asyncio.run(restore(sys.argv[1], open(sys.argv[2], "rb"), replace=True, tell=tell))
"""


async def test_kill_9_in_the_middle_changes_nothing(empty_url: str, tmp_path: Path):
    await upgrade(empty_url)
    async with open_store(empty_url) as store:
        await store.commit(Changes(accounts=[account(1)], dashboards=[dashboard(1, 1)]))
    before = contents(await saved(empty_url))[0]
    file = tmp_path / "backup"
    file.write_bytes(full())
    command = [sys.executable, "-c", KILLED, empty_url, str(file)]
    child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert await child.stdout.readline() == b"under way\n"
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()
    assert contents(await saved(empty_url))[0] == before
    await restore(empty_url, BytesIO(file.read_bytes()), replace=True)
    if empty_url.startswith("sqlite"):
        assert [name for name in os.listdir(tmp_path) if name.startswith("vpin.db")] == ["vpin.db"]  # noqa: PTH208


async def test_memory_stays_bounded(tmp_path: Path):
    """Half a million points, some 40 MB of them as rows, pass through in blocks."""
    import tracemalloc

    url = f"sqlite:///{tmp_path}/vpin.db"
    await upgrade(url)
    with sqlite3.connect(tmp_path / "vpin.db") as connection:
        points = ((1, 1, at, at * 0.5) for at in range(500_000))
        connection.executemany("INSERT INTO raw_point (day, stream_id, at, value) VALUES (?, ?, ?, ?)", points)
    connection.close()
    backup = tmp_path / "backup"
    tracemalloc.start()
    with backup.open("wb") as file:
        end = await save(url, file)
    assert end.counts["raw_point"] == 500_000
    with backup.open("rb") as file:
        await restore(url, file, replace=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 2**20
