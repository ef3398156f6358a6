"""SQLite behind a store: one thread and connection that writes, one that reads; WAL.

A commit is on the disk when it returns (docs/adr/0003-sqlite-durability.md).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from vpin_store import sqlite_history
from vpin_store.errors import Conflict, Fenced, StoreUnavailable
from vpin_store.history import Step
from vpin_store.rows import Changes, Rollup, StreamKey
from vpin_store.schema import Column, Table
from vpin_store.statements import Delete, on_conflict, operations

T = TypeVar("T")

BUSY_SECONDS = 5.0  # another process (vpin user …) may hold the write lock as long
_AWAY = {  # primary result codes that may be gone the next time: locks, a full or failing disk
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
}


class SqliteDialect:
    next_account_id = "SELECT 1"  # AUTOINCREMENT does it

    def read(self, column: Column) -> str:
        return f"coalesce(CAST({column.name} AS BLOB), x'')" if column.kind == "json" else column.name

    def write(self, column: Column, source: str) -> str:
        return f"CAST(nullif({source}, x'') AS TEXT)" if column.kind == "json" else source

    def among(self, column: Column, parameter: int) -> str:
        return f"{column.name} IN (SELECT value FROM json_each(${parameter}))"  # noqa: S608


@cache
def upsert(table: Table) -> str:
    """One row; parameters are its columns."""
    dialect = SqliteDialect()
    names = ", ".join(column.name for column in table.columns)
    values = ", ".join(dialect.write(column, f"?{n}") for n, column in enumerate(table.columns, 1))
    return f"INSERT INTO {table.name} ({names}) VALUES ({values}) {on_conflict(table)}"  # noqa: S608


@cache
def delete(table: Table, columns: tuple[Column, ...]) -> str:
    """All rows whose columns are so."""
    condition = " AND ".join(f"{column.name} = ?{n}" for n, column in enumerate(columns, 1))
    return f"DELETE FROM {table.name} WHERE {condition}"  # noqa: S608


class _Thread:
    """A connection and the only thread that uses it."""

    def __init__(self, path: Path, *pragmas: str) -> None:
        self._path = path
        self._pragmas = pragmas
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, work)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._executor, self._close)
        self._executor.shutdown()

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return work(self._connection)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                raise Conflict(str(error)) from error
            raise
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in _AWAY:
                raise StoreUnavailable(str(error)) from error
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        for pragma in self._pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class SqliteDriver:
    """See :class:`vpin_store.store.Driver`."""

    dialect = SqliteDialect()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = _Thread(path, "journal_mode = WAL", "synchronous = FULL", "temp_store = MEMORY")
        self._reader = _Thread(path, "query_only = ON", "temp_store = MEMORY")

    async def open(self) -> None:
        create_file(self._path)
        await self._writer.run(lambda connection: None)

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()  # the last one to close removes the WAL

    async def fetch(self, sql: str, *arguments: Any) -> list[Sequence[Any]]:
        return await self._reader.run(lambda connection: _fetch(connection, sql, arguments))

    async def fetch_together(self, queries: Sequence[str], *arguments: Any) -> list[list[Sequence[Any]]]:
        def work(connection: sqlite3.Connection) -> list[list[Sequence[Any]]]:
            connection.execute("BEGIN")
            try:
                return [_fetch(connection, sql, arguments) for sql in queries]
            finally:
                connection.execute("ROLLBACK")

        return await self._reader.run(work)

    async def write(self, sql: str, *arguments: Any) -> list[Sequence[Any]]:
        return await self._writer.run(lambda connection: _fetch(connection, sql, arguments))

    async def reserve_accounts(self, count: int) -> list[int]:
        return await self._writer.run(lambda connection: _reserve_accounts(connection, count))

    async def commit(self, changes: Changes) -> None:
        await self._writer.run(lambda connection: _commit(connection, changes))

    async def fetch_numbers(self, sql: str, kinds: str, row: type[Any] | None, *numbers: int) -> list[Any]:
        found = await self.fetch(sql, *numbers)
        return found if row is None else list(map(row._make, found))

    async def add_rollups(self, step: Step, rows: Sequence[tuple[StreamKey, Rollup]]) -> None:
        await self._writer.run(lambda connection: sqlite_history.add_rollups(connection, step, rows))

    async def roll_up(self, owner: bytes, shards: Sequence[int]) -> int:
        total = 0
        while count := await self._writer.run(lambda connection: sqlite_history.roll_up(connection, owner, shards)):
            total += count
        return total

    async def tidy_history(self, now: int, raw_days: int) -> None:
        await self._writer.run(lambda connection: sqlite_history.tidy(connection, now, raw_days))

    async def trim_minutes(self, keep: int, after: int, count: int) -> int:
        return await self._writer.run(lambda connection: sqlite_history.trim_minutes(connection, keep, after, count))

    def forget_streams(self) -> None:
        """It remembers none."""


def create_file(path: Path) -> None:
    """Tokens and password hashes are in there: for this user's eyes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)


def _fetch(connection: sqlite3.Connection, sql: str, arguments: Sequence[Any]) -> list[Sequence[Any]]:
    parameters = [msgspec.json.encode(a).decode() if isinstance(a, list) else a for a in arguments]
    return connection.execute(sql.replace("$", "?"), parameters).fetchall()


def _commit(connection: sqlite3.Connection, changes: Changes) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if changes.owner:
            _check_owner(connection, changes)
        for operation in operations(changes):
            if isinstance(operation, Delete):
                connection.executemany(delete(operation.table, operation.columns), operation.keys)
            else:
                connection.executemany(upsert(operation.table), operation.rows)
        sqlite_history.write(connection, changes)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _reserve_accounts(connection: sqlite3.Connection, count: int) -> list[int]:
    """AUTOINCREMENT goes on behind what is in its table, and behind the greatest id that there is."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        sql = (
            "SELECT max(coalesce((SELECT max(id) FROM account), 0),"
            " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'account'), 0))"
        )
        (last,) = connection.execute(sql).fetchone()
        connection.execute("DELETE FROM sqlite_sequence WHERE name = 'account'")
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('account', ?1)", [last + count])
        connection.execute("COMMIT")
        return list(range(last + 1, last + count + 1))
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _check_owner(connection: sqlite3.Connection, changes: Changes) -> None:
    owned = {
        shard for (shard,) in connection.execute("SELECT shard FROM shard_owner WHERE owner = ?1", [changes.owner])
    }
    if not owned.issuperset(changes.shards):
        raise Fenced(f"shards {sorted(set(changes.shards) - owned)} have another owner")
