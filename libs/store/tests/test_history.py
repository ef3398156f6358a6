"""Points go into minutes, hours and days exactly once, whatever happens in between (spec 05, 3.2)."""

from __future__ import annotations

import pytest
from vpin_store import Fenced, Store
from vpin_store.history import CHUNK, DAY_MS, Step
from vpin_store.rows import Changes, PointRow, Rollup, StreamKey

from .samples import account, dashboard, template

pytestmark = pytest.mark.anyio

OWNER = b"o" * 16
PIN = StreamKey(1, 1, 0, ord("v"), 5)
OTHER = StreamKey(1, 1, 1, ord("v"), 5)
START = 20_000 * DAY_MS  # of a day
EVER = 1 << 60


def point(at: int, value: float, key: StreamKey = PIN, *, keep: bool = False) -> PointRow:
    return PointRow(key, START + at, value, keep, shard=3)


def changes(*points: PointRow, at: int = START) -> Changes:
    return Changes(points=list(points), shards=[3], owner=OWNER, at=at)


async def minutes(store: Store, key: StreamKey = PIN) -> list[Rollup]:
    return await store.history.rollups(key, Step.MINUTE, 0, EVER, 1000)


@pytest.fixture
async def owned(store: Store) -> Store:
    await store.claim(3, OWNER)
    return store


async def test_points_become_minutes_hours_and_days(owned: Store) -> None:
    await owned.commit(changes(point(10, 4), point(59_999, 2), point(60_000, 7), point(3_600_000, -1)))
    assert await minutes(owned) == []
    assert await owned.history.roll_up(OWNER, [3]) == 4
    assert await minutes(owned) == [
        Rollup(START, 2, 6, 2, 4, 2),
        Rollup(START + 60_000, 1, 7, 7, 7, 7),
        Rollup(START + 3_600_000, 1, -1, -1, -1, -1),
    ]
    hours = [Rollup(START, 3, 13, 2, 7, 7), Rollup(START + 3_600_000, 1, -1, -1, -1, -1)]
    assert await owned.history.rollups(PIN, Step.HOUR, 0, EVER, 1000) == hours
    assert await owned.history.rollups(PIN, Step.DAY, 0, EVER, 1000) == [Rollup(START, 4, 12, -1, 7, -1)]
    assert await owned.history.roll_up(OWNER, [3]) == 0
    assert len(await minutes(owned)) == 3


async def test_late_points_are_added_to_their_period(owned: Store) -> None:
    await owned.commit(changes(point(500, 1), point(70_000, 9)))
    await owned.history.roll_up(OWNER, [3])
    await owned.commit(changes(point(400, 5), point(90_000, 8)))
    await owned.history.roll_up(OWNER, [3])
    assert await minutes(owned) == [Rollup(START, 2, 6, 1, 5, 1), Rollup(START + 60_000, 2, 17, 8, 9, 8)]


async def test_of_points_of_one_moment_the_last_counts(owned: Store) -> None:
    await owned.commit(changes(point(5, 3), point(5, 9), point(5, 4)))
    await owned.history.roll_up(OWNER, [3])
    assert (await minutes(owned))[0].last == 4
    await owned.commit(changes(point(5, 2)))
    await owned.history.roll_up(OWNER, [3])
    assert (await minutes(owned))[0].last == 2


async def test_a_commit_that_is_repeated_counts_once(owned: Store) -> None:
    again = changes(point(1, 1, keep=True), point(2, 2, OTHER))
    for _ in range(3):
        await owned.commit(again)
    await owned.history.roll_up(OWNER, [3])
    await owned.commit(again)
    await owned.history.roll_up(OWNER, [3])
    assert await minutes(owned) == [Rollup(START, 1, 1, 1, 1, 1)]
    assert await owned.history.points(PIN, 0, EVER, 10) == [(START + 1, 1)]


async def test_only_the_owner_rolls_up(owned: Store) -> None:
    await owned.commit(changes(point(1, 1)))
    await owned.claim(3, b"n" * 16)
    with pytest.raises(Fenced):
        await owned.history.roll_up(OWNER, [3])
    assert await owned.history.roll_up(b"n" * 16, [3]) == 1


async def test_shards_are_rolled_up_apart(owned: Store) -> None:
    await owned.claim(4, OWNER)
    both = Changes(points=[point(1, 1), point(1, 8, OTHER)._replace(shard=4)], shards=[3, 4], owner=OWNER, at=START)
    await owned.commit(both)
    assert await owned.history.roll_up(OWNER, [4]) == 1
    assert await minutes(owned) == []
    assert len(await minutes(owned, OTHER)) == 1
    assert await owned.history.roll_up(OWNER, [3, 4]) == 1


async def test_reading_pages(owned: Store) -> None:
    rows = [(PIN, Rollup(START + n * 60_000, 1, n, n, n, n)) for n in range(CHUNK + 10)]
    await owned.history.add_rollups(Step.MINUTE, rows)
    await owned.history.add_rollups(Step.MINUTE, rows[:5])  # again: in place of the same
    everything = [rollup for _, rollup in rows]
    read = owned.history.rollups
    assert await read(PIN, Step.MINUTE, 0, EVER, 3) == everything[-3:]
    assert await read(PIN, Step.MINUTE, 0, EVER, 3, skip=3) == everything[-6:-3]
    assert await read(PIN, Step.MINUTE, START + 1, START + 180_000, 10) == everything[1:3]
    chunks = [chunk async for chunk in owned.history.every_rollup(PIN, Step.MINUTE, 0, EVER)]
    assert [rollup for chunk in chunks for rollup in chunk] == everything
    assert await read(OTHER, Step.MINUTE, 0, EVER, 3) == []
    assert [chunk async for chunk in owned.history.every_rollup(OTHER, Step.MINUTE, 0, EVER)] == []


