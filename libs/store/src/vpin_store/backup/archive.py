"""The file of a backup: gzip of frames, each a u32 length (big endian) and that many bytes of msgpack.

The first frame is a :class:`Head`; then come :class:`Rows`, table by table in the order of the head; the last is an
:class:`End` with counts and a digest of everything before it, so a file that was cut off or changed is known as such.
It describes itself: a later version reads it without knowing the tables of this one.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import msgspec

FORMAT = 1
LEVEL = 1  # of compression: 4 times smaller, at 100 MB/s
MOST_BYTES = 1 << 30  # of a frame

_NAME = re.compile("[a-z_]{1,40}")
_TYPES = {
    "integer": {int},
    "bigint": {int},
    "double precision": {float, int},
    "boolean": {bool},
    "text": {str},
    "json": {str, type(None)},
    "bytea": {bytes, type(None)},
}
"""What a column of a kind may hold. SQLite would take anything, and some of it becomes part of statements."""


class BackupError(Exception):
    """The backup cannot be made or restored; the message says why, and what to do."""


class Column(msgspec.Struct, array_like=True, frozen=True):
    name: str
    kind: str  # as in vpin_store.schema.Column


class TableHead(msgspec.Struct, array_like=True, frozen=True):
    name: str
    columns: tuple[Column, ...]


class Head(msgspec.Struct, array_like=True, tag=0):
    format: int
    schema: str  # revision of the database
    made_at: int  # ms since 1970
    database: str  # "postgresql" or "sqlite"
    tables: tuple[TableHead, ...]


class Rows(msgspec.Struct, array_like=True, tag=1):
    """Some rows of a table (its place in the head): values as the columns hold them, JSON as text."""

    table: int
    rows: Sequence[tuple[Any, ...]]


class End(msgspec.Struct, array_like=True, tag=2):
    counts: dict[str, int]  # rows by table
    counters: dict[str, int]  # the greatest number that was ever given, by table or sequence
    digest: bytes  # SHA-256 of all frames before


_decoder = msgspec.msgpack.Decoder(Head | Rows | End)
_encode = msgspec.msgpack.Encoder().encode


class Writer:
    """Writes one backup to a file that is open for writing; :meth:`end` completes it."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self._gzip = gzip.GzipFile(fileobj=file, mode="wb", compresslevel=LEVEL, mtime=0, filename="")
        self._digest = hashlib.sha256()
        self._tables = head.tables
        self.counts = {table.name: 0 for table in head.tables}
        self._write(_encode(head))

    def add(self, table: int, rows: Sequence[tuple[Any, ...]]) -> None:
        """Rows of the table at that place of the head."""
        self.counts[self._tables[table].name] += len(rows)
        self._write(_encode(Rows(table, rows)))

    def end(self, counters: dict[str, int]) -> End:
        end = End(self.counts, counters, self._digest.digest())
        self._write(_encode(end))
        self._gzip.close()
        return end

    def _write(self, frame: bytes) -> None:
        text = len(frame).to_bytes(4, "big") + frame
        self._digest.update(text)
        self._gzip.write(text)


class Reader:
    """Reads a backup from an open file. BackupError for whatever is wrong with it, at the latest at its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._gzip = gzip.GzipFile(fileobj=file, mode="rb")
        self._digest = hashlib.sha256()
        head = self._frame()
        if not isinstance(head, Head):
            raise BackupError("this is no backup of vpin")
        if head.format != FORMAT:
            raise BackupError(f"the backup has format {head.format}: a newer version of vpin reads it")
        names = [name for table in head.tables for name in (table.name, *(column.name for column in table.columns))]
        foreign = any(table.name.startswith(("sqlite_", "pg_", "alembic_")) for table in head.tables)
        if foreign or not all(map(_NAME.fullmatch, names)):  # they become part of statements
            raise BackupError("this is no backup of vpin")
        self.head = head
        self.end: End | None = None

    def rows(self) -> Iterator[Rows]:
        """All rows; then `end` is there, and what was read is what was written."""
        counts = {table.name: 0 for table in self.head.tables}
        while True:
            before = self._digest.digest()
            frame = self._frame()
            if isinstance(frame, End):
                break
            if isinstance(frame, Head) or not 0 <= frame.table < len(self.head.tables):
                raise BackupError("the backup is damaged: its parts are out of order")
            table = self.head.tables[frame.table]
            if not _fits(table, frame.rows):
                raise BackupError("the backup is damaged: a row does not fit its table")
            counts[table.name] += len(frame.rows)
            yield frame
        if frame.digest != before or frame.counts != counts:
            raise BackupError("the backup is damaged: its checksum is wrong")
        self.end = frame

    def _frame(self) -> Head | Rows | End:
        length = self._read(4)
        size = int.from_bytes(length, "big")
        if size > MOST_BYTES:
            raise BackupError("this is no backup of vpin")
        frame = self._read(size)
        self._digest.update(length)
        self._digest.update(frame)
        try:
            return _decoder.decode(frame)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise BackupError("this is no backup of vpin, or it is damaged") from None

    def _read(self, size: int) -> bytes:
        try:
            found = self._gzip.read(size)
        except gzip.BadGzipFile:
            raise BackupError("this is no backup of vpin, or it is damaged") from None
        except (EOFError, zlib.error):
            raise BackupError("the backup is damaged or was cut off") from None
        if len(found) < size:
            raise BackupError("the backup was cut off")
        return found


def _fits(table: TableHead, rows: Sequence[tuple[Any, ...]]) -> bool:
    """Each row has the table's columns, with values of their kinds."""
    if any(len(row) != len(table.columns) for row in rows):
        return False
    by_column = zip(table.columns, zip(*rows, strict=True), strict=False)
    return all(set(map(type, values)) <= _TYPES.get(column.kind, set()) for column, values in by_column)
