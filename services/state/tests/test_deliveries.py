"""Slabs of a shard: fair, applied once to the byte, broken ones harmless. Over a bus that is a callback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from state_measure import SENDER, Swallow
from state_world import World as Home
from vpin_bus import Bus, Delivery
from vpin_messages import slab
from vpin_messages.slab import HEAD, Side, Up, up_entry
from vpin_protocol import Command, hardware_frame, split_app
from vpin_state import deliveries, dispatch, registry
from vpin_state import owner as owners
from vpin_state.config import Config
from vpin_state.entries import cut
from vpin_state.owner import Owner
from vpin_state.session import SLAB
from vpin_store import Store
from vpin_store.rows import AccountRows, CampaignRow, DeletionRow

registry.load()


class NoCampaigns:
    """Nothing is offered to boards."""

    async def campaigns(self) -> list[CampaignRow]:
        return []


class NoAccounts:
    """A database without accounts."""

    def __init__(self) -> None:
        self.asked = 0
        self.deletions = NoDeletions()
        self.firmware = NoCampaigns()
        self.history = NoHistory()

    async def load_accounts(self, ids: list[int]) -> dict[int, AccountRows]:
        self.asked += len(ids)
        return {}


class NoDeletions:
    """A database in which nobody wants to be deleted."""

    async def asked(self) -> list[DeletionRow]:
        return []


class NoHistory:
    """A database without points."""

    async def roll_up(self, owner: bytes, shards: list[int]) -> int:
        return 0

    async def tidy(self, now: int, raw_days: int) -> None:
        pass

    async def trim_minutes(self, keep: int, after: int, count: int) -> int:
        return 0


class Process:
    """An owner of shards 0 and 1, each with one account, its app and its board; account `n` is in shard `n - 1`."""

    def __init__(self, applied: int = 0) -> None:
        """`applied`: what the database knows of shard 0's sender."""
        self.buses = [Swallow(), Swallow()]
        self.store = NoAccounts()
        self.owner = Owner(cast(Bus, None), cast(Store, self.store), Config(), [0, 1], 2, 20)
        self.homes = [Home(1), Home(2)]
        for number, home in enumerate(self.homes):
            self.owner.ways._bus = self.owner.bus = cast(Bus, self.buses[number])
            home.account.shard = number
            home.dash.add_widget({"id": 1, "type": "TERMINAL", "deviceId": 0, "pinType": "VIRTUAL", "pin": 1})
            home.account.on_dirty = self.owner.memory.dirty
            self.owner.accounts[home.account.id] = home.account
            shard = self.owner.shards[number]
            shard.active = True
            instance = shard.gateway(SENDER)
            instance.sessions.update({home.app.id: home.app, home.board.id: home.board})
            home.app.instance = home.board.instance = instance
        self.owner.shards[0].gateway(SENDER).applied = applied
        self.heard: list[bytes] = []  # what the apps were sent, in order
        put = self.owner.outbox.put
        self.owner.outbox.put = lambda session, frames: (  # type: ignore[method-assign]  # listened to
            self.heard.append(frames) if session.side == Side.APP else None,
            put(session, frames),
        )[1]

    async def start(self) -> None:
        for number, shard in self.owner.shards.items():
            self.owner.bus = cast(Bus, self.buses[number])
            await shard.start()

    def deliver(self, shard: int, body: bytes, tag: int = 1) -> None:
        self.buses[shard].deliver(Delivery(body, tag, False))

    def entry(self, shard: int, *frames: bytes, session: int = 0) -> bytes:
        home = self.homes[shard]
        number = session or home.board.id
        return up_entry(Up.FRAMES, number, b"".join(frames), account=home.account.id, dash=1)

    async def idle(self) -> None:
        """Until nothing is in progress."""
        async with asyncio.timeout(5):
            while any(shard.deliveries._working is not None for shard in self.owner.shards.values()):  # noqa: ASYNC110
                await asyncio.sleep(0)

    @property
    def values(self) -> list[bytes]:
        return [body.rpartition(b"\0")[2] for frames in self.heard for _, _, body in split_app(frames)]


def run(test: Callable[[Process], Awaitable[None]], applied: int = 0) -> Process:
    """Run a test with a process of its own."""

    async def main() -> Process:
        process = Process(applied)
        await process.start()
        await test(process)
        await process.idle()
        return process

    return asyncio.run(main())


