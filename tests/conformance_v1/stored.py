"""What the database of a run holds: for promises of how something is stored, and for clocks that no test can wait for."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import asyncpg
from infra.vpin import EmbeddedRun

from conformance_v1.clients import Api


class Stored:
    """SQL with parameters `$1`… on the database of a server that runs. Milliseconds since 1970, as the server's own."""

    def __init__(self, server: EmbeddedRun) -> None:
        self._url = server.environment.get("VPIN_DATABASE_URL", "")
        self._file = Path(server.environment["VPIN_DATA"], "vpin.db")

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        if self._url:
            return asyncio.run(self._ask_postgres(sql, values))
        with contextlib.closing(sqlite3.connect(self._file, timeout=10)) as connection, connection:
            return connection.execute(sql, {str(n): value for n, value in enumerate(values, 1)}).fetchall()

    async def _ask_postgres(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(self._url)
        try:
            return [tuple(row) for row in await connection.fetch(sql, *values)]
        finally:
            await connection.close()


def token_of(api: Api) -> str:
    return api.http.headers["authorization"].removeprefix("Bearer ")


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
