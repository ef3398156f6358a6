"""What both dialects know of the tables: one description, from which all SQL text is made.

Columns and their order are those of the tuples in :mod:`vpin_store.rows` and :mod:`vpin_store.history_rows`; the primary
key always comes first. :mod:`vpin_store.tables` says the same to SQLAlchemy, and a test holds the two together. Nothing
here imports SQLAlchemy, which the services never load.

Text that PostgreSQL can't hold (NUL, lone surrogates: clients may put both into names) is escaped with a backslash in
text columns: a NUL is stored as ``\\u0000``, and so that this stays unambiguous a backslash as two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, get_type_hints

from vpin_store import history_rows, rows

BIG = {"account_id", "key", "energy", "number", "at", "seq", "batch"}  # 64 bits; so are all times (…_at, …_time)


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: str  # "integer", "bigint", "double precision", "boolean", "text", "bytea" or "json"
    nullable: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    name: str
    row: type[Any]  # its named tuple
    width: int  # of the primary key: that many first columns
    columns: tuple[Column, ...]
    texts: tuple[int, ...]  # indexes of the text columns
    booleans: tuple[int, ...]

    @property
    def key(self) -> tuple[Column, ...]:
        return self.columns[: self.width]

    def unique(self, changed: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Of rows with equal keys the last one."""
        return list(dict(zip(map(itemgetter(slice(0, self.width)), changed), changed, strict=True)).values())

    def stored(self, changed: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """Rows, or the first columns of rows, as they go into the table."""
        if not self.texts:
            return changed
        return [self._stored_row(row) if _is_odd(row, self.texts) else row for row in changed]

    def loaded(self, records: Iterable[Sequence[Any]]) -> list[Any]:
        """Rows from what a query for all columns gave."""
        if not self.texts and not self.booleans:
            return list(map(self.row._make, records))
        return [self._loaded_row(record) for record in records]

    def _stored_row(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(escape(value) if i in self.texts else value for i, value in enumerate(row))

    def _loaded_row(self, record: Sequence[Any]) -> Any:
        values = list(record)
        for i in self.texts:
            values[i] = unescape(values[i])
        for i in self.booleans:
            values[i] = bool(values[i])  # SQLite has none
        return self.row._make(values)


def _column(row: type[Any], name: str, hint: object) -> Column:
    if hint == bytes | None:
        return Column(name, "bytea", nullable=True)
    if hint is int:
        is_big = (
            name in BIG or name.endswith(("_at", "_time")) or (row in (rows.AccountRow, rows.EventRow) and name == "id")
        )
        return Column(name, "bigint" if is_big else "integer")
    kinds = {bytes: "bytea", bool: "boolean", str: "text", float: "double precision"}
    return Column(name, kinds[hint])  # type: ignore[index]  # KeyError: no such kind


def _table(name: str, row: type[Any], width: int, json: Column | None = None) -> Table:
    """`json` replaces the column of that name."""
    columns = [_column(row, field, hint) for field, hint in get_type_hints(row).items()]
    if json:
        columns = [json if column.name == json.name else column for column in columns]
    texts = tuple(i for i, column in enumerate(columns) if column.kind == "text")
    booleans = tuple(i for i, column in enumerate(columns) if column.kind == "boolean")
    return Table(name, row, width, tuple(columns), texts, booleans)


_BODY = Column("body", "json")

ACCOUNT = _table("account", rows.AccountRow, 1, _BODY)
DASHBOARD = _table("dashboard", rows.DashboardRow, 2, _BODY)
WIDGET = _table("widget", rows.WidgetRow, 3, _BODY)
DEVICE = _table("device", rows.DeviceRow, 3, _BODY)
TOKEN = _table("token", rows.TokenRow, 1, Column("body", "json", nullable=True))  # b"" is stored as NULL
VALUE = _table("pin_value", rows.ValueRow, 5)
PROPERTY = _table("pin_property", rows.PropertyRow, 6)
TEMPLATE = _table("template", rows.TemplateRow, 2, _BODY)
DATASTREAM = _table("datastream", rows.DatastreamRow, 4, _BODY)
EVENT = _table("event", rows.EventRow, 4)
ANSWER = _table("answer", rows.AnswerRow, 2)
DELETION = _table("deletion", rows.DeletionRow, 1)
APPLIED = _table("applied_slab", rows.AppliedRow, 2)
OWNER = _table("shard_owner", rows.OwnerRow, 1)
JOB = _table("notification_job", rows.JobRow, 1)
FIRMWARE = _table("firmware", rows.FirmwareRow, 1)
CAMPAIGN = _table("campaign", rows.CampaignRow, 1)
STREAM = _table("stream", history_rows.StreamRow, 1)
DROPPED_STREAM = _table("dropped_stream", history_rows.DroppedStreamRow, 1)
PASSING = _table("passing", history_rows.PassingRow, 0)
RAW_POINT = _table("raw_point", history_rows.RawRow, 0)
MINUTE = _table("minute_rollup", history_rows.RollupRow, 2)
HOUR = _table("hour_rollup", history_rows.RollupRow, 2)
DAY = _table("day_rollup", history_rows.RollupRow, 2)
HISTORY_COMMIT = _table("history_commit", history_rows.HistoryCommitRow, 1)
HISTORY_ROLLED = _table("history_rolled", history_rows.HistoryRolledRow, 1)

TABLES = (
    ACCOUNT,
    DASHBOARD,
    WIDGET,
    DEVICE,
    TOKEN,
    VALUE,
    PROPERTY,
    TEMPLATE,
    DATASTREAM,
    EVENT,
    ANSWER,
    DELETION,
    APPLIED,
    OWNER,
    JOB,
    FIRMWARE,
    CAMPAIGN,
    STREAM,
    DROPPED_STREAM,
    PASSING,
    RAW_POINT,
    MINUTE,
    HOUR,
    DAY,
    HISTORY_COMMIT,
    HISTORY_ROLLED,
)

_ODD = re.compile("[\\\\\0\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(?:\\|u([0-9a-f]{4}))")


def escape(text: str) -> str:
    """`text` as it stands in a text column."""
    return _ODD.sub(lambda match: "\\\\" if match[0] == "\\" else f"\\u{ord(match[0]):04x}", text)


def unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)) if match[1] else "\\", text)


def _is_odd(row: tuple[Any, ...], texts: tuple[int, ...]) -> bool:
    return any(_ODD.search(row[i]) for i in texts if i < len(row))
