"""Migrations, tables.py, schema.py and the snapshot of SQLite say the same."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select
from vpin_store import (
    StoreUnavailable,
    WrongSchema,
    check_schema,
    in_use,
    migrations,
    open_store,
    schema,
    tables,
    upgrade,
)
from vpin_store.migrations.__main__ import snapshot
from vpin_store.rows import Changes

from .samples import account

METADATA = tables.Account.metadata


@pytest.mark.anyio
async def test_upgrade_makes_the_tables_and_then_has_nothing_to_do(empty_url: str) -> None:
    assert not await check_schema(empty_url)
    assert await upgrade(empty_url)
    assert await check_schema(empty_url)
    assert not await upgrade(empty_url)


@pytest.mark.anyio
async def test_several_may_upgrade_at_a_time(empty_url: str) -> None:
    await asyncio.gather(*(upgrade(empty_url) for _ in range(3)))
    assert await check_schema(empty_url)


@pytest.mark.anyio
async def test_a_database_of_a_newer_version_is_not_touched(empty_url: str) -> None:
    assert not await check_schema(empty_url)
    await upgrade(empty_url)
    assert await check_schema(empty_url)
    engine = migrations.create_engine(empty_url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    await engine.dispose()
    for use in (upgrade, check_schema):
        with pytest.raises(WrongSchema, match="newer version"):
            await use(empty_url)


@pytest.mark.anyio
async def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "vpin.db"
    path.write_bytes(b"neither SQLite nor anything" * 99)
    for use in (upgrade, check_schema, in_use):
        with pytest.raises(WrongSchema, match="not a database"):
            await use(f"sqlite:///{path}")
        with pytest.raises(StoreUnavailable):
            await use(f"sqlite:///{path.parent}")


@pytest.mark.integration
@pytest.mark.anyio
@pytest.mark.parametrize("url", ["nobody:wrong@{}/postgres", "{}/no_such_database"])
async def test_a_server_that_lets_nobody_in_is_away(postgres_server_url: str, url: str) -> None:
    server = postgres_server_url.partition("//")[2].rpartition("/")[0]
    where = server if url.startswith("{}") else server.rpartition("@")[2]
    for use in (upgrade, check_schema, in_use):
        with pytest.raises(StoreUnavailable):
            await use(f"postgresql://{url.format(where)}")


def is_modelled(name: str | None, kind: str, parents: object) -> bool:
    """PostgreSQL has parts of tables besides: of the ring of passing points, and days of raw ones."""
    return kind != "table" or name is None or re.fullmatch(r"(passing|raw_point)_[0-9]+", name) is None


@pytest.mark.anyio
async def test_migrations_make_what_tables_say(empty_url: str) -> None:
    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_modelled})
        return compare_metadata(context, METADATA)

    await migrations.run_alembic(empty_url)
    engine = migrations.create_engine(empty_url)
    async with engine.begin() as connection:
        assert await connection.run_sync(compare) == []
    await engine.dispose()


def test_schema_says_what_tables_say() -> None:
    dialect = postgresql.dialect()
    assert {table.name for table in schema.TABLES} == set(METADATA.tables)
    for table in schema.TABLES:
        model = METADATA.tables[table.name]
        for column, modelled in zip(table.columns, model.columns, strict=True):
            kind = modelled.type.compile(dialect).lower()
            assert column == schema.Column(modelled.name, kind, modelled.nullable is True)
        assert [column.name for column in table.key] == [column.name for column in model.primary_key]


@pytest.mark.anyio
async def test_the_orm_reads_and_writes_the_same_rows(empty_url: str) -> None:
    await upgrade(empty_url)
    engine = migrations.create_engine(empty_url)
    async with open_store(empty_url) as store, AsyncSession(engine) as session:
        await store.commit(Changes(accounts=[account(1, body=rb'{"x":"a\u0000b"}')]))
        (model,) = await session.scalars(select(tables.Account))
        assert model.body == {"x": "a\0b"}
        model.body = {"y": [1, None]}
        await session.commit()
        (row,) = await store.list_accounts(1)
        assert json.loads(row.body) == {"y": [1, None]}
    await engine.dispose()


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(migrations.FOLDER)).get_heads() == [migrations.HEAD]


@pytest.mark.anyio
async def test_a_new_sqlite_file_is_what_the_migrations_make(tmp_path: Path) -> None:
    await migrations.run_alembic(f"sqlite:///{tmp_path}/migrated.db")
    assert await upgrade(f"sqlite:///{tmp_path}/new.db")
    assert snapshot(tmp_path / "new.db") == snapshot(tmp_path / "migrated.db"), (
        "python -m vpin_store.migrations snapshot"
    )


@pytest.mark.anyio
async def test_a_failed_migration_of_sqlite_leaves_nothing(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "vpin.db")) as connection:
        connection.execute("CREATE TABLE pin_value (x)")  # in the way of the sixth table
    with pytest.raises(Exception, match="already exists"):
        await migrations.run_alembic(f"sqlite:///{tmp_path}/vpin.db")
    with closing(sqlite3.connect(tmp_path / "vpin.db")) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("pin_value",)]


@pytest.mark.anyio
async def test_the_database_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "vpin.db"
    await upgrade(f"sqlite:///{path}")
    async with open_store(f"sqlite:///{path}") as store:
        await store.commit(Changes(accounts=[account(1)]))
        assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://x/y", "data/vpin.db", ""])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        open_store(url)


EMBEDDED = """
import asyncio, sys, time
started = time.process_time()
from vpin_store import open_store, upgrade
from vpin_store.rows import Changes, AppliedRow

async def main(url):
    assert not await upgrade(url)
    print(time.process_time() - started)
    async with open_store(url) as store:
        await store.commit(Changes(applied=[AppliedRow(0, b"s" * 16, 1)]))
        await store.load_accounts([1])

asyncio.run(main(sys.argv[1]))
heavy = {"sqlalchemy", "sqlmodel", "alembic", "pydantic", "asyncpg", "aiosqlite"} & set(sys.modules)
assert not heavy, heavy
"""


def test_the_embedded_run_loads_no_sqlalchemy(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/vpin.db"
    asyncio.run(upgrade(url))
    done = subprocess.run([sys.executable, "-c", EMBEDDED, url], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.3