def slow(number: int, value: str) -> bytes:
    """A write to the terminal's pin, which takes its handler each time."""
    return hardware_frame(Command.HARDWARE, number, b"vw\0" + b"1\0" + value.encode())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each slow message is the last one of its turn."""
    monkeypatch.setattr(owners, "TURN_SECONDS", 0.0)


@pytest.mark.usefixtures("impatient")
def test_slow_messages_of_one_shard_let_others_through_and_keep_their_order() -> None:
    async def test(process: Process) -> None:
        entries = [process.entry(0, *(slow(i, f"a{n}{i}") for i in range(10))) for n in range(3)]
        process.deliver(0, slab.head(SENDER, 1) + b"".join(entries), 1)
        process.deliver(0, slab.head(SENDER, 2) + process.entry(0, slow(1, "last")), 2)
        assert len(process.heard) < 31
        process.deliver(1, slab.head(SENDER, 1) + process.entry(1, slow(1, "other")))
        assert process.values[-1] == b"other"

    process = run(test)
    assert [v for v in process.values if v != b"other"] == [
        *(f"a{n}{i}".encode() for n in range(3) for i in range(10)),
        b"last",
    ]
    first = process.owner.shards[0].deliveries
    assert (first.last_tag, first.unacked) == (2, 2)
    assert process.owner.shards[0].instances[SENDER].applied == 2 * SLAB


def test_a_flood_in_one_shard_does_not_delay_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock on which each slow message takes half a millisecond."""
    clock = [0.0]
    monkeypatch.setattr(owners, "time", Clock(clock))
    handle = dispatch.handle

    def take_time(*message: Any) -> None:
        clock[0] += 0.0005
        handle(*message)

    monkeypatch.setattr(dispatch, "handle", take_time)
    turns: list[float] = []

    async def test(process: Process) -> None:
        for number in range(1, 11):
            flood = process.entry(0, *(slow(i, "flood") for i in range(100)))
            process.deliver(0, slab.head(SENDER, number) + flood, number)
        number = 0
        while process.owner.shards[0].deliveries.last_tag < 10:
            began, number = clock[0], number + 1
            process.deliver(1, slab.head(SENDER, number) + process.entry(1, slow(1, f"{number}")), number)
            assert process.values[-1] == b"%d" % number, "it is applied as it comes"
            await asyncio.sleep(0)
            turns.append(clock[0] - began)

    process = run(test)
    assert process.values.count(b"flood") == 1000
    assert len(turns) > 100
    assert max(turns) < owners.TURN_SECONDS + 4 * 0.0005, "a turn, the message that ends it, and one of each shard"


class Clock:
    """The module `time`, with a performance counter of its own."""

    def __init__(self, now: list[float]) -> None:
        self._now = now

    def perf_counter(self) -> float:
        return self._now[0]

    def time_ns(self) -> int:
        return time.time_ns()


@pytest.mark.usefixtures("impatient")
def test_a_slab_that_comes_again_goes_on_where_the_commit_found_it() -> None:
    frames = [slow(i, f"v{i}") for i in range(20)]
    committed: list[int] = []
    heard: list[list[bytes]] = []

    async def first(process: Process) -> None:
        body = slab.head(SENDER, 7) + process.entry(0, *frames[:10]) + process.entry(0, *frames[10:])
        process.deliver(0, body)
        for _ in range(5):  # then the process dies, after a commit
            committed.append(process.owner.shards[0].instances[SENDER].applied)
            heard.append(list(process.values))
            await asyncio.sleep(0)

    run(first)
    assert len({len(values) for values in heard}) > 1
    for applied, values in zip(committed, heard, strict=True):

        async def again(process: Process) -> None:
            body = slab.head(SENDER, 7) + process.entry(0, *frames[:10]) + process.entry(0, *frames[10:])
            process.deliver(0, body)

        process = run(again, applied)
        assert values + process.values == [f"v{i}".encode() for i in range(20)]
        assert process.owner.shards[0].instances[SENDER].applied == 7 * SLAB


@pytest.mark.usefixtures("impatient")
def test_what_waits_for_its_turn_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MOST_WAITING", 2000)

    async def test(process: Process) -> None:
        most = 0
        for number in range(1, 200):
            process.deliver(0, slab.head(SENDER, number) + process.entry(0, *(slow(i, "v") for i in range(10))), number)
            most = max(most, process.owner.shards[0].deliveries._waiting_bytes)
        assert 1000 < most <= 2000

    process = run(test)
    assert process.owner.shards[0].deliveries.last_tag == 199
    assert len(process.heard) == 1990


@pytest.mark.usefixtures("impatient")
def test_a_lost_connection_forgets_the_slab_in_progress_which_then_comes_again() -> None:
    async def test(process: Process) -> None:
        body = slab.head(SENDER, 1) + process.entry(0, *(slow(i, f"v{i}") for i in range(10)))
        process.deliver(0, body)
        assert len(process.heard) < 10
        process.owner.shards[0].deliveries._on_reset()
        process.owner.shards[0].active = True  # claimed again
        await process.idle()
        process.deliver(0, body)

    assert run(test).values == [f"v{i}".encode() for i in range(10)]


