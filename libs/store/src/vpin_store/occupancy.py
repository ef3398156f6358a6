"""Whether somebody else works with a database: what must not be done beside running services asks here first."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any, cast

from vpin_store.errors import StoreUnavailable, WrongSchema
from vpin_store.urls import sqlite_path


async def in_use(url: str) -> bool:
    """Another process of vpin has the database open. Ask before opening a store of one's own.

    On PostgreSQL those of the same role count. StoreUnavailable when it is away, WrongSchema when it is no database.
    """
    path = sqlite_path(url)
    if path is None:
        from vpin_store.postgres import others

        return await others(url)
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # refused while others hold it open, in WAL mode
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if cast(Any, error).sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return True
        raise StoreUnavailable(str(error)) from error
    except sqlite3.DatabaseError as error:
        raise WrongSchema(f"{path}: {error}") from error
    return False
