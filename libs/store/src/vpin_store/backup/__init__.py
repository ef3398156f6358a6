"""Backups of everything that vpin keeps in its database: made while it runs, restored into either kind of database.

:mod:`.archive` is the file, :mod:`.snapshot` reads a database at one moment, :mod:`.restoring` fills one, all or nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import BinaryIO

from vpin_store.backup.archive import BackupError, Column, End, Head, Reader, TableHead, Writer
from vpin_store.backup.restoring import restore
from vpin_store.backup.snapshot import TABLES, open_snapshot
from vpin_store.migrations import HEAD

__all__ = ["BackupError", "End", "Head", "Reader", "check", "restore", "save"]

Tell = Callable[[int, int], None]
"""Progress: how much of how much, in rows (about) or bytes."""


async def save(url: str, file: BinaryIO, tell: Tell = lambda done, total: None) -> End:
    """Write all of a database, as it is at one moment, to a file that is open for writing; services may run.

    BackupError: there is nothing, or it has another version's schema. StoreUnavailable: PostgreSQL is away.
    """
    async with open_snapshot(url) as snapshot:
        heads = tuple(TableHead(t.name, tuple(Column(c.name, c.kind) for c in t.columns)) for t in TABLES)
        writer = Writer(file, Head(1, HEAD, time.time_ns() // 1_000_000, snapshot.database, heads))
        done, total = 0, await snapshot.estimate()
        for place, table in enumerate(TABLES):
            async for rows in snapshot.rows(table):
                writer.add(place, rows)
                done += len(rows)
                tell(done, max(done, total))
        return writer.end(await snapshot.counters())


def check(file: BinaryIO, tell: Tell = lambda done, total: None) -> tuple[Head, End]:
    """Read a backup to its end; BackupError if anything is wrong with it."""
    reader = Reader(file)
    done = 0
    for rows in reader.rows():
        done += len(rows.rows)
        tell(done, done)
    assert reader.end is not None
    return reader.head, reader.end
