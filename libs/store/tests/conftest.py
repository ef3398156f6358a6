"""Every test of a store runs on SQLite and on PostgreSQL, each with a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from vpin_store import Store, open_store, upgrade


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/vpin.db"
    return request.getfixturevalue("postgres_database")


@pytest.fixture
async def store(empty_url: str) -> AsyncIterator[Store]:
    await upgrade(empty_url)
    async with open_store(empty_url) as store:
        yield store
