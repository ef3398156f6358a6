"""Bringing a database to the schema of this version, in-process.

Nothing to do is found out by reading the version table, without Alembic (1.1 s and 40 MiB to import). For the same
reason a new SQLite file gets the schema in one go from ``sqlite.sql``, which the migrations make
(``python -m vpin_store.migrations snapshot``); a test compares the two.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from vpin_store.errors import StoreUnavailable, WrongSchema
from vpin_store.urls import sqlalchemy_url, sqlite_path

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

HEAD = "0006"  # revision of the newest migration
FOLDER = Path(__file__).parent
SNAPSHOT = FOLDER / "sqlite.sql"


async def check_schema(url: str) -> bool:
    """Whether the database has this version's tables; False: it is empty, or not there.

    WrongSchema: it is of another version. StoreUnavailable: it cannot be opened.
    """
    path = sqlite_path(url)
    found = None if path is not None and not path.exists() else await _revision(url)
    if found is not None:
        check_revision(found)
    return found is not None


def check_revision(found: str) -> None:
    """WrongSchema unless it is this version's."""
    if is_newer(found):
        raise WrongSchema(
            f"a newer version of vpin has made the database (schema {found}, this version has {HEAD}): take that version"
        )
    if found != HEAD:
        raise WrongSchema(f"the database has schema {found}, this version of vpin {HEAD}: `vpin db upgrade` first")


def is_newer(revision: str) -> bool:
    """This version knows nothing of it."""
    return not revision.isdecimal() or int(revision) > int(HEAD)


async def upgrade(url: str) -> bool:
    """Run what is missing, in one transaction; False: nothing was. StoreUnavailable when it cannot be opened.
    WrongSchema, and nothing is changed, when a newer version has made the database.

    Any number of processes may do so at the same time: one works, the others wait for it.
    """
    revision = await _revision(url)
    if revision == HEAD:
        return False
    if revision is not None and is_newer(revision):
        check_revision(revision)
    path = sqlite_path(url)
    if path is not None and revision is None:
        _create(path)
        return True
    await run_alembic(url)
    return True


async def run_alembic(url: str, revision: str = "head") -> None:
    """Upgrade by the migrations, whatever the state of the database."""
    engine = create_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate, revision)
    finally:
        await engine.dispose()


def migrate(connection: Connection, revision: str = "head") -> None:
    """Upgrade within the transaction of the connection."""
    from alembic import command
    from sqlalchemy import text

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7041965)"))
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def alembic_config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def create_engine(url: str) -> AsyncEngine:
    """An engine whose transactions hold DDL on SQLite too, and lock it from their beginning."""
    from sqlalchemy import event
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine(sqlalchemy_url(url), poolclass=NullPool)
    if engine.dialect.name == "sqlite":

        def leave_transactions_alone(connection: sqlite3.Connection, _: object) -> None:
            connection.isolation_level = None

        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        event.listen(engine.sync_engine, "connect", leave_transactions_alone)
        event.listen(engine.sync_engine, "begin", begin)
    return engine


async def _revision(url: str) -> str | None:
    """What the version table says; None for a database without one."""
    path = sqlite_path(url)
    if path is None:
        from vpin_store.postgres import read_revision

        return await read_revision(url)
    from vpin_store.sqlite import create_file

    try:
        create_file(path)
        with closing(sqlite3.connect(path)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                return None
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return revision
    except (OSError, sqlite3.OperationalError) as error:  # no right to, no folder, locked, …
        raise StoreUnavailable(str(error)) from error
    except sqlite3.DatabaseError as error:
        raise WrongSchema(f"{path}: {error}") from error


def _create(path: Path) -> None:
    """All tables in a new file, unless another process is faster."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in SNAPSHOT.read_text().split(";\n"):
                connection.execute(statement)
        connection.execute("COMMIT")
