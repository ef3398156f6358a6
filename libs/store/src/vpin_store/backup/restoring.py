"""Filling a database from a backup, all or nothing.

On PostgreSQL everything happens in one transaction. On SQLite a new file is made beside the old one and takes its name when
it is whole. A backup of an older schema goes into tables of that schema, which then are migrated.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import asyncpg  # type: ignore[reportMissingTypeStubs]  there are none

from vpin_store.backup.archive import BackupError, End, Head, Reader, Rows, TableHead
from vpin_store.history import SEQ_BITS
from vpin_store.migrations import HEAD, create_engine, is_newer, migrate, run_alembic
from vpin_store.occupancy import in_use
from vpin_store.postgres_history import SLOT_BITS, SLOTS
from vpin_store.schema import TABLES
from vpin_store.sqlite import create_file
from vpin_store.urls import sqlite_path

Tell = Callable[[int], None]
BUSY = "vpin is running on this database: stop it first"
DAMAGED = "the database is damaged, or is none: --replace puts the backup in its place"
NOT_EMPTY = "the database is not empty: --replace deletes all that it has"
_FILLED = ("dashboard", "template", "firmware")
"""Tables whose rows somebody has made; in old schemas some are not there."""


async def restore(
    url: str, file: BinaryIO, *, replace: bool = False, tell: Tell = lambda rows: None
) -> tuple[Head, End]:
    """Make the database what it was when the backup was made; its schema becomes this version's.

    BackupError, and nothing was changed: the backup is damaged or too new, the database is in use, or it is not empty
    and not to be replaced, or refuses a row, or goes away. A database with no more than an account that was never used
    counts as empty. StoreUnavailable: PostgreSQL is away.
    """
    reader = Reader(file)
    if is_newer(reader.head.schema):
        raise BackupError(f"the backup has schema {reader.head.schema}, this version of vpin {HEAD}: take a newer one")
    path = sqlite_path(url)
    if path is None and await in_use(url):
        raise BackupError(BUSY)
    # Imported only now: a restore has them in any case, a check does not.
    from alembic.util.exc import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if path is not None:
            await _restore_sqlite(path, reader, replace, tell)
        else:
            await _restore_postgres(url, reader, replace, tell)
    except (sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError, CommandError) as error:
        raise BackupError(f"the database refuses it: {_reason(error)}") from error
    except (OverflowError, TypeError) as error:  # a value that its column cannot have
        raise BackupError("the backup is damaged, or no backup of vpin") from error
    assert reader.end is not None
    return reader.head, reader.end


# -- SQLite


async def _restore_sqlite(path: Path, reader: Reader, replace: bool, tell: Tell) -> None:
    fresh = path.with_name(f"{path.name}.restoring")
    with _alone(path, replace):
        try:
            fresh.unlink(missing_ok=True)
            create_file(fresh)
            await run_alembic(f"sqlite:///{fresh}", reader.head.schema)
            _fill_sqlite(fresh, reader, tell)
            await run_alembic(f"sqlite:///{fresh}")
            _sync(fresh)
            for rest in ("-wal", "-shm", "-journal"):  # of a damaged file: SQLite would put it into the new one
                path.with_name(path.name + rest).unlink(missing_ok=True)
            fresh.replace(path)
            _sync(path.parent)
        finally:
            for left in path.parent.glob(f"{fresh.name}*"):
                left.unlink()


@contextmanager
def _alone(path: Path, replace: bool) -> Generator[None]:
    """Keep others off the database, which may be replaced: else BackupError."""
    is_new = not path.exists()
    create_file(path)
    try:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            try:
                _lock(connection, replace)
            except sqlite3.DatabaseError as error:
                code = cast(Any, error).sqlite_errorcode & 0xFF
                if code == sqlite3.SQLITE_BUSY:
                    raise BackupError(BUSY) from None
                if code not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                    raise
                if not replace:
                    raise BackupError(DAMAGED) from None
            yield
    finally:
        if is_new and path.exists() and not path.stat().st_size:
            path.unlink()


def _lock(connection: sqlite3.Connection, replace: bool) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()  # refused while others are there
    if mode != "delete":
        raise BackupError(BUSY)
    connection.execute("BEGIN EXCLUSIVE")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not replace and "account" in tables and connection.execute(_is_used(tables)).fetchone()[0]:
        raise BackupError(NOT_EMPTY)


def _fill_sqlite(path: Path, reader: Reader, tell: Tell) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")  # the file counts when it is whole
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for table, blocks in _tables(reader):
            names = ", ".join(column.name for column in table.columns)
            values = ", ".join("?" for _ in table.columns)
            for block in blocks:
                connection.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({values})", block.rows)  # noqa: S608
                tell(len(block.rows))
        for name, number in _counters(reader):
            connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", [name])
            connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [name, number])
        connection.execute("COMMIT")


def _sync(path: Path) -> None:
    """A file or folder is on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


