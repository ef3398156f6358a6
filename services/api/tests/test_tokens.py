from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from vpin_api.tokens import Tokens
from vpin_store import StoreUnavailable
from vpin_store.rows import TokenRow

pytestmark = pytest.mark.anyio


class Table:
    """Any token that begins with "d" is a device's; look-ups can be held up."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.busy = asyncio.Event()
        self.error: Exception | None = None
        self.expires_at = 0

    async def find(self, tokens: Sequence[str]) -> dict[str, TokenRow]:
        self.asked.append(list(tokens))
        self.busy.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        kinds = {"d": "device", "s": "share"}
        return {t: TokenRow(t, kinds[t[0]], 1, 1, 1, self.expires_at, b"") for t in tokens if t[0] in kinds}


async def test_a_device_token_is_looked_up_once() -> None:
    table = Table()
    tokens = Tokens(table.find)
    assert (await tokens.device("d1")) == (await tokens.device("d1")) == TokenRow("d1", "device", 1, 1, 1, 0, b"")
    assert table.asked == [["d1"]]


async def test_unknown_tokens_are_asked_for_each_time_and_other_kinds_are_none() -> None:
    table = Table()
    tokens = Tokens(table.find)
    assert [await tokens.device(t) for t in ("x", "x", "s")] == [None] * 3
    assert table.asked == [["x"], ["x"], ["s"]]


async def test_an_expired_token_is_none() -> None:
    table = Table()
    table.expires_at = 5_000
    now = 4.9
    tokens = Tokens(table.find, clock=lambda: now)
    assert await tokens.device("d") is not None
    now = 5.0
    assert await tokens.device("d") is None


async def test_a_forgotten_token_is_looked_up_again() -> None:
    table = Table()
    tokens = Tokens(table.find)
    await tokens.device("d")
    tokens.forget("d")
    await tokens.device("d")
    assert table.asked == [["d"], ["d"]]


async def test_the_least_used_row_makes_room() -> None:
    table = Table()
    tokens = Tokens(table.find, size=2)
    for token in ("d1", "d2", "d1", "d3", "d1", "d2"):
        await tokens.device(token)
    assert table.asked == [["d1"], ["d2"], ["d3"], ["d2"]]


async def test_askers_that_meet_share_a_query() -> None:
    table = Table()
    table.open.clear()
    tokens = Tokens(table.find)
    first = asyncio.create_task(tokens.device("d1"))
    await table.busy.wait()
    rest = [asyncio.create_task(tokens.device(t)) for t in ("d2", "d3", "d2", "d1")]
    await asyncio.sleep(0)
    table.open.set()
    rows = await asyncio.gather(first, *rest)
    assert [row.token for row in rows if row] == ["d1", "d2", "d3", "d2", "d1"]
    assert table.asked == [["d1"], ["d2", "d3"]]


async def test_an_asker_that_leaves_takes_nothing_from_the_others() -> None:
    table = Table()
    table.open.clear()
    tokens = Tokens(table.find)
    leaving, staying = asyncio.create_task(tokens.device("d")), asyncio.create_task(tokens.device("d"))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.sleep(0)
    table.open.set()
    assert await staying is not None


async def test_a_store_that_is_away_is_told_and_asked_again() -> None:
    table = Table()
    tokens = Tokens(table.find)
    table.error = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await tokens.device("d")
    table.error = None
    assert await tokens.device("d") is not None


async def test_closing_gives_up_what_is_looked_up() -> None:
    table = Table()
    table.open.clear()
    tokens = Tokens(table.find)
    asker = asyncio.create_task(tokens.device("d"))
    await asyncio.sleep(0)
    await tokens.close()
    with pytest.raises(asyncio.CancelledError):
        await asker
