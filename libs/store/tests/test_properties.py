"""Any commits, applied one after the other, leave what a plain model of them leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vpin_store import Store, open_store, schema, upgrade
from vpin_store.rows import (
    AccountRow,
    AccountRows,
    AppliedRow,
    Changes,
    DashboardRow,
    DeviceRow,
    JobRow,
    PropertyRow,
    TokenRow,
    ValueRow,
    WidgetRow,
)

from .samples import account

PARTS = ("dashboards", "widgets", "devices", "tokens", "values", "properties")  # of an account
ACCOUNTS, TOKENS, JOBS, SENDERS = (1, 2), ("a", "b", "\0"), ("a", "b", "\\"), (b"a" * 16, bytes(16))

ids = st.integers(1, 2)  # few keys, so that rows meet
pins = st.integers(0, 1)
kinds = st.sampled_from([ord("v"), ord("d")])
names = st.sampled_from(["label", "color", "\0", "\\u0000"])
tokens, jobs, senders = map(st.sampled_from, (TOKENS, JOBS, SENDERS))
ints = st.integers(-(2**31), 2**31 - 1)
bigs = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(codec=None), max_size=8)  # lone surrogates too
blobs = st.binary(max_size=20)
flags = st.booleans()
json_values = st.text(max_size=3) | st.floats(allow_nan=False, allow_infinity=False) | st.none()
bodies = st.dictionaries(st.text(max_size=3), json_values, max_size=2).map(lambda body: json.dumps(body).encode())

ROWS: dict[str, tuple[schema.Table, st.SearchStrategy[Any]]] = {
    "dashboards": (schema.DASHBOARD, st.builds(DashboardRow, ids, ids, ints, flags, bigs, bodies)),
    "widgets": (schema.WIDGET, st.builds(WidgetRow, ids, ids, ids, ints, bodies)),
    "devices": (
        schema.DEVICE,
        st.builds(DeviceRow, ids, ids, pins, ints, texts, texts, texts, bigs, bigs, bigs, bigs, texts, bodies),
    ),
    "tokens": (schema.TOKEN, st.builds(TokenRow, tokens, texts, ids, ints, ints, bigs, bodies | st.just(b""))),
    "values": (
        schema.VALUE,
        st.builds(ValueRow, ids, ids, pins, kinds, pins, st.none() | blobs, st.none() | blobs, bigs, bigs, ints),
    ),
    "properties": (schema.PROPERTY, st.builds(PropertyRow, ids, ids, pins, kinds, pins, names, blobs)),
    "applied": (schema.APPLIED, st.builds(AppliedRow, pins, senders, bigs)),
    "jobs": (schema.JOB, st.builds(JobRow, jobs, pins, blobs)),
}
DELETIONS: dict[str, st.SearchStrategy[Any]] = {
    "deleted_dashboards": st.tuples(ids, ids),
    "deleted_widgets": st.tuples(ids, ids, ids),
    "deleted_devices": st.tuples(ids, ids, pins),
    "deleted_tokens": tokens,
    "deleted_values": st.tuples(ids, ids, pins, kinds, st.integers(-1, 1)),
    "deleted_properties": st.tuples(ids, ids, pins, kinds, pins, names),
    "deleted_applied": st.tuples(pins, senders),
    "deleted_jobs": jobs,
}
accounts = st.builds(  # all fields: of a named tuple, hypothesis invents those with defaults too, numbers of any size
    AccountRow,
    ids,
    st.just(""),
    *(texts, texts, texts, flags, flags),
    *(bigs, bigs, bigs, texts, bodies),
    *(texts, bigs, flags),
).map(lambda row: row._replace(email=str(row.id)))  # unique
commits = st.lists(
    st.builds(
        Changes,
        accounts=st.lists(accounts, max_size=3),
        **{name: st.lists(rows, max_size=4) for name, (_, rows) in ROWS.items()},
        **{name: st.lists(keys, max_size=2) for name, keys in DELETIONS.items()},
    ),
    min_size=1,
    max_size=3,
)

CLEAR = Changes(
    accounts=[account(n, str(n)) for n in ACCOUNTS],
    deleted_dashboards=[(n, dash_id) for n in ACCOUNTS for dash_id in (1, 2)],
    deleted_tokens=list(TOKENS),
    deleted_applied=[(shard, sender) for shard in (0, 1) for sender in SENDERS],
    deleted_jobs=list(JOBS),
)


class Model:
    """Tables as dicts by primary key."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], Any]] = {name: {} for name in ROWS}
        self.accounts: dict[int, AccountRow] = {}

    def delete(self, name: str, prefix: tuple[Any, ...]) -> None:
        table = self.tables[name]
        for key in [key for key in table if key[: len(prefix)] == prefix]:
            del table[key]

    def apply(self, changes: Changes) -> None:
        for key in changes.deleted_dashboards:
            for name in ("dashboards", "widgets", "devices", "values", "properties"):
                self.delete(name, key)
        for key in changes.deleted_devices:
            for name in ("devices", "values", "properties"):
                self.delete(name, key)
        for name in ("widgets", "properties", "applied"):
            for key in getattr(changes, f"deleted_{name}"):
                self.delete(name, key)
        for name in ("tokens", "jobs"):
            for key in getattr(changes, f"deleted_{name}"):
                self.delete(name, (key,))
        for key in changes.deleted_values:
            self.delete("values", key[:3] if key[4] == -1 else key)
        for name, (table, _) in ROWS.items():
            self.tables[name].update({row[: table.width]: row for row in getattr(changes, name)})
        for row in changes.accounts:
            known = self.accounts.get(row.id, row)  # a commit never changes a password
            self.accounts[row.id] = row._replace(password_hash=known.password_hash)

    def of_account(self, name: str, account_id: int) -> list[Any]:
        return [row for row in self.tables[name].values() if row.account_id == account_id]

    def of_shard(self, name: str, shard: int) -> list[Any]:
        return [row for row in self.tables[name].values() if row.shard == shard]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(commits=commits)
def test_commits_leave_what_their_model_leaves(empty_url: str, runner: asyncio.Runner, commits: list[Changes]) -> None:
    async def play() -> None:
        await upgrade(empty_url)
        async with open_store(empty_url) as store:
            model = Model()
            for changes in [CLEAR, *commits]:
                model.apply(changes)
                await store.commit(changes)
            await compare(store, model)

    runner.run(play())


async def compare(store: Store, model: Model) -> None:
    loaded = await store.load_accounts(ACCOUNTS)
    for account_id, found in loaded.items():
        assert found == AccountRows(model.accounts[account_id], *(getattr(found, name) for name in PARTS))
        for name in PARTS:
            assert sorted(getattr(found, name), key=repr) == sorted(model.of_account(name, account_id), key=repr), name
        assert found.dashboards == sorted(found.dashboards, key=lambda row: (row.position, row.id))
    assert set(loaded) == set(ACCOUNTS)
    for shard in (0, 1):
        assert await store.applied(shard) == {row.sender: row.number for row in model.of_shard("applied", shard)}
        assert set(await store.jobs([shard])) == set(model.of_shard("jobs", shard))
    assert await store.tokens.find(TOKENS) == {row.token: row for row in model.tables["tokens"].values()}


@given(texts)
def test_escaped_texts_come_back(text: str) -> None:
    escaped = schema.escape(text)
    assert "\0" not in escaped
    escaped.encode()
    assert schema.unescape(escaped) == text
