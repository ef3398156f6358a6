"""Every test of a store runs on SQLite and on PostgreSQL, each with a database of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from vpin_store import Store, open_store, upgrade


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/vpin.db"
        return
    server: str = request.getfixturevalue("postgres_url")
    name = f"store_{uuid.uuid4().hex}"
    asyncio.run(administer(server, f"CREATE DATABASE {name}"))
    yield f"{server.rpartition('/')[0]}/{name}"
    asyncio.run(administer(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def administer(url: str, sql: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
async def store(empty_url: str) -> AsyncIterator[Store]:
    await upgrade(empty_url)
    async with open_store(empty_url) as store:
        yield store
