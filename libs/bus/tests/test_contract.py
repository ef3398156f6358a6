"""What services may rely on, whatever the URL."""

from __future__ import annotations

import asyncio
import struct

import pytest
from bus_inbox import PATIENCE, Inbox, eventually, no_head
from vpin_bus import Bus, BusClosedError, Delivery, Queue, open_bus

pytestmark = pytest.mark.anyio

ENTRY = struct.Struct(">I")


def numbers(bodies: list[bytes], head: int = 0) -> list[int]:
    return [number for body in bodies for (number,) in ENTRY.iter_unpack(body[head:])]


async def test_entries_arrive_in_order_in_numbered_slabs(bus: Bus, unique: str) -> None:
    queue = Queue(unique, single_active=True, max_messages=10_000)
    inbox = Inbox(ack=True)
    inbox.consumer = await bus.consume(queue, inbox)
    outlet = bus.outlet(queue, ENTRY.pack)
    for number in range(2000):
        outlet.add(ENTRY.pack(number))
        if number % 7 == 0:
            await asyncio.sleep(0)
    await outlet.drained()
    assert outlet.backlog == 0
    await inbox.until(lambda: len(numbers(inbox.bodies, 4)) == 2000)
    assert numbers(inbox.bodies, 4) == list(range(2000))
    assert [ENTRY.unpack_from(body)[0] for body in inbox.bodies] == list(range(1, len(inbox.bodies) + 1))


async def test_one_turn_is_one_slab_and_a_large_one_is_split(bus: Bus, unique: str) -> None:
    queue = Queue(unique)
    inbox = Inbox()
    await bus.consume(queue, inbox)
    outlet = bus.outlet(queue, no_head)
    for number in range(100):
        outlet.add(ENTRY.pack(number))
    await outlet.drained()
    assert numbers(await inbox.count(1)) == list(range(100))
    entries = [bytes([number]) * 60_000 for number in range(20)]
    for entry in entries:
        outlet.add(entry)
    await outlet.drained()
    await inbox.until(lambda: len(b"".join(inbox.bodies[1:])) == 1_200_000)
    assert b"".join(inbox.bodies[1:]) == b"".join(entries)
    assert max(map(len, inbox.bodies)) <= 256 * 1024 + 60_000


async def test_unacknowledged_messages_come_again_in_order(bus: Bus, unique: str) -> None:
    queue = Queue(unique)
    inbox = Inbox()
    consumer = await bus.consume(queue, inbox)
    for number in range(8):
        await bus.publish(queue, b"%d" % number)
    await inbox.count(8)
    assert not any(delivery.redelivered for delivery in inbox.deliveries)
    assert [delivery.tag for delivery in inbox.deliveries] == sorted(delivery.tag for delivery in inbox.deliveries)
    consumer.ack(inbox.deliveries[2].tag)
    consumer.ack(inbox.deliveries[1].tag)
    consumer.ack_one(inbox.deliveries[4].tag)
    consumer.ack_one(inbox.deliveries[4].tag)
    await consumer.cancel()
    await bus.publish(queue, b"8")
    again = Inbox()
    await bus.consume(queue, again)
    assert await again.count(5) == [b"3", b"5", b"6", b"7", b"8"]
    assert [delivery.redelivered for delivery in again.deliveries] == [True] * 4 + [False]


async def test_no_delivery_before_the_caller_has_its_consumer(bus: Bus, unique: str) -> None:
    queue = Queue(unique)
    for number in range(3):
        await bus.publish(queue, b"%d" % number)
    order: list[str] = []
    await bus.consume(queue, lambda delivery: order.append("delivery"))
    order.append("consumer")
    await eventually(lambda: len(order) == 4)
    assert order[0] == "consumer"


async def test_prefetch_and_depth(bus: Bus, unique: str) -> None:
    queue = Queue(unique)
    inbox = Inbox()
    consumer = await bus.consume(queue, inbox, prefetch=2)
    for number in range(5):
        await bus.publish(queue, b"%d" % number)
    await inbox.count(2)
    assert await bus.depth(queue) == 3
    consumer.ack(inbox.deliveries[1].tag)
    assert await inbox.count(4) == [b"0", b"1", b"2", b"3"]
    assert await bus.depth(Queue(unique + ".absent", expires=60)) == 0


