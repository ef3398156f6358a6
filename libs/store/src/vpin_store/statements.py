"""SQL text, made once per dialect from :mod:`vpin_store.schema`, and what one commit consists of.

Parameters are written ``$1``, as PostgreSQL has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from vpin_store.rows import Changes
from vpin_store.schema import (
    ACCOUNT,
    ANSWER,
    APPLIED,
    CAMPAIGN,
    DASHBOARD,
    DATASTREAM,
    DEVICE,
    EVENT,
    JOB,
    PROPERTY,
    TEMPLATE,
    TOKEN,
    VALUE,
    WIDGET,
    Column,
    Table,
)


class Dialect(Protocol):
    """How one database says it."""

    next_account_id: str  # statement: ids of new accounts go on behind the greatest that there is

    def read(self, column: Column) -> str:
        """Expression that gives the column as Python has it; JSON as UTF-8 bytes, b"" for NULL."""
        ...

    def write(self, column: Column, source: str) -> str:
        """Expression that makes the column's value of `source`, a parameter or a column of parameters."""
        ...

    def among(self, column: Column, parameter: int) -> str:
        """Condition: the column's value is in the list that the parameter holds."""
        ...


SET_APART = "password_hash"
"""Changed by `Store.set_password` alone: an owner that has the account in memory must not write an old password back."""


def select(dialect: Dialect, table: Table, rest: str) -> str:
    """All columns of the rows; `rest` starts with WHERE."""
    columns = ", ".join(dialect.read(column) for column in table.columns)
    return f"SELECT {columns} FROM {table.name} {rest}"  # noqa: S608  made of constants, values are parameters


def among(dialect: Dialect, table: Table, name: str) -> str:
    """Condition: the column of that name is in the list that is the first parameter."""
    return dialect.among(next(column for column in table.columns if column.name == name), 1)


def on_conflict(table: Table) -> str:
    """What makes an insert an upsert by primary key."""
    key = ", ".join(column.name for column in table.key)
    changed = [column.name for column in table.columns[table.width :] if column.name != SET_APART]
    changes = ", ".join(f"{name} = excluded.{name}" for name in changed)
    return f"ON CONFLICT ({key}) DO UPDATE SET {changes}"


def insert_account(dialect: Dialect) -> str:
    """Inserts an account whose id the database gives; parameters are the other columns."""
    columns = ACCOUNT.columns[1:]
    names = ", ".join(column.name for column in columns)
    values = ", ".join(dialect.write(column, f"${n}") for n, column in enumerate(columns, 1))
    return f"INSERT INTO account ({names}) VALUES ({values}) ON CONFLICT DO NOTHING RETURNING id"  # noqa: S608


def insert_new(dialect: Dialect, table: Table) -> str:
    """Inserts a row, all columns as parameters, unless there is one of its key."""
    names = ", ".join(column.name for column in table.columns)
    values = ", ".join(dialect.write(column, f"${n}") for n, column in enumerate(table.columns, 1))
    key = ", ".join(column.name for column in table.key)
    return f"INSERT INTO {table.name} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING RETURNING {key}"  # noqa: S608


class Upsert(NamedTuple):
    table: Table
    rows: Sequence[tuple[Any, ...]]


class Delete(NamedTuple):
    """Of all rows whose `columns` are so."""

    table: Table
    columns: tuple[Column, ...]
    keys: Sequence[tuple[Any, ...]]


OF_ACCOUNTS = (DASHBOARD, WIDGET, DEVICE, TOKEN, VALUE, PROPERTY, TEMPLATE, DATASTREAM, EVENT, ANSWER, CAMPAIGN)
"""Tables whose rows go with their account; history besides."""


def operations(changes: Changes) -> Iterator[Upsert | Delete]:
    """The statements of one commit, in order; each once at most, with all its rows. Rows are as they are stored."""
    if changes.deleted_accounts:
        ids = [(account_id,) for account_id in changes.deleted_accounts]
        yield Delete(ACCOUNT, ACCOUNT.key, ids)
        for table in OF_ACCOUNTS:
            yield Delete(table, tuple(column for column in table.columns if column.name == "account_id"), ids)
    for table, width, keys in _deletions(changes):
        if keys:
            yield Delete(table, table.key[:width], table.stored(keys))
    for table, changed in (
        (ACCOUNT, changes.accounts),
        (DASHBOARD, changes.dashboards),
        (WIDGET, changes.widgets),
        (DEVICE, changes.devices),
        (TOKEN, changes.tokens),
        (VALUE, changes.values),
        (PROPERTY, changes.properties),
        (TEMPLATE, changes.templates),
        (DATASTREAM, changes.datastreams),
        (EVENT, changes.events),
        (APPLIED, changes.applied),
        (JOB, changes.jobs),
    ):
        if changed:
            yield Upsert(table, table.stored(changed))


def _deletions(changes: Changes) -> Iterator[tuple[Table, int, Sequence[tuple[Any, ...]]]]:
    """(table, so many columns of its key, their values)."""
    for table in (DASHBOARD, WIDGET, DEVICE, VALUE, PROPERTY, EVENT):
        yield table, 2, changes.deleted_dashboards
    for table in (DEVICE, VALUE, PROPERTY, EVENT):
        yield table, 3, changes.deleted_devices
    yield WIDGET, 3, changes.deleted_widgets
    yield TOKEN, 1, [(token,) for token in changes.deleted_tokens]
    yield VALUE, 3, [key[:3] for key in changes.deleted_values if key[4] == -1]
    yield VALUE, 5, [key for key in changes.deleted_values if key[4] != -1]
    yield PROPERTY, 6, changes.deleted_properties
    for table in (TEMPLATE, DATASTREAM):
        yield table, 2, changes.deleted_templates
    yield DATASTREAM, 4, changes.deleted_datastreams
    yield APPLIED, 2, changes.deleted_applied
    yield JOB, 1, [(key,) for key in changes.deleted_jobs]
