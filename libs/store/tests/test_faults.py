"""Databases that go away, hang, are locked, or lose their process."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import pytest
from vpin_store import StoreUnavailable, open_store, postgres, sqlite, upgrade
from vpin_store.rows import AppliedRow, Changes

pytestmark = pytest.mark.anyio

SENDER = b"s" * 16


class Node(Protocol):
    url: str

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


def slab(number: int) -> Changes:
    return Changes(applied=[AppliedRow(0, SENDER, number)])


@asynccontextmanager
async def locked_table(url: str) -> AsyncIterator[Any]:
    """A session that holds up all commits of slabs."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE applied_slab")
            yield connection
    finally:
        await connection.close()


@pytest.mark.integration
@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_postgres_goes_away_and_comes_back(postgres_node: Node, end: str) -> None:
    await upgrade(postgres_node.url)
    async with open_store(postgres_node.url) as store:
        await asyncio.gather(*(store.commit(slab(n)) for n in range(8)))  # several connections that will be dead
        await store.commit(slab(8))
        await asyncio.to_thread(getattr(postgres_node, end))
        with pytest.raises(StoreUnavailable):
            await store.commit(slab(9))
        with pytest.raises(StoreUnavailable):
            await store.load_accounts([1])
        with pytest.raises(StoreUnavailable):
            await upgrade(postgres_node.url)
        assert not store.ready
        assert not await store.ping()
        await asyncio.to_thread(postgres_node.start)
        assert await store.applied(0) == {SENDER: 8}
        await asyncio.gather(*(store.commit(slab(9)) for _ in range(8)))
        assert store.ready
        assert await store.applied(0) == {SENDER: 9}


@pytest.mark.integration
async def test_a_store_opens_while_postgres_is_away(postgres_node: Node) -> None:
    await upgrade(postgres_node.url)
    await asyncio.to_thread(postgres_node.stop)
    async with open_store(postgres_node.url) as store:
        assert not store.ready
        await asyncio.to_thread(postgres_node.start)
        assert await store.ping()
        assert store.ready


@pytest.mark.integration
async def test_a_commit_that_is_cut_off(postgres_database: str) -> None:
    await upgrade(postgres_database)
    async with open_store(postgres_database) as store:
        await store.commit(slab(1))
        async with locked_table(postgres_database) as other:
            commit = asyncio.ensure_future(store.commit(slab(2)))
            waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            while (pid := await other.fetchval(waiting)) is None:
                await asyncio.sleep(0.01)
                await other.execute("SELECT pg_stat_clear_snapshot()")
            await other.execute("SELECT pg_terminate_backend($1)", pid)
            with pytest.raises(StoreUnavailable):
                await commit
        assert await store.applied(0) == {SENDER: 1}
        await store.commit(slab(2))
        assert await store.applied(0) == {SENDER: 2}


@pytest.mark.integration
async def test_a_server_that_hangs(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "COMMAND_SECONDS", 0.3)
    await upgrade(postgres_database)
    async with open_store(postgres_database) as store:
        async with locked_table(postgres_database):
            with pytest.raises(StoreUnavailable):
                await store.commit(slab(1))
        await store.commit(slab(2))
        assert await store.applied(0) == {SENDER: 2}


@pytest.mark.integration
async def test_a_wrong_address_is_a_fault(postgres_database: str) -> None:
    """Waiting would not help."""
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await open_store(f"{postgres_database}_missing").open()


async def test_a_locked_sqlite_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    url = f"sqlite:///{tmp_path}/vpin.db"
    await upgrade(url)
    async with open_store(url) as store:
        with closing(sqlite3.connect(tmp_path / "vpin.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable):
                await store.commit(slab(1))
            assert not store.ready
            assert await store.applied(0) == {}  # readers do not wait for a writer
            other.execute("ROLLBACK")
        await store.commit(slab(1))
        assert store.ready


WRITER = """
import asyncio, sys
from vpin_store import open_store
from vpin_store.rows import AppliedRow, Changes

async def main(url):
    async with open_store(url) as store:
        for number in range(1, 1_000_000):
            await store.commit(Changes(applied=[AppliedRow(0, b"s" * 16, number)]))
            print(number, flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def test_a_commit_outlives_the_process(empty_url: str) -> None:
    """kill -9 at any time: what was reported is there, and at most what was on its way."""
    await upgrade(empty_url)
    command = [sys.executable, "-c", WRITER, empty_url]
    writer = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert writer.stdout
    lines = [await writer.stdout.readline() for _ in range(50)]
    writer.kill()
    lines += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()
    reported = max(int(line) for line in lines if line.endswith(b"\n"))
    async with open_store(empty_url) as store:
        assert (await store.applied(0))[SENDER] - reported in (0, 1)
