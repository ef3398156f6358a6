"""Rows as the state service reads and writes them: plain tuples of the tables in :mod:`vpin_store.tables`.

JSON columns travel as UTF-8 bytes, which must be strict JSON (no NaN, no raw text of a client): PostgreSQL refuses the
whole commit otherwise. Times are milliseconds since 1970 in UTC, 0 for never; `position` orders siblings.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

Key = tuple[int, ...]


class AccountRow(NamedTuple):
    id: int
    email: str  # lower case; unique together with app_name
    app_name: str
    name: str
    password_hash: (
        str  # argon2id of what the app sends; "" for none. A commit never changes it: `Store.set_password` does
    )
    is_super_admin: bool
    is_facebook_user: bool
    energy: int
    created_at: int
    last_login_at: int
    last_login_ip: str
    body: bytes  # JSON object: what belongs to the profile and is in no other table (apps, …)
    time_zone: str = ""  # IANA; "" for none
    seq: int = 0  # number of the newest write of a pin
    timed: bool = True  # it may do something by the clock: it is loaded when its shard is claimed, and looked at


class DashboardRow(NamedTuple):
    account_id: int
    id: int
    position: int
    is_active: bool
    updated_at: int
    body: bytes  # JSON object: settings, tags, sharedToken, dataStreams


class WidgetRow(NamedTuple):
    account_id: int
    dash_id: int
    key: int  # unique in the dashboard, given by the owner: widget ids need not be unique
    position: int
    body: bytes  # JSON object, without values


class DeviceRow(NamedTuple):
    account_id: int
    dash_id: int
    id: int
    position: int
    name: str
    token: str  # "" for none
    template_id: str  # "" for none
    connect_time: int
    first_connect_time: int
    disconnect_time: int
    data_received_at: int
    last_logged_ip: str
    body: bytes  # JSON object: boardType, vendor, hardwareInfo, …


class TokenRow(NamedTuple):
    token: str  # unique
    kind: str  # "device", "share", "provision", "clone", …
    account_id: int
    dash_id: int
    device_id: int
    expires_at: int  # 0: never
    body: bytes  # JSON, b"" for none


class ValueRow(NamedTuple):
    account_id: int
    dash_id: int
    device_id: int  # or the id of a tag
    pin_type: int  # ord of "v", "d" or "a"
    pin: int
    value: bytes | None  # as written, parts joined by NUL
    lines: bytes | None  # msgpack list of bytes, for pins that keep several writes
    updated_at: int
    seq: int = 0  # number of the write in its account
    source: int = 0  # who wrote: 0 device, 1 app, 2 HTTP, 3 rule


class PropertyRow(NamedTuple):
    account_id: int
    dash_id: int
    device_id: int
    pin_type: int
    pin: int
    name: str
    value: bytes


class TemplateRow(NamedTuple):
    account_id: int
    id: str  # "TMPL" and 8 characters
    position: int
    name: str
    created_at: int
    updated_at: int
    body: bytes  # JSON object: description, boardType, connectionType, events


class DatastreamRow(NamedTuple):
    account_id: int
    template_id: str
    pin_type: int  # ord of "v", "d" or "a"
    pin: int
    position: int
    id: int  # unique in the template
    name: str
    alias: str
    body: bytes  # JSON object: valueType, bounds, default, …


class EventRow(NamedTuple):
    account_id: int
    dash_id: int
    device_id: int
    id: int  # ascends with time
    code: str
    severity: str
    description: str
    at: int
    resolved_at: int


class AnswerRow(NamedTuple):
    """The first answer to a request with an idempotency key."""

    account_id: int
    key: str
    digest: bytes  # of the request
    status: int
    body: bytes
    expires_at: int


class DeletionRow(NamedTuple):
    """An account that is to be deleted, by the owner of its shard."""

    account_id: int
    asked_at: int


class FirmwareRow(NamedTuple):
    """An image that boards load, served as ``/static/ota/{name}``."""

    name: str
    build: str  # what its boards tell as their `build`; "" where the image says nothing
    uploaded_at: int
    content: bytes


class CampaignRow(NamedTuple):
    """An image that is offered to boards of another build."""

    name: str  # of the image
    account_id: int  # 0: to boards of all accounts
    project: str  # "": of any name
    build: str
    started_at: int
    started_by: str  # e-mail of the administrator


class StreamKey(NamedTuple):
    """A pin that has history."""

    account_id: int
    dash_id: int
    device_id: int
    pin_type: int  # ord of "v", "d" or "a"
    pin: int


class PointRow(NamedTuple):
    """A number at a moment: goes into the rollups, and with `keep` stays as it is too."""

    stream: StreamKey
    at: int
    value: float  # finite
    keep: bool = False
    shard: int = 0  # of the account


class Rollup(NamedTuple):
    """The points of a minute, hour or day."""

    at: int  # start of the period
    count: int  # type: ignore[reportIncompatibleMethodOverride]  nobody counts in a row
    total: float
    least: float
    greatest: float
    last: float

    @property
    def average(self) -> float:
        return self.total / self.count


class AppliedRow(NamedTuple):
    shard: int
    sender: bytes  # 16 bytes
    number: int  # how far the effect of that sender's slabs is in the tables; it only grows, and is the owner's to read


class OwnerRow(NamedTuple):
    shard: int
    owner: bytes  # sender id of the state process that may commit changes of its accounts


class JobRow(NamedTuple):
    key: str
    shard: int
    body: bytes


@dataclass(slots=True)
class Changes:
    """Everything that one commit holds. Row lists are upserts by primary key, `deleted_…` are primary keys.

    Deletions run first; deleting a dashboard deletes its widgets, devices, values, properties and events, deleting a
    device its values, properties and events, both their history, deleting a template its datastreams, deleting an account
    everything that is its own (see :mod:`vpin_store.deletions`). `deleted_values`
    with pin -1 means all pins of that device id, `deleted_history` takes beginnings of a StreamKey. Of an account that is
    there already its password stays (see `set_password`).

    A commit whose outcome is not known is repeated with the same object: by its `id` its points are known then.
    """

    accounts: list[AccountRow] = field(default_factory=list[AccountRow])
    dashboards: list[DashboardRow] = field(default_factory=list[DashboardRow])
    widgets: list[WidgetRow] = field(default_factory=list[WidgetRow])
    devices: list[DeviceRow] = field(default_factory=list[DeviceRow])
    tokens: list[TokenRow] = field(default_factory=list[TokenRow])
    values: list[ValueRow] = field(default_factory=list[ValueRow])
    properties: list[PropertyRow] = field(default_factory=list[PropertyRow])
    templates: list[TemplateRow] = field(default_factory=list[TemplateRow])
    datastreams: list[DatastreamRow] = field(default_factory=list[DatastreamRow])
    events: list[EventRow] = field(default_factory=list[EventRow])
    applied: list[AppliedRow] = field(default_factory=list[AppliedRow])
    jobs: list[JobRow] = field(default_factory=list[JobRow])
    points: list[PointRow] = field(default_factory=list[PointRow])
    deleted_accounts: list[int] = field(default_factory=list[int])
    deleted_dashboards: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    deleted_widgets: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    deleted_devices: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    deleted_tokens: list[str] = field(default_factory=list[str])
    deleted_values: list[tuple[int, int, int, int, int]] = field(default_factory=list[tuple[int, int, int, int, int]])
    deleted_properties: list[tuple[int, int, int, int, int, str]] = field(
        default_factory=list[tuple[int, int, int, int, int, str]]
    )
    deleted_templates: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    deleted_datastreams: list[tuple[int, str, int, int]] = field(default_factory=list[tuple[int, str, int, int]])
    deleted_applied: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    deleted_jobs: list[str] = field(default_factory=list[str])
    deleted_history: list[tuple[int, ...]] = field(default_factory=list[tuple[int, ...]])
    shards: list[int] = field(default_factory=list[int])  # must still be owned by `owner`, else the commit is refused
    owner: bytes = b""
    at: int = 0  # when its points and deletions of history are from
    id: bytes = field(default_factory=partial(secrets.token_bytes, 16))

    def __bool__(self) -> bool:
        """There is something to store."""
        return any(getattr(self, name) for name in self.__slots__ if name not in ("shards", "owner", "at", "id"))


@dataclass(slots=True)
class AccountRows:
    """One whole account, lists ordered by position where they have one."""

    account: AccountRow
    dashboards: list[DashboardRow] = field(default_factory=list[DashboardRow])
    widgets: list[WidgetRow] = field(default_factory=list[WidgetRow])
    devices: list[DeviceRow] = field(default_factory=list[DeviceRow])
    tokens: list[TokenRow] = field(default_factory=list[TokenRow])
    values: list[ValueRow] = field(default_factory=list[ValueRow])
    properties: list[PropertyRow] = field(default_factory=list[PropertyRow])
    templates: list[TemplateRow] = field(default_factory=list[TemplateRow])
    datastreams: list[DatastreamRow] = field(default_factory=list[DatastreamRow])
