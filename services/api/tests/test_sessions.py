"""A log-in that overlaps a change of the password (spec 08, 2)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from vpin_api.v1 import users
from vpin_api.v1.context import SESSION, Context
from vpin_api.v1.problems import Problem
from vpin_store import open_store, upgrade
from vpin_store.passwords import app_hash, hash_password, hash_password_quickly
from vpin_store.rows import AccountRow

pytestmark = pytest.mark.anyio

EMAIL = "a@example.com"
REQUEST = cast(Any, SimpleNamespace(client=None))


@pytest.mark.parametrize("changed_to", ["new", "old", None])
async def test_a_session_of_a_password_that_was_replaced_meanwhile_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed_to: str | None
) -> None:
    """Changed behind the look at the password, before there is a session to end. Another hash of the same one is no change."""
    url = f"sqlite:///{tmp_path}/vpin.db"
    await upgrade(url)
    async with open_store(url) as store:
        nobody = cast(Any, None)
        context = Context(store, nobody, nobody, nobody, 1000, 0)
        old = hash_password_quickly(app_hash(EMAIL, "old"))
        row = AccountRow(0, EMAIL, "Blynk", EMAIL, old, False, False, 0, 1, 0, "", b"{}")
        account_id = await store.create_account(row)
        assert account_id is not None

        async def change(*_: object) -> str:
            if changed_to is not None:
                await store.set_password(account_id, hash_password(app_hash(EMAIL, changed_to)))
                await store.tokens.delete(account_id, SESSION)
            return old

        monkeypatch.setattr(users, "strengthen", change)
        body = users.Credentials(email=EMAIL, password="old")
        if changed_to == "new":
            with pytest.raises(Problem) as refused:
                await users._log_in(REQUEST, context, body)
            assert refused.value.status == 401
        else:
            await users._log_in(REQUEST, context, body)
        assert len(await store.tokens.of(account_id, SESSION)) == (changed_to != "new")