def test_frames_that_run_over_their_entry_take_nothing_of_the_next() -> None:
    async def test(process: Process) -> None:
        secret = process.entry(0, slow(9, "secret"), session=77)
        for number, cut_off in enumerate((1, 3, 9), 1):
            broken = slow(1, "x" * 20)[:-cut_off]
            fast = hardware_frame(Command.HARDWARE, 1, b"vw\0" + b"2\0" + b"y" * 20)
            process.deliver(0, slab.head(SENDER, 2 * number) + process.entry(0, fast, fast[:-cut_off]) + secret)
            good = process.entry(0, slow(1, "good"))
            process.deliver(0, slab.head(SENDER, 2 * number + 1) + process.entry(0, broken) + secret + good)

    process = run(test)
    assert process.values == [b"y" * 20, b"good"] * 3
    assert process.homes[0].account.dashboards[1].bank(0).pin(ord("v"), 2).value == b"y" * 20


def test_an_entry_that_cannot_be_read_is_left_out() -> None:
    async def test(process: Process) -> None:
        broken = [up_entry(kind, 5, b"\xc1", account=1) for kind in (Up.OPEN, Up.TASK, Up.REQUEST, Up.WATCH, 0)]
        entries = [process.entry(0, slow(1, f"v{n}")) + entry for n, entry in enumerate(broken)]
        process.deliver(0, slab.head(SENDER, 1) + b"".join(entries) + process.entry(0, slow(1, "last")))
        process.deliver(0, slab.head(SENDER, 2) + process.entry(0, slow(1, "more"))[:-1])
        process.deliver(0, slab.head(SENDER, 1 << 60) + process.entry(0, slow(1, "too late")))
        process.deliver(0, slab.head(SENDER, 3) + process.entry(0, slow(1, "then")))

    process = run(test)
    assert process.values == [b"v0", b"v1", b"v2", b"v3", b"v4", b"last", b"then"]
    assert process.owner.shards[0].instances[SENDER].applied == 3 * SLAB


def test_cut_gives_the_rest_of_a_slab() -> None:
    frames = [slow(i, str(i)) for i in range(4)]
    entries = [up_entry(Up.FRAMES, 5, b"".join(frames[:2]), account=3), up_entry(Up.FRAMES, 6, b"".join(frames[2:]))]
    body = slab.head(SENDER, 1) + b"".join(entries)
    assert cut(body, HEAD.size) == (body, HEAD.size)
    behind = HEAD.size + len(entries[0])
    assert cut(body, behind) == (body, behind)
    rest, at = cut(body, behind - len(frames[1]))
    assert at == HEAD.size
    assert [(e.session, e.account, e.payload) for e in slab.up_entries(rest)] == [
        (5, 3, frames[1]),
        (6, 0, frames[2] + frames[3]),
    ]


@st.composite
def entries(draw: st.DrawFn) -> bytes:
    """An up entry of any kind about known and unknown sessions and accounts, with a payload of any bytes; often cut off."""
    whole = up_entry(
        draw(st.integers(0, 15)),
        draw(st.sampled_from((0, 1, 2, 3, 99, 0xFFFFFFFF))),
        draw(st.binary(max_size=40) | st.just(slow(1, "x")) | st.just(slow(1, "x")[:-2]) | st.just(b"\x80")),
        side=draw(st.integers(0, 4)),
        account=draw(st.sampled_from((0, 1, 1, 1, 2, 5, 1 << 63, (1 << 64) - 1))),
        dash=draw(st.sampled_from((1, 0, -1))),
        device=draw(st.sampled_from((0, 7, -2))),
        credential=draw(st.sampled_from((0, 1))),
    )
    return whole if draw(st.booleans()) else whole[: draw(st.integers(0, len(whole)))]


SENDERS = st.sampled_from((SENDER, b"h" * 16))
SLABS = st.binary(max_size=200) | st.builds(
    lambda sender, number, body: slab.head(sender, number) + b"".join(body),
    SENDERS,
    st.integers(0, 2**64 - 1) | st.integers(0, 50),
    st.lists(entries(), max_size=6),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(SLABS, max_size=12))
def test_whatever_is_in_the_queue_nothing_is_raised_and_nobody_else_feels_it(bodies: list[bytes]) -> None:
    async def test(process: Process) -> None:
        for tag, body in enumerate(bodies, 1):
            process.deliver(0, body, tag)
        await process.idle()
        shard = process.owner.shards[0]
        assert (shard.deliveries.last_tag, shard.deliveries._waiting_bytes) == (len(bodies), 0)
        assert shard.deliveries._current is None
        assert not [task for task in process.owner._tasks if task.done() and task.exception()]
        heard = len(process.heard)
        process.deliver(1, slab.head(SENDER, 1) + process.entry(1, slow(1, "other")))
        assert set(process.values[heard:]) == {b"other"}  # once for each app: an entry may have brought another one
        for _ in range(700):
            for one in process.owner.shards.values():
                one._tick()
        assert len(shard.instances) <= 1  # the test's own home
        assert not any(account is None for account in process.owner.accounts.values())

    with structlog.testing.capture_logs():
        run(test)
