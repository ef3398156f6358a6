"""Fresh databases on a running PostgreSQL, wherever it came from."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

STARTING = (asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError, ConnectionError)


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """URL of a new, empty database beside the one of this URL; dropped afterwards."""
    name = f"vpin_test_{uuid.uuid4().hex[:12]}"
    asyncio.run(_execute(server_url, f'CREATE DATABASE "{name}"'))
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        asyncio.run(_execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


async def _execute(url: str, statement: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            connection = await asyncpg.connect(url)
        except STARTING:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            break
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
