"""Every test of what is stored runs on SQLite and on PostgreSQL, each with a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from vpin_store import Store, open_store, upgrade


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store/vpin.db"
    return request.getfixturevalue("postgres_database")


@pytest.fixture
async def store(database: str, anyio_backend: object) -> AsyncIterator[Store]:
    await upgrade(database)
    async with open_store(database) as store:
        yield store
