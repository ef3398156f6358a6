"""The repository that state, api, notify and the command line share, on PostgreSQL or SQLite.

All methods raise :class:`StoreUnavailable` when the database can't be reached or can't write now, and may be called
again; the store recovers by itself. Any other error is a fault of the caller or of the data.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Self, TypeVar

from vpin_store.answers import Answers
from vpin_store.deletions import Deletions
from vpin_store.driver import Driver
from vpin_store.errors import StoreUnavailable
from vpin_store.events import Events
from vpin_store.firmware import Firmware
from vpin_store.history import History
from vpin_store.rows import (
    AccountRow,
    AccountRows,
    Changes,
    DashboardRow,
    JobRow,
)
from vpin_store.schema import (
    ACCOUNT,
    DASHBOARD,
    DATASTREAM,
    DEVICE,
    JOB,
    OWNER,
    PROPERTY,
    TEMPLATE,
    TOKEN,
    VALUE,
    WIDGET,
    escape,
)
from vpin_store.statements import Dialect, among, insert_account, on_conflict, select
from vpin_store.tokens import Tokens
from vpin_store.urls import sqlite_path

T = TypeVar("T")

_PARTS = (  # field of AccountRows, its table, the order of its rows
    ("dashboards", DASHBOARD, "position, id"),
    ("widgets", WIDGET, "dash_id, position, key"),
    ("devices", DEVICE, "dash_id, position, id"),
    ("tokens", TOKEN, "token"),
    ("values", VALUE, "dash_id, device_id, pin_type, pin"),
    ("properties", PROPERTY, "dash_id, device_id, pin_type, pin, name"),
    ("templates", TEMPLATE, "position, id"),
    ("datastreams", DATASTREAM, "template_id, position, pin_type, pin"),
)

_WANTED = {TOKEN: "AND kind <> 'download'"}
"""Rows that an account is loaded with: there may be thousands of downloads, and its owner has no use for them."""


def open_store(url: str, *, connections: int = 4) -> Store:
    """The store of ``postgresql://user:password@host:port/name`` or ``sqlite:///path`` (four slashes: absolute).

    It is opened by ``await store.open()`` or ``async with``. `connections`: most of them to PostgreSQL at a time.
    """
    path = sqlite_path(url)
    if path is not None:
        from vpin_store.sqlite import SqliteDriver

        return Store(SqliteDriver(path))
    from vpin_store.postgres import PostgresDriver

    return Store(PostgresDriver(url, connections))


class Store:
    """Made by :func:`open_store`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.answers = Answers(driver, self._watch)
        self.deletions = Deletions(driver, self._watch)
        self.events = Events(driver, self._watch)
        self.firmware = Firmware(driver, self._watch)
        self.history = History(driver, self._watch)
        self.tokens = Tokens(driver, self._watch)
        self._sql = _Texts(driver.dialect)
        self._ready = False
        self._closed = False

    async def open(self) -> None:
        """Return at once even if PostgreSQL is away; :attr:`ready` tells. The tables must be there: see `upgrade`."""
        await self._driver.open()
        await self.ping()

    async def close(self) -> None:
        """Wait for running calls; a second time it does nothing."""
        self._ready = False
        if not self._closed:
            self._closed = True
            await self._driver.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @property
    def ready(self) -> bool:
        """The database answered the last call."""
        return self._ready

    async def ping(self) -> bool:
        """Ask the database, never raising StoreUnavailable; sets :attr:`ready`."""
        try:
            await self._watch(self._driver.fetch("SELECT 1"))
        except StoreUnavailable:
            return False
        return True

    async def find_account(self, email: str, app_name: str) -> AccountRow | None:
        """By its key, as stored: the e-mail in lower case."""
        return await self._account(self._sql.account_by_key, escape(email), escape(app_name))

    async def get_account(self, account_id: int) -> AccountRow | None:
        return await self._account(self._sql.account_by_id, account_id)

    async def create_account(self, account: AccountRow) -> int | None:
        """The id that the database gives the new account (`account.id` is not read); None: its key is taken."""
        (values,) = ACCOUNT.stored([account])
        while True:
            created = await self._watch(self._driver.write(self._sql.insert_account, *values[1:]))
            if created:
                return created[0][0]
            if await self.find_account(account.email, account.app_name):
                return None
            # The id is that of an account which was committed with its id (an import).
            await self._watch(self._driver.write(self._driver.dialect.next_account_id))

    async def find_accounts(self, emails: Sequence[str]) -> list[AccountRow]:
        """All accounts of these e-mails (as stored: lower case), whatever their app; one query."""
        return ACCOUNT.loaded(await self._watch(self._driver.fetch(self._sql.by_email, list(map(escape, emails)))))

    async def reserve_accounts(self, count: int) -> list[int]:
        """Ids that no account has and none will be given: accounts may be committed with them."""
        while True:
            ids = await self._watch(self._driver.reserve_accounts(count))
            if not await self._watch(self._driver.fetch(self._sql.account_ids, ids)):
                return ids
            # Accounts were committed with ids that had not been reserved.
            await self._watch(self._driver.write(self._driver.dialect.next_account_id))

    async def replace_password(self, account_id: int, old: str, new: str) -> bool:
        """Set the hash unless it is another one than `old` by now."""
        changed = await self._watch(
            self._driver.write(self._sql.replace_password, account_id, escape(new), escape(old))
        )
        return bool(changed)

    async def set_password(self, account_id: int, password_hash: str) -> bool:
        """False: no such account."""
        changed = await self._watch(self._driver.write(self._sql.set_password, account_id, escape(password_hash)))
        return bool(changed)

    async def list_accounts(self, limit: int, after: int = 0) -> list[AccountRow]:
        """Accounts by id, those with an id above `after`."""
        return ACCOUNT.loaded(await self._watch(self._driver.fetch(self._sql.accounts, after, limit)))

    async def were_made_since(self, count: int, since: int) -> bool:
        """Whether the newest `count` accounts were all made after `since` (ms): by their ids, so it costs no search."""
        found = await self._watch(self._driver.fetch(self._sql.made, count - 1))
        return bool(found) and found[0][0] > since

    async def has_super_admin(self) -> bool:
        return bool(await self._watch(self._driver.fetch(self._sql.super_admin)))

    async def users_of(self, app_name: str) -> list[int]:
        """Ids of the accounts of an app."""
        found = await self._watch(self._driver.fetch(self._sql.users, escape(app_name)))
        return [record[0] for record in found]

    async def timed_accounts(self) -> list[int]:
        """Ids of the accounts that may do something by the clock."""
        return [record[0] for record in await self._watch(self._driver.fetch(self._sql.timed))]

    async def accounts_left_behind(self) -> list[int]:
        """Ids of the accounts with a device that is online by its times, or whose offline notice waits."""
        return [record[0] for record in await self._watch(self._driver.fetch(self._sql.left_behind))]

    async def get_dashboard(self, account_id: int, dash_id: int) -> DashboardRow | None:
        found = DASHBOARD.loaded(await self._watch(self._driver.fetch(self._sql.dashboard, account_id, dash_id)))
        return found[0] if found else None

    async def load_accounts(self, ids: Sequence[int]) -> dict[int, AccountRows]:
        """Whole accounts as of one moment, those that exist, by id; the number of queries is fixed."""
        records = await self._watch(self._driver.fetch_together(self._sql.whole_accounts, list(ids)))
        accounts = {row.id: AccountRows(row) for row in ACCOUNT.loaded(records[0])}
        for (field, table, _), part in zip(_PARTS, records[1:], strict=True):
            for row in table.loaded(part):
                if row.account_id in accounts:
                    getattr(accounts[row.account_id], field).append(row)
        return accounts

    async def commit(self, changes: Changes) -> None:
        """Store all of it or, with an error, nothing. Of rows with equal keys in a list the last counts.

        Fenced: `changes.owner` is not the owner of all `changes.shards` any more. Conflict: an account's key is taken.
        """
        if changes:
            await self._watch(self._driver.commit(changes))

    async def claim(self, shard: int, owner: bytes) -> bool:
        """Make a process (by its id) the owner of a shard: no other may commit from now on. True: it was already."""
        was = await self._watch(self._driver.fetch("SELECT owner FROM shard_owner WHERE shard = $1", shard))
        if was and was[0][0] == owner:
            return True
        await self._watch(self._driver.write(self._sql.claim, shard, owner))
        self._driver.forget_streams()
        return False

    async def applied(self, shard: int) -> dict[bytes, int]:
        """How far slabs are applied, by sender: `AppliedRow.number`."""
        found = await self._watch(self._driver.fetch(self._sql.applied, shard))
        return {record[0]: record[1] for record in found}

    async def jobs(self, shards: Sequence[int]) -> list[JobRow]:
        return JOB.loaded(await self._watch(self._driver.fetch(self._sql.jobs, list(shards))))

    async def _account(self, sql: str, *arguments: Any) -> AccountRow | None:
        found = ACCOUNT.loaded(await self._watch(self._driver.fetch(sql, *arguments)))
        return found[0] if found else None

    async def _watch(self, call: Awaitable[T]) -> T:
        """The call's result; keeps :attr:`ready`."""
        try:
            result = await call
        except StoreUnavailable:
            self._ready = False
            raise
        self._ready = True
        return result


