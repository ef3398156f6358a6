"""The way of a job on the memory bus, with providers that do as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs
from vpin_bus import Bus, Delivery, open_bus
from vpin_messages import jobs, slab
from vpin_messages.jobs import Answer, Job
from vpin_messages.queues import NOTIFY, NOTIFY_DEAD, shard_queue
from vpin_messages.slab import Up, UpEntry
from vpin_notify.app import NotifyService
from vpin_notify.courier import Courier
from vpin_notify.providers import Refused, Unavailable
from vpin_runtime.settings import Settings

pytestmark = pytest.mark.anyio
GATEWAY = b"g" * 16
ANSWER = Answer(2, GATEWAY, 77, 9)


@dataclass
class Provider:
    """Outcomes to come: None delivers; used up: delivers."""

    outcomes: list[Exception | None] = field(default_factory=list)
    concurrency: int = 4
    seen: list[Job] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    most: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    closed: bool = False

    def __post_init__(self) -> None:
        self.gate.set()

    async def deliver(self, job: Job) -> None:
        async with self.changed:
            self.seen.append(job)
            self.running += 1
            self.most = max(self.most, self.running)
            self.changed.notify_all()
        try:
            await self.gate.wait()
            outcome = self.outcomes.pop(0) if self.outcomes else None
            if outcome is not None:
                raise outcome
        finally:
            self.running -= 1

    async def close(self) -> None:
        self.closed = True

    async def until(self, count: int) -> None:
        """`count` deliveries have begun."""
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: len(self.seen) >= count)


@dataclass
class World:
    bus: Bus
    provider: Provider
    service: NotifyService
    told: list[UpEntry]
    dead: list[Job | bytes]
    heard: asyncio.Event

    async def send(self, *sent: Job) -> None:
        for job in sent:
            await self.bus.publish(NOTIFY, jobs.encode(job))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.heard.clear()
                await self.heard.wait()


@asynccontextmanager
async def world(
    *outcomes: Exception | None, delays: tuple[float, ...] = (0.001, 0.002), concurrency: int = 4
) -> AsyncIterator[World]:
    bus = open_bus("memory://")
    await bus.open()
    provider = Provider(list(outcomes), concurrency)
    told: list[UpEntry] = []
    dead: list[Job | bytes] = []
    heard = asyncio.Event()

    def hear(delivery: Delivery) -> None:
        told.extend(slab.up_entries(delivery.body))
        heard.set()

    def bury(delivery: Delivery) -> None:
        try:
            dead.append(jobs.decode(delivery.body))
        except ValueError:
            dead.append(delivery.body)
        heard.set()

    await bus.consume(shard_queue(ANSWER.shard), hear)
    await bus.consume(NOTIFY_DEAD, bury)
    service = NotifyService(Settings(), bus, providers={"mail": provider}, delays=(0.001, 0.002))
    await service.start()
    try:
        yield World(bus, provider, service, told, dead, heard)
    finally:
        await service.stop()
        await bus.close()


def job(key: str = "k", **fields: object) -> Job:
    return Job(**{"key": key, "channel": "mail", "to": ["a@example.com"], "text": "secret text"} | fields)  # type: ignore[arg-type]


def statuses(entries: list[UpEntry]) -> list[tuple[int, int, int]]:
    """(session, status, message id) of results."""
    found = [entry for entry in entries if entry.kind == Up.RESULT]
    assert all(entry.payload[:16] == GATEWAY and len(entry.payload) == 20 for entry in found)
    return [(e.session, int.from_bytes(e.payload[16:18], "big"), int.from_bytes(e.payload[18:], "big")) for e in found]


async def test_a_job_is_delivered_once_acknowledged_and_its_outcome_told() -> None:
    async with world() as w:
        await w.send(job(answer=ANSWER))
        await w.until(lambda: w.told)
        assert statuses(w.told) == [(77, 200, 9)]
        assert len(w.provider.seen) == 1
    assert w.provider.closed
    assert w.dead == []


async def test_a_failed_attempt_is_told_once_and_made_again_with_growing_delay() -> None:
    async with world(Unavailable("a"), Unavailable("b")) as w:
        with capture_logs() as logs:
            await w.send(job(answer=ANSWER))
            await w.provider.until(3)
        assert statuses(w.told) == [(77, 15, 9)]
        assert [seen.attempt for seen in w.provider.seen] == [0, 1, 2]
        assert [line["seconds"] for line in logs if line["event"] == "notify.again_later"] == [0.001, 0.002]


async def test_after_the_last_attempt_a_job_is_dead() -> None:
    async with world(*[Unavailable("a")] * 9) as w:
        await w.send(job())
        await w.until(lambda: w.dead)
        assert len(w.provider.seen) == 3
        assert [dead.key for dead in w.dead if isinstance(dead, Job)] == ["k"]


async def test_a_refused_job_is_dead_at_once() -> None:
    async with world(Refused("no")) as w:
        await w.send(job(answer=ANSWER))
        await w.until(lambda: w.dead and w.told)
        assert len(w.provider.seen) == 1
        assert statuses(w.told) == [(77, 15, 9)]


async def test_the_next_attempt_is_for_the_receivers_that_are_left() -> None:
    async with world(Unavailable("a", ["b@example.com"])) as w:
        await w.send(job(to=["a@example.com", "b@example.com"]))
        await w.provider.until(2)
        assert w.provider.seen[1].to == ["b@example.com"]


async def test_a_fault_of_a_provider_is_logged_and_tried_again() -> None:
    async with world(KeyError("bug")) as w:
        with capture_logs() as logs:
            await w.send(job())
            await w.provider.until(2)
        assert "notify.provider_failed" in [line["event"] for line in logs]


async def test_a_channel_without_provider_and_garbage_are_dead() -> None:
    async with world() as w:
        await w.send(job(channel="pigeon", answer=ANSWER))
        await w.bus.publish(NOTIFY, b"\xc1 garbage")
        await w.until(lambda: len(w.dead) == 2 and w.told)
        assert statuses(w.told) == [(77, 15, 9)]
        assert b"\xc1 garbage" in w.dead


async def test_a_key_that_was_delivered_or_runs_is_not_delivered_again() -> None:
    async with world() as w:
        w.provider.gate.clear()
        await w.send(job("a"), job("a"))
        await w.provider.until(1)
        w.provider.gate.set()
        await w.send(job("b"))
        await w.provider.until(2)
        await w.send(job("a"), job("c"))
        await w.provider.until(3)
        assert [seen.key for seen in w.provider.seen] == ["a", "b", "c"]


async def test_a_provider_runs_as_many_at_a_time_as_it_likes() -> None:
    async with world(concurrency=2) as w:
        w.provider.gate.clear()
        await w.send(*(job(str(n)) for n in range(6)))
        await w.provider.until(2)
        w.provider.gate.set()
        await w.provider.until(6)
        assert w.provider.most == 2


async def test_stopping_finishes_what_runs_and_gives_the_rest_back() -> None:
    async with world(concurrency=1) as w:
        w.provider.gate.clear()
        await w.send(job("a", answer=ANSWER), job("b"), job("c"))
        await w.provider.until(1)
        stopping = asyncio.create_task(w.service.stop())
        await asyncio.sleep(0)
        w.provider.gate.set()
        await stopping
        assert [seen.key for seen in w.provider.seen] == ["a"]
        assert await w.bus.depth(NOTIFY) == 2
        await w.until(lambda: any(entry.kind == Up.BYE for entry in w.told))
        assert statuses(w.told) == [(77, 200, 9)]


async def test_what_does_not_finish_in_time_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpin_notify.app.FINISH", 0.01)
    async with world() as w:
        w.provider.gate.clear()
        await w.send(job("a"))
        await w.provider.until(1)
        await w.service.stop()
        assert await w.bus.depth(NOTIFY) == 1
        other = Provider()
        second = NotifyService(Settings(), w.bus, providers={"mail": other})
        await second.start()
        await other.until(1)
        await second.stop()
        assert await w.bus.depth(NOTIFY) == 0


async def test_no_log_line_has_receivers_or_content() -> None:
    async with world(Unavailable("a"), Refused("b")) as w:
        with capture_logs() as logs:
            await w.send(job())
            await w.until(lambda: w.dead)
        text = str(logs)
        assert "secret" not in text
        assert "example.com" not in text


async def test_a_dead_letter_queue_that_nobody_empties_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpin_notify.app.DEPTH", 0.001)
    monkeypatch.setattr("vpin_notify.app.DEAD_LIMIT", 1)
    bus = open_bus("memory://")
    await bus.open()
    provider = Provider([Refused("no")] * 9)
    service = NotifyService(Settings(), bus, providers={"mail": provider})
    await service.start()
    for count, key in enumerate("abc", 1):
        await bus.publish(NOTIFY, jobs.encode(job(key)))
        await provider.until(count)
        await asyncio.sleep(0.05)  # several looks at the queue
    await service.stop()
    assert await bus.depth(NOTIFY_DEAD) == 1
    assert await bus.depth(NOTIFY) == 0
    await bus.close()


class Calls:
    """A consumer that notes what it is told."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int]] = []

    def ack(self, tag: int) -> None:
        self.made.append(("ack", tag))

    def ack_one(self, tag: int) -> None:
        self.made.append(("ack_one", tag))

    def retry(self, tag: int, body: bytes, delay: float) -> None:
        self.made.append(("retry", tag))

    def reject(self, tag: int) -> None:
        self.made.append(("reject", tag))

    async def cancel(self) -> None:
        self.made.append(("cancel", 0))


