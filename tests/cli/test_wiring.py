"""What a service of its own does with the database that it finds."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from vpin_runtime.settings import Settings, SettingsError
from vpin_store import upgrade

from vpin.wiring import database_url, open_store


def opened(settings: Settings) -> bool:
    """Whether the database answers."""

    async def work() -> bool:
        async with AsyncExitStack() as stack:
            return (await open_store(settings, stack)).ready

    return asyncio.run(work())


def age(revision: str) -> Callable[[Path], None]:
    def change(database: Path) -> None:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
            connection.commit()

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (age("9999"), "a newer version of vpin"),
        (age("0001"), "`vpin db upgrade` first"),
        (lambda database: database.unlink(), "`vpin db upgrade` makes its tables"),
        (lambda database: database.write_bytes(b"x" * 9999), "not a database"),
    ],
    ids=["newer", "older", "none", "no database"],
)
def test_a_service_refuses_a_database_of_another_version(tmp_path: Path, change: Callable[[Path], None], message: str):
    settings = Settings(data=tmp_path)
    asyncio.run(upgrade(database_url(settings)))
    assert opened(settings)
    change(tmp_path / "vpin.db")
    with pytest.raises(SettingsError, match=message):
        opened(settings)


def test_a_service_waits_for_a_database_that_does_not_answer_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VPIN_DATABASE_URL", "postgresql://vpin@127.0.0.1:9/vpin")
    assert not opened(Settings(data=tmp_path))
