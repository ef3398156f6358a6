"""Rollups are those of a plain model, whatever the order of commits, repeated ones, roll-ups, changes of owner, deletions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vpin_store import Fenced, Store, open_store, upgrade
from vpin_store.history import DAY_MS, Step
from vpin_store.rows import Changes, PointRow, Rollup, StreamKey

SHARDS = [0, 1]
START = 20_000 * DAY_MS
PINS = [StreamKey(1 + n % 2, 1, n // 2, ord("v"), 5) for n in range(4)]  # account n is in shard n - 1
EVER = 1 << 60

points = st.builds(
    lambda pin, at, value, keep: PointRow(PINS[pin], START + at, float(value), keep, PINS[pin].account_id - 1),
    st.integers(0, 3),
    st.sampled_from([0, 1, 59_999, 60_000, 3_599_999, 3_600_000, DAY_MS - 1, DAY_MS]),
    st.integers(-3, 3),
    st.booleans(),
)
actions = st.one_of(
    st.tuples(st.just("commit"), st.lists(points, max_size=6)),
    st.tuples(st.just("repeat"), st.none()),  # its outcome was not known
    st.tuples(st.just("roll up"), st.lists(st.sampled_from(SHARDS), min_size=1, unique=True)),
    st.tuples(st.just("tidy"), st.none()),
    st.tuples(st.just("owner"), st.none()),  # another process takes over
    st.tuples(st.just("delete"), st.integers(0, 3)),
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(actions, max_size=20))
def test_rollups_are_those_of_the_model(
    empty_url: str, runner: asyncio.Runner, steps: list[tuple[str, object]]
) -> None:
    runner.run(_play(empty_url, steps))


async def _play(url: str, steps: list[tuple[str, object]]) -> None:
    await upgrade(url)
    async with open_store(url) as store:
        owner, model = 1, list[PointRow]()
        await store.commit(Changes(deleted_history=[(1,), (2,)], at=START))
        await _claim(store, owner)
        last: Changes | None = None
        for action, what in steps:
            if action == "commit":
                assert isinstance(what, list)
                last = Changes(points=list(what), shards=SHARDS, owner=_id(owner), at=START)
                await store.commit(last)
                model += what
            elif action == "repeat" and last is not None:
                await store.commit(last)
            elif action == "roll up":
                assert isinstance(what, list)
                await store.history.roll_up(_id(owner), what)
            elif action == "tidy":
                await store.history.tidy(START, 7)
            elif action == "owner":
                owner += 1
                await _claim(store, owner)
                if last is not None and last.points:
                    with pytest.raises(Fenced):
                        await store.commit(last)
                last = None
                with pytest.raises(Fenced):
                    await store.history.roll_up(_id(owner - 1), SHARDS)
            elif action == "delete":
                assert isinstance(what, int)
                last = Changes(deleted_history=[PINS[what]], shards=SHARDS, owner=_id(owner), at=START)
                await store.commit(last)
                model = [point for point in model if point.stream != PINS[what]]
        await store.history.roll_up(_id(owner), SHARDS)
        for pin in PINS:
            for step in Step:
                assert await store.history.rollups(pin, step, 0, EVER, 1000) == _rollups(model, pin, step)
            raw = [(p.at, p.value) for p in model if p.stream == pin and p.keep]
            assert sorted(await store.history.points(pin, 0, EVER, 1000)) == sorted(raw)


def _id(owner: int) -> bytes:
    return owner.to_bytes(16, "big")


async def _claim(store: Store, owner: int) -> None:
    for shard in SHARDS:
        await store.claim(shard, _id(owner))


def _rollups(model: list[PointRow], pin: StreamKey, step: Step) -> list[Rollup]:
    periods: dict[int, list[PointRow]] = {}
    for point in model:
        if point.stream == pin:
            periods.setdefault(point.at // step.ms * step.ms, []).append(point)
    found = []
    for at, of in sorted(periods.items()):
        values = [point.value for point in of]
        last = max(enumerate(of), key=lambda n: (n[1].at, n[0]))[1].value
        found.append(Rollup(at, len(of), sum(values), min(values), max(values), last))
    return found
