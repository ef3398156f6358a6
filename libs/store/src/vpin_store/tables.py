"""SQLModel tables: what migrations are compared with, and the door for administration through the ORM.

The services read and write by :mod:`vpin_store.store`, whose SQL comes from :mod:`vpin_store.schema`; a test holds both
together. There are no foreign keys: the owner of an account is its only writer, deletes what hangs on a dashboard or a
device in the commit that deletes it, and writes 10,000 pin values at a time, each of which would be checked.

On SQLite, small rows live in their primary key's tree (WITHOUT ROWID): one tree to write instead of two.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import declared_attr
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel


class JsonBody(TypeDecorator[Any]):
    """``json`` on PostgreSQL, TEXT on SQLite; the text is kept as it was written.

    Not ``jsonb``, which refuses \\u0000, and values joined by NUL are everywhere in here.
    """

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else JSON())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return json.dumps(value) if dialect.name == "sqlite" and value is not None else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return json.loads(value) if dialect.name == "sqlite" and value is not None else value


class _Table(SQLModel):
    """Its table is called like the class: PinValue is pin_value."""

    @declared_attr.directive
    def __tablename__(cls) -> str:  # type: ignore[reportIncompatibleVariableOverride]  # noqa: N805  as SQLModel has it
        return re.sub("(?<!^)([A-Z])", r"_\1", cls.__name__).lower()


_AccountId = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up an INTEGER only
_CLUSTERED = {"sqlite_with_rowid": False}


class Account(_Table, table=True):
    __table_args__ = (
        UniqueConstraint("email", "app_name", name="account_email_app_name"),
        Index("account_timed", "id", postgresql_where=text("timed"), sqlite_where=text("timed")),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=_AccountId)  # type: ignore[arg-type]  instance, not class
    email: str = Field(sa_type=Text)
    app_name: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    password_hash: str = Field(sa_type=Text)
    is_super_admin: bool = Field(sa_type=Boolean)
    is_facebook_user: bool = Field(sa_type=Boolean)
    energy: int = Field(sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    last_login_at: int = Field(sa_type=BigInteger)
    last_login_ip: str = Field(sa_type=Text)
    body: dict[str, Any] = Field(sa_type=JsonBody)
    time_zone: str = Field(default="", sa_type=Text)
    seq: int = Field(default=0, sa_type=BigInteger)
    timed: bool = Field(default=True, sa_type=Boolean)


class Dashboard(_Table, table=True):
    account_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    id: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    position: int = Field(sa_type=Integer)
    is_active: bool = Field(sa_type=Boolean)
    updated_at: int = Field(sa_type=BigInteger)
    body: dict[str, Any] = Field(sa_type=JsonBody)


class Widget(_Table, table=True):
    account_id: int = Field(primary_key=True, sa_type=BigInteger)
    dash_id: int = Field(primary_key=True, sa_type=Integer)
    key: int = Field(primary_key=True, sa_type=BigInteger)
    position: int = Field(sa_type=Integer)
    body: dict[str, Any] = Field(sa_type=JsonBody)


class Device(_Table, table=True):
    account_id: int = Field(primary_key=True, sa_type=BigInteger)
    dash_id: int = Field(primary_key=True, sa_type=Integer)
    id: int = Field(primary_key=True, sa_type=Integer)
    position: int = Field(sa_type=Integer)
    name: str = Field(sa_type=Text)
    token: str = Field(sa_type=Text)
    template_id: str = Field(sa_type=Text)
    connect_time: int = Field(sa_type=BigInteger)
    first_connect_time: int = Field(sa_type=BigInteger)
    disconnect_time: int = Field(sa_type=BigInteger)
    data_received_at: int = Field(sa_type=BigInteger)
    last_logged_ip: str = Field(sa_type=Text)
    body: dict[str, Any] = Field(sa_type=JsonBody)


class Token(_Table, table=True):
    __table_args__ = (Index("token_account_id", "account_id"), _CLUSTERED)

    token: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(sa_type=Text)
    account_id: int = Field(sa_type=BigInteger)
    dash_id: int = Field(sa_type=Integer)
    device_id: int = Field(sa_type=Integer)
    expires_at: int = Field(sa_type=BigInteger)
    body: dict[str, Any] | None = Field(default=None, sa_type=JsonBody)


class PinValue(_Table, table=True):
    __table_args__ = _CLUSTERED

    account_id: int = Field(primary_key=True, sa_type=BigInteger)
    dash_id: int = Field(primary_key=True, sa_type=Integer)
    device_id: int = Field(primary_key=True, sa_type=Integer)
    pin_type: int = Field(primary_key=True, sa_type=Integer)
    pin: int = Field(primary_key=True, sa_type=Integer)
    value: bytes | None = Field(default=None, sa_type=LargeBinary)
    lines: bytes | None = Field(default=None, sa_type=LargeBinary)
    updated_at: int = Field(sa_type=BigInteger)
    seq: int = Field(default=0, sa_type=BigInteger)
    source: int = Field(default=0, sa_type=Integer)


class PinProperty(_Table, table=True):
    __table_args__ = _CLUSTERED

    account_id: int = Field(primary_key=True, sa_type=BigInteger)
    dash_id: int = Field(primary_key=True, sa_type=Integer)
    device_id: int = Field(primary_key=True, sa_type=Integer)
    pin_type: int = Field(primary_key=True, sa_type=Integer)
    pin: int = Field(primary_key=True, sa_type=Integer)
    name: str = Field(primary_key=True, sa_type=Text)
    value: bytes = Field(sa_type=LargeBinary)


class Template(_Table, table=True):
    account_id: int = Field(primary_key=True, sa_type=BigInteger)
    id: str = Field(primary_key=True, sa_type=Text)
    position: int = Field(sa_type=Integer)
    name: str = Field(sa_type=Text)
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    body: dict[str, Any] = Field(sa_type=JsonBody)


class Datastream(_Table, table=True):
    account_id: int = Field(primary_key=True, sa_type=BigInteger)
    template_id: str = Field(primary_key=True, sa_type=Text)
    pin_type: int = Field(primary_key=True, sa_type=Integer)
    pin: int = Field(primary_key=True, sa_type=Integer)
    position: int = Field(sa_type=Integer)
    id: int = Field(sa_type=Integer)
    name: str = Field(sa_type=Text)
    alias: str = Field(sa_type=Text)
    body: dict[str, Any] = Field(sa_type=JsonBody)


class Event(_Table, table=True):
    __table_args__ = _CLUSTERED

    account_id: int = Field(primary_key=True, sa_type=BigInteger)
    dash_id: int = Field(primary_key=True, sa_type=Integer)
    device_id: int = Field(primary_key=True, sa_type=Integer)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    code: str = Field(sa_type=Text)
    severity: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    at: int = Field(sa_type=BigInteger)
    resolved_at: int = Field(sa_type=BigInteger)


class Answer(_Table, table=True):
    """First answers to requests with an idempotency key."""

    __table_args__ = (Index("answer_expires_at", "expires_at"),)

    account_id: int = Field(primary_key=True, sa_type=BigInteger)
    key: str = Field(primary_key=True, sa_type=Text)
    digest: bytes = Field(sa_type=LargeBinary)
    status: int = Field(sa_type=Integer)
    body: bytes = Field(sa_type=LargeBinary)
    expires_at: int = Field(sa_type=BigInteger)


class Deletion(_Table, table=True):
    """Accounts that are to be deleted."""

    account_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    asked_at: int = Field(sa_type=BigInteger)


class AppliedSlab(_Table, table=True):
    __table_args__ = _CLUSTERED

    shard: int = Field(primary_key=True, sa_type=Integer)
    sender: bytes = Field(primary_key=True, sa_type=LargeBinary)
    number: int = Field(sa_type=BigInteger)


class ShardOwner(_Table, table=True):
    """Which state process may commit changes of a shard's accounts."""

    __table_args__ = _CLUSTERED

    shard: int = Field(primary_key=True, sa_type=Integer)
    owner: bytes = Field(sa_type=LargeBinary)


