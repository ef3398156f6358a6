"""For developers: ``new MESSAGE`` writes a migration from what tables.py has and the migrations lack;
``snapshot`` writes sqlite.sql anew, which follows every new migration (and HEAD).
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from alembic import command
from sqlalchemy import Connection

from vpin_store import migrations


def snapshot(database: Path) -> str:
    """The statements that make the schema of a database, and its version."""
    with closing(sqlite3.connect(database)) as connection:
        statements = [
            " ".join(sql.split())
            for (sql,) in connection.execute(
                "SELECT sql FROM sqlite_master WHERE sql NOTNULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
            )
        ]
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return ";\n".join([*statements, f"INSERT INTO alembic_version VALUES ('{revision}')"]) + ";\n"  # noqa: S608


async def new(url: str, message: str) -> None:
    from vpin_store import tables

    def compare(connection: Connection) -> None:
        config = migrations.alembic_config()
        config.attributes["connection"] = connection
        config.attributes["metadata"] = tables.Account.metadata
        command.revision(config, message, autogenerate=True, rev_id=f"{int(migrations.HEAD) + 1:04d}")

    async with migrations.create_engine(url).begin() as connection:
        await connection.run_sync(compare)


async def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "vpin.db"
        await migrations.run_alembic(f"sqlite:///{database}")
        match arguments:
            case ["snapshot"]:
                migrations.SNAPSHOT.write_text(snapshot(database))
            case ["new", message]:
                await new(f"sqlite:///{database}", message)
            case _:
                sys.exit(__doc__)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
