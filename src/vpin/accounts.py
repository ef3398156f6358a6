"""Accounts as the command line makes and changes them, below the running services."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from vpin_runtime.settings import Settings

if TYPE_CHECKING:
    from vpin_store import Store
    from vpin_store.rows import AccountRow

APP_NAME = "Blynk"
"""App that an account belongs to unless another one is named: what the apps of the old product send."""


class AccountError(ValueError):
    """The message says what is wrong with the account."""


async def add_account(
    store: Store, email: str, password: str, settings: Settings, *, app_name: str = APP_NAME, is_admin: bool = False
) -> int:
    """Make an account; returns its id. AccountError when the e-mail has one in this app, or is none."""
    from vpin_store.rows import AccountRow

    email = email.strip().lower()
    if "@" not in email.strip("@"):
        raise AccountError(f"{email!r} is no e-mail address")
    account = AccountRow(
        id=0,
        email=email,
        app_name=app_name,
        name=email,
        password_hash=await _stored_hash(email, password),
        is_super_admin=is_admin,
        is_facebook_user=False,
        energy=settings.initial_energy,
        created_at=int(time.time() * 1000),
        last_login_at=0,
        last_login_ip="",
        body=b"{}",
        timed=False,
    )
    made = await store.create_account(account)
    if made is None:
        raise AccountError(f"{email} has an account already (app {app_name}): `vpin user passwd` sets its password")
    return made


async def set_password(store: Store, email: str, password: str, app_name: str = APP_NAME) -> None:
    """Its sessions of the HTTP API end. AccountError when there is no such account."""
    email = email.strip().lower()
    account = await store.find_account(email, app_name)
    if account is None:
        raise AccountError(f"{email} has no account (app {app_name}): `vpin user add` makes one")
    await store.set_password(account.id, await _stored_hash(email, password))
    await store.tokens.delete(account.id, "session")


async def all_accounts(store: Store) -> list[AccountRow]:
    found: list[AccountRow] = []
    while page := await store.list_accounts(1000, found[-1].id if found else 0):
        found += page
    return found


async def _stored_hash(email: str, password: str) -> str:
    from vpin_store.passwords import app_hash, hash_password

    return await asyncio.to_thread(hash_password, app_hash(email, password))