class NotificationJob(_Table, table=True):
    __table_args__ = (Index("notification_job_shard", "shard"),)

    key: str = Field(primary_key=True, sa_type=Text)
    shard: int = Field(sa_type=Integer)
    body: bytes = Field(sa_type=LargeBinary)


class Firmware(_Table, table=True):
    name: str = Field(primary_key=True, sa_type=Text)
    build: str = Field(sa_type=Text)
    uploaded_at: int = Field(sa_type=BigInteger)
    content: bytes = Field(sa_type=LargeBinary)


class Campaign(_Table, table=True):
    name: str = Field(primary_key=True, sa_type=Text)
    account_id: int = Field(sa_type=BigInteger)
    project: str = Field(sa_type=Text)
    build: str = Field(sa_type=Text)
    started_at: int = Field(sa_type=BigInteger)
    started_by: str = Field(sa_type=Text)


class Stream(_Table, table=True):
    """A pin with history."""

    __table_args__ = (
        UniqueConstraint("account_id", "dash_id", "device_id", "pin_type", "pin", name="stream_key"),
        {"sqlite_autoincrement": True},  # an id never comes again
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    account_id: int = Field(sa_type=BigInteger)
    dash_id: int = Field(sa_type=Integer)
    device_id: int = Field(sa_type=Integer)
    pin_type: int = Field(sa_type=Integer)
    pin: int = Field(sa_type=Integer)


class DroppedStream(_Table, table=True):
    """A stream that is deleted and whose points are still there."""

    id: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    dropped_at: int = Field(sa_type=BigInteger)


class HistoryCommit(_Table, table=True):
    """The last commit that had points of a shard: its id, and the number of its batch."""

    shard: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    id: bytes = Field(sa_type=LargeBinary)
    batch: int = Field(sa_type=BigInteger)


class HistoryRolled(_Table, table=True):
    """The last batch of a shard that is in the rollups."""

    shard: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    batch: int = Field(sa_type=BigInteger)


class _Rollup(_Table):
    stream_id: int = Field(primary_key=True, sa_type=Integer)
    period: int = Field(primary_key=True, sa_type=Integer)
    count: int = Field(sa_type=Integer)
    total: float = Field(sa_type=Double)
    least: float = Field(sa_type=Double)
    greatest: float = Field(sa_type=Double)
    last: float = Field(sa_type=Double)
    last_at: int = Field(sa_type=BigInteger)


class MinuteRollup(_Rollup, table=True):
    __table_args__ = _CLUSTERED


class HourRollup(_Rollup, table=True):
    __table_args__ = _CLUSTERED


class DayRollup(_Rollup, table=True):
    __table_args__ = _CLUSTERED


def _point_table(name: str, *columns: Column[int]) -> Table:
    """Points have no key: a table below the ORM."""
    return Table(
        name,
        SQLModel.metadata,
        *columns,
        Column("stream_id", Integer, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("value", Double, nullable=False),
    )


passing = _point_table("passing", Column("shard", Integer, nullable=False), Column("seq", BigInteger, nullable=False))
raw_point = _point_table("raw_point", Column("day", Integer, nullable=False))
Index("raw_point_stream_id_at", raw_point.c.stream_id, raw_point.c.at)