async def test_raw_points(owned: Store) -> None:
    points = [point(7 + n // 3, n, keep=True) for n in range(2 * CHUNK + 7)]  # three of each moment
    await owned.commit(changes(*points, point(5, 1, OTHER)))
    everything = [(p.at, p.value) for p in points]
    assert [at for at, _ in await owned.history.points(PIN, 0, EVER, 4)] == [at for at, _ in everything[-4:]]
    assert len(await owned.history.points(PIN, START + 7, START + 9, 100)) == 6
    read = [one async for chunk in owned.history.every_point(PIN, 0, EVER) for one in chunk]
    assert sorted(read) == everything
    assert [at for at, _ in read] == [at for at, _ in everything]
    assert await owned.history.points(OTHER, 0, EVER, 4) == []


async def test_streams_and_their_deletion(owned: Store) -> None:
    third = StreamKey(1, 2, 0, ord("a"), 1)
    await owned.commit(changes(point(1, 1, keep=True), point(1, 1, OTHER), point(1, 1, third)))
    await owned.history.roll_up(OWNER, [3])
    assert await owned.history.streams([1]) == [PIN, OTHER, third]
    assert await owned.history.streams([1, 1]) == [PIN, OTHER]
    assert await owned.history.streams(third) == [third]
    assert await owned.history.streams([]) == [PIN, OTHER, third]
    await owned.commit(Changes(deleted_history=[PIN], at=START))
    assert await owned.history.streams([1]) == [OTHER, third]
    assert await minutes(owned) == []
    assert await owned.history.points(PIN, 0, EVER, 4) == []
    await owned.commit(changes(point(2, 2)))  # written again: a new stream
    await owned.history.roll_up(OWNER, [3])
    assert [rollup.total for rollup in await minutes(owned)] == [2]
    await owned.commit(Changes(deleted_devices=[(1, 1, 1)], deleted_dashboards=[(1, 2)], at=START))
    assert await owned.history.streams([1]) == [PIN]
    await owned.history.tidy(START + DAY_MS, 7)
    for _ in range(3):  # SQLite deletes one at a time
        await owned.history.tidy(START + DAY_MS, 7)
    assert [rollup.total for rollup in await minutes(owned)] == [2]


async def test_accounts_with_history_of_those_who_were_active(owned: Store) -> None:
    """2 has logged in, 3 changed a dashboard, 4 a template, 5 has no history."""
    await owned.commit(
        Changes(
            accounts=[account(n, f"{n}@y.z", last_login_at=50 if n in (2, 5) else 49) for n in range(2, 7)],
            dashboards=[dashboard(3, 1, updated_at=50), dashboard(6, 1, updated_at=49)],
            templates=[template(4, "TMPL", updated_at=50), template(6, "TMPL", updated_at=49)],
        )
    )
    await owned.commit(changes(*(point(1, 1, PIN._replace(account_id=n)) for n in (2, 3, 4, 6))))
    assert await owned.history.active_accounts(50, 0, 9) == [2, 3, 4]
    assert await owned.history.active_accounts(50, 2, 1) == [3]
    assert await owned.history.active_accounts(51, 0, 9) == []
    assert await owned.history.active_accounts(49, 4, 9) == [6]


async def test_points_on_their_way_when_their_stream_is_deleted_are_gone(owned: Store) -> None:
    await owned.commit(changes(point(1, 1), point(1, 1, OTHER)))
    await owned.commit(Changes(deleted_history=[(1, 1, 0)], at=START))
    await owned.history.roll_up(OWNER, [3])
    assert await minutes(owned) == []
    assert len(await minutes(owned, OTHER)) == 1


async def test_old_raw_points_are_dropped(owned: Store) -> None:
    await owned.history.tidy(START, 7)
    await owned.commit(changes(point(1, 1, keep=True)))
    await owned.commit(changes(point(5 * DAY_MS, 2, keep=True), at=START + 5 * DAY_MS))
    await owned.history.tidy(START + 7 * DAY_MS, 7)
    assert len(await owned.history.points(PIN, 0, EVER, 9)) == 2
    await owned.history.tidy(START + 8 * DAY_MS, 7)
    assert await owned.history.points(PIN, 0, EVER, 9) == [(START + 5 * DAY_MS, 2)]
    await owned.commit(changes(point(2, 3, keep=True)))  # by a slow clock
    assert len(await owned.history.points(PIN, 0, EVER, 9)) == 2


async def test_minutes_are_kept_by_their_number(owned: Store) -> None:
    for key in (PIN, OTHER):
        await owned.history.add_rollups(
            Step.MINUTE, [(key, Rollup(START + n * 60_000, 1, n, n, n, n)) for n in range(9)]
        )
    first = await owned.history.trim_minutes(5, 0, 1)
    assert [rollup.total for rollup in await minutes(owned)] == [4, 5, 6, 7, 8]
    assert len(await minutes(owned, OTHER)) == 9
    second = await owned.history.trim_minutes(5, first, 1)
    assert len(await minutes(owned, OTHER)) == 5
    assert await owned.history.trim_minutes(5, second, 1) == 0