# -- PostgreSQL


async def _restore_postgres(url: str, reader: Reader, replace: bool, tell: Tell) -> None:
    engine = create_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            driver = cast(Any, (await connection.get_raw_connection()).driver_connection)  # asyncpg, in the transaction
            await _make_room(driver, replace)
            await connection.run_sync(migrate, reader.head.schema)
            await _fill_postgres(driver, reader, tell)
            await connection.run_sync(migrate)
            await driver.execute(f"ANALYZE {', '.join(table.name for table in TABLES)}")
    finally:
        await engine.dispose()


async def _make_room(driver: Any, replace: bool) -> None:
    """Drop the tables that are there, if that is allowed."""
    if await driver.fetchval("SELECT to_regclass('alembic_version')") is None:
        return
    revision = await driver.fetchval("SELECT version_num FROM alembic_version")
    if is_newer(revision):
        raise BackupError(f"a newer version of vpin has made the database (schema {revision})")
    tables = {name for name in _FILLED if await driver.fetchval("SELECT to_regclass($1)", name) is not None}
    if not replace and await driver.fetchval(_is_used(tables)):
        raise BackupError(NOT_EMPTY)
    names = ", ".join(table.name for table in TABLES)
    await driver.execute(f"DROP TABLE IF EXISTS alembic_version, {names} CASCADE")
    await driver.execute("DROP SEQUENCE IF EXISTS history_batch")


async def _fill_postgres(driver: Any, reader: Reader, tell: Tell) -> None:
    days: set[int] = set()
    for table, blocks in _tables(reader):
        columns = [column.name for column in table.columns]
        for block in blocks:
            for name, rows in _places(table.name, columns, block):
                if table.name == "raw_point" and (day := rows[0][columns.index("day")]) not in days:
                    days.add(day)
                    partition = f"PARTITION OF raw_point FOR VALUES FROM ({day}) TO ({day + 1})"
                    await driver.execute(f"CREATE TABLE {name} {partition}")
                await driver.copy_records_to_table(name, records=rows, columns=columns)
            tell(len(block.rows))
    for name, number in _counters(reader):
        sql = f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), greatest($1, (SELECT max(id) FROM {name})))"  # noqa: S608
        await driver.execute(sql.replace("$1", str(number)))
    assert reader.end is not None
    if "history_commit" in reader.end.counts:
        last = reader.end.counters.get("history_batch", 1)
        sql = f"SELECT setval('history_batch', greatest({last}, (SELECT max(batch) FROM history_commit)))"  # noqa: S608
        await driver.execute(sql)


def _places(table: str, columns: list[str], block: Rows) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """Into which tables of PostgreSQL the rows go: raw points by day, points on their way by the ring's order."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    if table == "raw_point":
        at = columns.index("day")
        for row in block.rows:
            found.setdefault(f"raw_point_{row[at]}", []).append(row)
    elif table == "passing":
        at = columns.index("seq")
        for row in block.rows:
            found.setdefault(f"passing_{(row[at] >> SEQ_BITS >> SLOT_BITS) % SLOTS}", []).append(row)
    else:
        found[table] = list(block.rows)
    return list(found.items())


# -- both


def _is_used(tables: Iterable[str]) -> str:
    """Query: somebody has worked with a database that has these tables."""
    filled = "".join(f" OR EXISTS (SELECT 1 FROM {name})" for name in _FILLED if name in tables)  # noqa: S608
    return (
        f"SELECT (SELECT count(*) FROM account) > 1 OR EXISTS (SELECT 1 FROM account WHERE last_login_at > 0){filled}"  # noqa: S608
    )


def _reason(error: Exception) -> str:
    """Without the values that a database quotes: among them are tokens."""
    return str(getattr(error, "orig", error)).partition("\n")[0] or type(error).__name__


def _tables(reader: Reader) -> Iterator[tuple[TableHead, Iterator[Rows]]]:
    """Table by table, each with its blocks, which have to be taken before the next table is."""
    blocks = reader.rows()
    waiting = next(blocks, None)

    def of_table(place: int) -> Iterator[Rows]:
        nonlocal waiting
        while waiting is not None and waiting.table == place:
            yield waiting
            waiting = next(blocks, None)

    for place, table in enumerate(reader.head.tables):
        yield table, of_table(place)
    if waiting is not None:
        raise BackupError("the backup is damaged: its parts are out of order")


def _counters(reader: Reader) -> list[tuple[str, int]]:
    """Of tables whose rows are numbered: (table, the last number that was given)."""
    assert reader.end is not None
    return [(name, number) for name, number in reader.end.counters.items() if name in reader.end.counts]