@pytest.mark.parametrize(
    ("outcome", "call"), [(None, "ack_one"), (Unavailable("a"), "retry"), (Refused("b"), "reject")]
)
async def test_what_runs_while_the_connection_is_lost_counts_for_the_delivery_that_comes_again(
    outcome: Exception | None, call: str
) -> None:
    provider, calls = Provider([outcome]), Calls()
    provider.gate.clear()
    courier = Courier({"mail": provider}, lambda answer, delivered: None)
    courier.consumer = calls
    courier.take(Delivery(jobs.encode(job()), 7, False))
    await provider.until(1)
    courier.reset()
    courier.take(Delivery(jobs.encode(job()), 1, True))
    provider.gate.set()
    await courier.stop(5)
    assert calls.made == [(call, 1)]
    assert len(provider.seen) == 1


async def test_what_ends_before_its_delivery_comes_again_is_acknowledged_then() -> None:
    provider, calls = Provider(), Calls()
    courier = Courier({"mail": provider}, lambda answer, delivered: None)
    courier.consumer = calls
    provider.gate.clear()
    courier.take(Delivery(jobs.encode(job("a")), 7, False))
    await provider.until(1)
    courier.reset()
    provider.gate.set()
    while courier.running:  # noqa: ASYNC110  it ends within some turns of the loop
        await asyncio.sleep(0)
    courier.take(Delivery(jobs.encode(job("a")), 1, True))
    assert calls.made == [("ack_one", 1)]
    assert len(provider.seen) == 1
