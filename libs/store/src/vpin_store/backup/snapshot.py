"""Reading a whole database as it is at one moment, while others go on writing."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Protocol, cast

import asyncpg  # type: ignore[reportMissingTypeStubs]  there are none

from vpin_store import migrations, schema
from vpin_store.backup.archive import BackupError
from vpin_store.errors import StoreUnavailable, WrongSchema
from vpin_store.history import SEQ_BITS
from vpin_store.schema import Table
from vpin_store.urls import postgres_dsn, sqlite_path

LEFT_OUT = (schema.OWNER, schema.JOB)
"""Who owns a shard now; notifications that are just being sent and would be sent again."""
TABLES = tuple(table for table in schema.TABLES if table not in LEFT_OUT)
COUNTED = ("account", "stream")
"""Tables that number their rows, and no number ever comes twice."""

_asyncpg = cast(Any, asyncpg)  # it has no types
_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
_NOT_ROLLED_UP = (
    "WHERE NOT EXISTS (SELECT 1 FROM history_rolled AS r"  # noqa: S608  made of constants
    f" WHERE r.shard = passing.shard AND passing.seq < (r.batch + 1) * {1 << SEQ_BITS}) ORDER BY seq"
)
_REST = {"passing": _NOT_ROLLED_UP}
"""What follows ``FROM table``: points that are in the rollups are only waiting to be thrown away."""


class Snapshot(Protocol):
    """A database at one moment."""

    database: str

    def rows(self, table: Table) -> AsyncIterator[list[tuple[Any, ...]]]:
        """All rows of the table in blocks; values as in :class:`vpin_store.backup.archive.Rows`."""
        ...

    async def estimate(self) -> int:
        """About how many rows all tables have."""
        ...

    async def counters(self) -> dict[str, int]:
        """See :class:`vpin_store.backup.archive.End`."""
        ...


@asynccontextmanager
async def open_snapshot(url: str) -> AsyncGenerator[Snapshot]:
    """BackupError unless the database has this version's schema; StoreUnavailable when PostgreSQL is away, or goes away."""
    path = sqlite_path(url)
    if path is not None:
        try:
            with closing(_open_sqlite(path)) as connection:
                yield SqliteSnapshot(connection)
        except sqlite3.Error as error:
            raise BackupError(f"{path} cannot be read: {error}") from error
        return
    try:
        connection = await _asyncpg.connect(
            postgres_dsn(url), timeout=5, server_settings={"application_name": "vpin backup"}
        )
    except _AWAY as error:
        raise StoreUnavailable(str(error) or type(error).__name__) from error
    try:
        await _check(connection)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            # A lock does not fix the moment yet. TRUNCATE and DROP, which are seen at once, have to wait from now on.
            await connection.execute(
                "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
            )
            await connection.execute(f"LOCK TABLE {', '.join(table.name for table in TABLES)} IN ACCESS SHARE MODE")
            await _check(connection)  # fixes it
            yield PostgresSnapshot(connection)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreUnavailable(str(error).partition("\n")[0] or type(error).__name__) from error
    finally:
        await connection.close()


class SqliteSnapshot:
    """One read transaction in WAL mode: writers go on."""

    database = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def rows(self, table: Table) -> AsyncIterator[list[tuple[Any, ...]]]:
        cursor = self._connection.execute(_select(table))
        size = block(table)
        while found := cursor.fetchmany(size):
            yield [_bools(row, table.booleans) for row in found] if table.booleans else found

    async def estimate(self) -> int:
        counts = (self._connection.execute(f"SELECT count(*) FROM {table.name}").fetchone() for table in TABLES)  # noqa: S608
        return sum(count for (count,) in counts)

    async def counters(self) -> dict[str, int]:
        found = self._connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
        return {name: seq for name, seq in found if name in COUNTED}


class PostgresSnapshot:
    """One transaction that reads repeatably. Nothing is thrown away that it has not read yet."""

    database = "postgresql"

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def rows(self, table: Table) -> AsyncIterator[list[tuple[Any, ...]]]:
        cursor = await self._connection.cursor(_select(table))
        size = block(table)
        while found := await cursor.fetch(size):
            yield list(map(tuple, found))

    async def estimate(self) -> int:
        sql = (
            "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class WHERE relkind = 'r' AND relname ~ $1"
        )
        names = "|".join(table.name for table in TABLES)
        return await self._connection.fetchval(sql, f"^({names})(_\\d+)?$")

    async def counters(self) -> dict[str, int]:
        sequences = {table: f"pg_get_serial_sequence('{table}', 'id')" for table in COUNTED}
        found = {"history_batch": await self._connection.fetchval("SELECT last_value FROM history_batch")}
        for table, sequence in sequences.items():
            name = await self._connection.fetchval(f"SELECT {sequence}")
            found[table] = await self._connection.fetchval(f"SELECT last_value FROM {name}")  # noqa: S608
        return found


def block(table: Table) -> int:
    """Rows that may be in memory together: images of firmware are large, numbers are small."""
    if table is schema.FIRMWARE:
        return 1
    is_small = all(column.kind in ("integer", "bigint", "double precision") for column in table.columns)
    return 5000 if is_small else 500


def _open_sqlite(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise BackupError(f"there is no database {path}")
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
        check_revision(found[0] if found else None)
    except (BackupError, sqlite3.Error):
        connection.close()
        raise
    return connection


async def _check(connection: Any) -> None:
    known = await connection.fetchval("SELECT to_regclass('alembic_version')")
    check_revision(await connection.fetchval("SELECT version_num FROM alembic_version") if known else None)


def check_revision(found: str | None) -> None:
    """BackupError unless it is this version's."""
    if found is None:
        raise BackupError("the database is empty")
    try:
        migrations.check_revision(found)
    except WrongSchema as error:
        raise BackupError(str(error)) from None


def _select(table: Table) -> str:
    columns = ", ".join(column.name for column in table.columns)
    return f"SELECT {columns} FROM {table.name} {_REST.get(table.name, '')}"  # noqa: S608  made of constants


def _bools(row: tuple[Any, ...], booleans: Iterable[int]) -> tuple[Any, ...]:
    """SQLite has 0 and 1."""
    values = list(row)
    for i in booleans:
        values[i] = bool(values[i])
    return tuple(values)