@pytest.mark.parametrize("single_active", [False, True])
async def test_a_full_queue_keeps_order_and_loses_nothing(bus: Bus, unique: str, single_active: bool) -> None:
    queue = Queue(unique, max_messages=3, single_active=single_active)
    outlet = bus.outlet(queue, no_head)
    for number in range(3):
        outlet.add(ENTRY.pack(number))
        await outlet.drained()
    for number in range(3, 10):
        outlet.add(ENTRY.pack(number))
        await asyncio.sleep(0.002)
    await asyncio.sleep(0.1)
    assert outlet.backlog == 7 * ENTRY.size
    inbox = Inbox()
    consumer = await bus.consume(queue, inbox, prefetch=1)

    async def slowly() -> None:
        seen = 0
        while True:
            await inbox.count(seen + 1)
            await asyncio.sleep(0.004)
            consumer.ack(inbox.deliveries[seen].tag)
            seen += 1

    acking = asyncio.ensure_future(slowly())
    for number in range(10, 150):
        outlet.add(ENTRY.pack(number))
        await asyncio.sleep(0.002)
    await inbox.until(lambda: len(numbers(inbox.bodies)) >= 150)
    assert numbers(inbox.bodies) == list(range(150))
    await outlet.drained()
    acking.cancel()


async def test_pressure_and_publish_wait_for_room(bus: Bus, unique: str) -> None:
    queue = Queue(unique, max_messages=1)
    await bus.publish(queue, b"first")
    pressure: list[bool] = []
    outlet = bus.outlet(queue, no_head, high=1000, low=100, on_pressure=pressure.append)
    for _ in range(30):
        outlet.add(b"x" * 50)
        await asyncio.sleep(0)
    assert pressure == [True]
    assert outlet.backlog == 1500
    publishing = asyncio.ensure_future(bus.publish(queue, b"last"))
    await asyncio.sleep(0.05)
    assert not publishing.done()
    inbox = Inbox(ack=True)
    inbox.consumer = await bus.consume(queue, inbox)
    await outlet.drained()
    await publishing
    assert pressure == [True, False]
    await inbox.until(lambda: sum(map(len, inbox.bodies)) == 1509)


async def test_request_and_reply(bus: Bus, unique: str) -> None:
    shard, mine = Queue(unique, single_active=True, max_messages=100), Queue(unique + ".down", expires=60)
    replies = Inbox()
    await bus.consume(mine, replies)
    reply = bus.outlet(mine, no_head)
    await bus.consume(shard, lambda delivery: reply.add(delivery.body.upper()))
    requests = bus.outlet(shard, no_head)
    requests.add(b"ping")
    assert await replies.count(1) == [b"PING"]


async def test_a_standby_takes_over_a_single_active_queue(bus: Bus, unique: str) -> None:
    queue = Queue(unique, single_active=True, max_messages=1000)
    first, second = Inbox(), Inbox(ack=True)
    active = await bus.consume(queue, first)
    second.consumer = await bus.consume(queue, second)
    outlet = bus.outlet(queue, no_head)
    for number in range(6):
        outlet.add(b"%d" % number)
        await outlet.drained()
    await first.count(6)
    assert second.deliveries == []
    active.ack(first.deliveries[1].tag)
    await active.cancel()
    assert await second.count(4) == [b"2", b"3", b"4", b"5"]
    outlet.add(b"6")
    assert (await second.count(5))[-1] == b"6"


async def test_competing_consumers_share(bus: Bus, unique: str) -> None:
    queue = Queue(unique, max_messages=1000)
    first, second = Inbox(), Inbox()
    await bus.consume(queue, first, prefetch=5)
    await bus.consume(queue, second, prefetch=5)
    for number in range(10):
        await bus.publish(queue, b"%d" % number)
    await first.count(5)
    await second.count(5)
    assert sorted(first.bodies + second.bodies) == [b"%d" % number for number in range(10)]


