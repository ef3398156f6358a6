"""PostgreSQL behind a store: a pool of asyncpg connections that heals by itself.

Many rows go to the server as one array per column and come out of ``unnest`` there. Measured per pin value, client and
server (PostgreSQL 15): 1.8 + 3.6 µs; COPY into a temporary table 1.0 + 3.4 µs, but three times as much as this for a
commit of 50 rows; executemany 1.8 + 7.5 µs.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, cast

import asyncpg  # type: ignore[reportMissingTypeStubs]  there are none

from vpin_store.errors import Conflict, Fenced, StoreUnavailable
from vpin_store.history import Step
from vpin_store.postgres_copy import fetch_numbers
from vpin_store.postgres_history import PostgresHistory
from vpin_store.rows import Changes, Rollup, StreamKey
from vpin_store.schema import Column, Table
from vpin_store.statements import Delete, on_conflict, operations
from vpin_store.urls import postgres_dsn

CONNECT_SECONDS = 5.0  # to connect, and to wait for a free connection
COMMAND_SECONDS = 30.0  # one statement: more means that the server hangs
STATEMENT_ROWS = 1000  # encoding holds the event loop up: 2 ms for so many
SESSION = {"application_name": "vpin", "jit": "off"}

_asyncpg = cast(Any, asyncpg)  # it has no types

_AWAY = (
    OSError,  # refused, reset, no such host; TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,  # starting or stopping
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby that has not taken over yet
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InternalClientError,  # the server's last words came between two statements
    asyncpg.InvalidCachedStatementError,  # a migration ran meanwhile; the statement is prepared anew
    asyncpg.QueryCanceledError,  # statement_timeout of the server
)
_NO_ENTRY = (*_AWAY, asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
"""What somebody hears who only asks something: also that user, password or name of the database are wrong."""


class PostgresDialect:
    next_account_id = (  # never less than before: the id of a deleted account does not come again
        "SELECT setval(s, greatest((SELECT max(id) FROM account), nextval(s)))"
        " FROM pg_get_serial_sequence('account', 'id') AS s"
    )

    def read(self, column: Column) -> str:
        return f"coalesce(convert_to({column.name}::text, 'UTF8'), '')" if column.kind == "json" else column.name

    def write(self, column: Column, source: str) -> str:
        return f"convert_from(nullif({source}::bytea, ''), 'UTF8')::json" if column.kind == "json" else source

    def among(self, column: Column, parameter: int) -> str:
        return f"{column.name} = ANY(${parameter}::{_array(column)})"


def _array(column: Column) -> str:
    return ("bytea" if column.kind == "json" else column.kind) + "[]"


def _unnest(columns: Sequence[Column]) -> str:
    """Rows `r` of one array per column."""
    arrays = ", ".join(f"${n}::{_array(column)}" for n, column in enumerate(columns, 1))
    return f"unnest({arrays}) AS r ({', '.join(column.name for column in columns)})"


@cache
def upsert(table: Table) -> str:
    dialect = PostgresDialect()
    names = ", ".join(column.name for column in table.columns)
    values = ", ".join(dialect.write(column, f"r.{column.name}") for column in table.columns)
    return f"INSERT INTO {table.name} ({names}) SELECT {values} FROM {_unnest(table.columns)} {on_conflict(table)}"  # noqa: S608


@cache
def delete(table: Table, columns: tuple[Column, ...]) -> str:
    """All rows whose columns are one of the keys."""
    condition = " AND ".join(f"t.{column.name} = r.{column.name}" for column in columns)
    return f"DELETE FROM {table.name} AS t USING {_unnest(columns)} WHERE {condition}"  # noqa: S608


class PostgresDriver:
    """See :class:`vpin_store.store.Driver`."""

    dialect = PostgresDialect()

    def __init__(self, url: str, connections: int) -> None:
        options = {"timeout": CONNECT_SECONDS, "command_timeout": COMMAND_SECONDS, "server_settings": SESSION}
        # No connection to begin with: it opens without a server, and a lost one is replaced when next needed.
        self._history = PostgresHistory()
        self._pool = _asyncpg.create_pool(postgres_dsn(url), min_size=0, max_size=connections, **options)

    async def open(self) -> None:
        await self._pool

    async def close(self) -> None:
        await self._pool.close()

    async def fetch(self, sql: str, *arguments: Any) -> list[Sequence[Any]]:
        async with self._connection() as connection:
            return await connection.fetch(sql, *arguments)

    async def fetch_together(self, queries: Sequence[str], *arguments: Any) -> list[list[Sequence[Any]]]:
        async with self._connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            return [await connection.fetch(sql, *arguments) for sql in queries]

    async def write(self, sql: str, *arguments: Any) -> list[Sequence[Any]]:
        return await self.fetch(sql, *arguments)

    async def reserve_accounts(self, count: int) -> list[int]:
        sql = "SELECT nextval(pg_get_serial_sequence('account', 'id')) FROM generate_series(1, $1::integer)"
        return [record[0] for record in await self.fetch(sql, count)]

    async def commit(self, changes: Changes) -> None:
        async with self._connection() as connection:
            await self._history.prepare(connection, changes)
            async with connection.transaction():
                if changes.owner:
                    await _check_owner(connection, changes)
                for operation in operations(changes):
                    if isinstance(operation, Delete):
                        sql, rows = delete(operation.table, operation.columns), operation.keys
                    else:
                        sql, rows = upsert(operation.table), operation.table.unique(operation.rows)
                    for start in range(0, len(rows), STATEMENT_ROWS):
                        await connection.execute(sql, *zip(*rows[start : start + STATEMENT_ROWS], strict=True))
                found = await self._history.write(connection, changes)
        self._history.streams.remember(found)

    async def fetch_numbers(self, sql: str, kinds: str, row: type[Any] | None, *numbers: int) -> list[Any]:
        async with self._connection() as connection:
            return await fetch_numbers(connection, sql, kinds, row, numbers)

    async def add_rollups(self, step: Step, rows: Sequence[tuple[StreamKey, Rollup]]) -> None:
        async with self._connection() as connection, connection.transaction():
            await self._history.add_rollups(connection, step, rows)

    async def roll_up(self, owner: bytes, shards: Sequence[int]) -> int:
        async with self._connection() as connection:
            return await self._history.roll_up(connection, owner, shards)

    async def tidy_history(self, now: int, raw_days: int) -> None:
        async with self._connection() as connection:
            await self._history.tidy(connection, now, raw_days)

    async def trim_minutes(self, keep: int, after: int, count: int) -> int:
        async with self._connection() as connection:
            return await self._history.trim_minutes(connection, keep, after, count)

    def forget_streams(self) -> None:
        self._history.streams.clear()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Any]:
        """A connection for one call; its loss, in whatever shape, is StoreUnavailable."""
        try:
            async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                try:
                    yield connection
                except asyncpg.InterfaceError as error:
                    if _is_lost(connection):
                        raise StoreUnavailable(str(error)) from error
                    raise
        except asyncpg.UniqueViolationError as error:
            raise Conflict(str(error)) from error
        except _AWAY as error:
            raise StoreUnavailable(_reason(error)) from error


async def _check_owner(connection: Any, changes: Changes) -> None:
    """The lock keeps another process from claiming a shard before this commit is done."""
    sql = "SELECT shard FROM shard_owner WHERE owner = $1 AND shard = ANY($2::integer[]) FOR SHARE"
    owned = {record[0] for record in await connection.fetch(sql, changes.owner, changes.shards)}
    if not owned.issuperset(changes.shards):
        raise Fenced(f"shards {sorted(set(changes.shards) - owned)} have another owner")


async def read_revision(url: str) -> str | None:
    """What Alembic's version table says; None for a database without one."""
    try:
        connection = await _asyncpg.connect(postgres_dsn(url), timeout=CONNECT_SECONDS)
        try:
            if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
                return None
            return await connection.fetchval("SELECT version_num FROM alembic_version")
        finally:
            await connection.close()
    except _NO_ENTRY as error:
        raise StoreUnavailable(_reason(error)) from error


async def others(url: str) -> bool:
    """Another process of vpin is connected to the database, by the same role."""
    sql = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = $1 AND pid <> pg_backend_pid()"
    )
    try:
        connection = await _asyncpg.connect(postgres_dsn(url), timeout=CONNECT_SECONDS)
        try:
            return await connection.fetchval(sql, SESSION["application_name"]) > 0
        finally:
            await connection.close()
    except _NO_ENTRY as error:
        raise StoreUnavailable(_reason(error)) from error


def _is_lost(connection: Any) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has taken it away already
        return True


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
