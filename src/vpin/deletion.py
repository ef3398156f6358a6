"""`vpin user delete`: what an account has, and its deletion, whether vpin runs or not (:mod:`vpin_store.deletions`)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from vpin.accounts import AccountError, all_accounts

if TYPE_CHECKING:
    from vpin_store import Store
    from vpin_store.rows import AccountRow

WAIT_SECONDS = 30.0
"""For the owner of the account to do it; it looks every two seconds."""
LOOK_SECONDS = 0.2


class Belongings(NamedTuple):
    """An account, and how much goes with it."""

    account: AccountRow
    projects: int
    devices: int
    online: int
    templates: int
    values: int
    recorded: int  # pins with history

    def __str__(self) -> str:
        parts = [
            _count(self.projects, "project"),
            _count(self.devices, "device") + (f" ({self.online} online)" if self.online else ""),
            _count(self.templates, "template"),
            _count(self.values, "value"),
            f"history of {_count(self.recorded, 'pin')}",
        ]
        return f"{self.account.email} (app {self.account.app_name}): {', '.join(parts)}."


async def belongings(store: Store, email: str, app_name: str) -> Belongings:
    """AccountError: there is no such account, or it must not be deleted."""
    account = await _find(store, email, app_name)
    if account.is_super_admin and not any(
        row.is_super_admin for row in await all_accounts(store) if row.id != account.id
    ):
        raise AccountError(
            f"{account.email} is the only administrator: `vpin user add --admin` makes another one first"
        )
    from vpin_state.model import NO_PROJECT

    rows = (await store.load_accounts([account.id]))[account.id]
    return Belongings(
        account,
        sum(row.id != NO_PROJECT for row in rows.dashboards),
        len(rows.devices),
        sum(row.connect_time > row.disconnect_time for row in rows.devices),
        len(rows.templates),
        len(rows.values),
        len(await store.history.streams([account.id])),
    )


async def delete_account(store: Store, account_id: int, *, running: bool) -> bool:
    """Delete it, or with vpin `running` have the owner of its shard delete it; False: that has not happened yet.

    The wish is left in either case, so a vpin that starts right now does not keep what it may have read before.
    """
    from vpin_store.rows import Changes

    now = time.time_ns() // 1_000_000
    await store.deletions.ask(account_id, now)
    if not running:
        await store.commit(Changes(deleted_accounts=[account_id], at=now))
        return True
    ends = time.monotonic() + WAIT_SECONDS
    while await store.get_account(account_id) is not None:
        if time.monotonic() > ends:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True


async def _find(store: Store, email: str, app_name: str) -> AccountRow:
    email = email.strip().lower()
    rows = await store.find_accounts([email])
    for row in rows:
        if row.app_name == app_name:
            return row
    if rows:
        apps = ", ".join(f"--app {row.app_name}" for row in rows)
        raise AccountError(f"{email} has no account of the app {app_name}, but: {apps}")
    raise AccountError(f"{email} has no account: `vpin user list` shows all")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