class _Texts:
    """The queries of a store in its database's dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.account_by_key = select(dialect, ACCOUNT, "WHERE email = $1 AND app_name = $2")
        self.account_by_id = select(dialect, ACCOUNT, "WHERE id = $1")
        self.by_email = select(dialect, ACCOUNT, f"WHERE {among(dialect, ACCOUNT, 'email')} ORDER BY id")
        self.account_ids = f"SELECT id FROM account WHERE {among(dialect, ACCOUNT, 'id')}"  # noqa: S608
        self.accounts = select(dialect, ACCOUNT, "WHERE id > $1 ORDER BY id LIMIT $2")
        self.made = "SELECT created_at FROM account ORDER BY id DESC LIMIT 1 OFFSET $1"
        self.super_admin = "SELECT 1 FROM account WHERE is_super_admin LIMIT 1"
        self.insert_account = insert_account(dialect)
        self.set_password = "UPDATE account SET password_hash = $2 WHERE id = $1 RETURNING id"  # noqa: S105  no password
        self.replace_password = (
            "UPDATE account SET password_hash = $2 WHERE id = $1 AND password_hash = $3 RETURNING id"  # noqa: S105
        )
        self.users = "SELECT id FROM account WHERE app_name = $1 ORDER BY id"
        self.timed = "SELECT id FROM account WHERE timed ORDER BY id"
        self.left_behind = (
            "SELECT DISTINCT account_id FROM device "
            "WHERE connect_time > disconnect_time OR CAST(body AS text) LIKE '%\"offlineNotice\"%' ORDER BY account_id"
        )
        self.dashboard = select(dialect, DASHBOARD, "WHERE account_id = $1 AND id = $2")
        self.claim = f"INSERT INTO shard_owner (shard, owner) VALUES ($1, $2) {on_conflict(OWNER)}"  # noqa: S608
        self.applied = "SELECT sender, number FROM applied_slab WHERE shard = $1"
        self.jobs = select(dialect, JOB, f"WHERE {among(dialect, JOB, 'shard')} ORDER BY key")
        self.whole_accounts = [
            select(dialect, ACCOUNT, f"WHERE {among(dialect, ACCOUNT, 'id')}"),
            *(
                select(
                    dialect,
                    table,
                    f"WHERE {among(dialect, table, 'account_id')} {_WANTED.get(table, '')} ORDER BY account_id, {order}",
                )
                for _, table, order in _PARTS
            ),
        ]
