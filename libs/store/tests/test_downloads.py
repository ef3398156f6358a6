"""What exports need of the store: a key, tokens that are counted and forgotten."""

from __future__ import annotations

import asyncio

import pytest
from vpin_store import Store
from vpin_store.history import ADDED_UP_MS, Step, finished
from vpin_store.rows import Changes

from .samples import account, token

pytestmark = pytest.mark.anyio


async def test_a_key_is_made_once(store: Store) -> None:
    first, *others = await asyncio.gather(*(store.tokens.key("downloads") for _ in range(5)))
    assert len(first) == 32
    assert set(others) == {first}
    assert await store.tokens.key("other") != first


async def test_downloads_are_counted_by_device_and_all_is_forgotten_when_out_of_date(store: Store) -> None:
    names = [("a", 0, 100), ("b", 0, 200), ("c", 1, 300)]
    rows = [token(name, 1, kind="download", device_id=device, expires_at=at, body=b"{}") for name, device, at in names]
    rows += [token("p", 1, kind="provision", expires_at=200), token("r", 1, kind="reset", expires_at=201)]
    await store.commit(Changes(accounts=[account(1)], tokens=[*rows, token("t", 1), token("x", 1, kind="clone")]))
    assert [await store.tokens.count("download", (1, 1, 0), after) for after in (99, 100, 200)] == [2, 1, 0]
    assert [row.token for row in (await store.load_accounts([1]))[1].tokens] == ["p", "r", "t", "x"]
    await store.tokens.forget(200)
    assert set(await store.tokens.find(["a", "b", "c", "p", "r", "t", "x"])) == {"c", "r", "t", "x"}


@pytest.mark.parametrize(("step", "length"), [(Step.MINUTE, 60_000), (Step.HOUR, 3_600_000), (Step.DAY, 86_400_000)])
def test_a_period_is_shown_once_it_is_over_and_added_up(step: Step, length: int) -> None:
    end = 20_000 * 86_400_000
    assert finished(end, step) == finished(end + ADDED_UP_MS - 1, step) == end - length
    assert finished(end + ADDED_UP_MS, step) == end