async def test_retry_comes_later_and_changed(bus: Bus, unique: str) -> None:
    queue = Queue(unique, max_messages=100, dead_letter=unique + ".dead")
    inbox = Inbox()
    consumer = await bus.consume(queue, inbox)
    await bus.publish(queue, b"job 0")
    await inbox.count(1)
    started = asyncio.get_running_loop().time()
    consumer.retry(inbox.deliveries[0].tag, b"job 1", 0.8)
    await bus.publish(queue, b"other")
    assert await inbox.count(3) == [b"job 0", b"other", b"job 1"]
    assert 0.7 < asyncio.get_running_loop().time() - started < 5
    consumer.ack_one(inbox.deliveries[1].tag)
    consumer.ack_one(inbox.deliveries[2].tag)
    await consumer.cancel()
    assert await bus.depth(queue) == 0


async def test_retry_needs_a_job_queue(bus: Bus, unique: str) -> None:
    inbox = Inbox()
    consumer = await bus.consume(Queue(unique), inbox)
    await bus.publish(Queue(unique), b"x")
    await inbox.count(1)
    with pytest.raises(ValueError, match="dead-letter"):
        consumer.retry(inbox.deliveries[0].tag, b"x", 1)


async def test_rejected_messages_go_to_the_dead_letter_queue(bus: Bus, unique: str) -> None:
    dead = Queue(unique + ".dead")
    queue = Queue(unique, dead_letter=dead.name)
    inbox, graveyard = Inbox(), Inbox()
    consumer = await bus.consume(queue, inbox)
    await bus.publish(queue, b"bad")
    await bus.publish(queue, b"good")
    await inbox.count(2)
    consumer.reject(inbox.deliveries[0].tag)
    await bus.consume(dead, graveyard)
    assert await graveyard.count(1) == [b"bad"]


async def test_an_expiring_queue_goes_and_its_publishers_wait(bus: Bus, unique: str) -> None:
    queue = Queue(unique, expires=1.0)
    outlet = bus.outlet(queue, no_head)
    outlet.add(b"before")
    await asyncio.sleep(0.1)
    assert outlet.backlog == 6
    inbox = Inbox(ack=True)
    inbox.consumer = consumer = await bus.consume(queue, inbox)
    assert await inbox.count(1) == [b"before"]
    await outlet.drained()
    await consumer.cancel()
    outlet.add(b"lost with the queue")
    await outlet.drained()
    await asyncio.sleep(2.5)
    outlet.add(b"for nobody")
    await asyncio.sleep(0.1)
    assert outlet.backlog == 10
    outlet.close()
    assert outlet.backlog == 0
    await outlet.drained()
    another = bus.outlet(queue, no_head)
    another.add(b"after")
    second = Inbox()
    await bus.consume(queue, second)
    assert await second.count(1) == [b"after"]


async def test_a_fault_in_a_callback_is_reported_and_stops_nothing(bus: Bus, unique: str) -> None:
    queue = Queue(unique)
    faults: list[BaseException] = []
    bodies: list[bytes] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))

    def receive(delivery: Delivery) -> None:
        bodies.append(delivery.body)
        if delivery.body == b"bad":
            raise RuntimeError("fault")

    await bus.consume(queue, receive)
    outlet = bus.outlet(queue, no_head)
    for body in (b"good", b"bad", b"better"):
        outlet.add(body)
        await outlet.drained()
    await eventually(lambda: len(bodies) == 3)
    assert [str(fault) for fault in faults] == ["fault"]
    assert bus.ready


async def test_events_need_no_listener(bus: Bus) -> None:
    await bus.emit("device.online", b"{}")


async def test_close_drains_and_tells_those_who_wait(bus_url: str, unique: str) -> None:
    bus = open_bus(bus_url)
    assert not bus.ready
    await bus.open()
    assert bus.ready
    queue = Queue(unique, max_messages=1000)
    outlet = bus.outlet(queue, no_head)
    outlet.add(b"x")
    absent = bus.outlet(Queue(unique + ".absent", expires=60), no_head)
    absent.add(b"y")
    drained = asyncio.ensure_future(absent.drained())
    await asyncio.sleep(0.1)
    async with asyncio.timeout(PATIENCE):
        await bus.close()
    assert outlet.backlog == 0
    with pytest.raises(BusClosedError):
        await drained
    assert not bus.ready
