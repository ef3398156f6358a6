"""RabbitMQ goes away and comes back: publishers wait, nothing confirmed is lost, order holds, nobody sees an exception."""

from __future__ import annotations

import asyncio
import struct
from typing import Protocol

import pytest
from bus_inbox import Inbox, eventually, no_head
from pamqp import commands
from vpin_bus import Bus, Delivery, Queue, open_bus
from vpin_bus.amqp import wire as wires

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(180)]

HEAD = struct.Struct(">Q")
ENTRY = struct.Struct(">I")


class Node(Protocol):
    url: str

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


class Owner:
    """Applies slabs as the state service does: drops known numbers, acknowledges a little later."""

    def __init__(self) -> None:
        self.entries: list[int] = []
        self.last = 0
        self.inbox = Inbox()
        self.unacked = 0

    async def consume(self, bus: Bus, queue: Queue) -> None:
        self.consumer = await bus.consume(queue, self.receive, on_reset=self.inbox.reset)

    def receive(self, delivery: Delivery) -> None:
        (number,) = HEAD.unpack_from(delivery.body)
        if number > self.last:
            assert number == self.last + 1
            self.last = number
            self.entries += [entry for (entry,) in ENTRY.iter_unpack(delivery.body[HEAD.size :])]
        self.unacked += 1
        if self.unacked % 5 == 0:
            self.consumer.ack(delivery.tag)


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("replicated", [False, True])
async def test_the_broker_restarts_in_the_middle_of_a_stream(
    rabbitmq_node: Node, unique: str, how: str, replicated: bool
) -> None:
    bus = open_bus(rabbitmq_node.url, replicated=replicated)
    await bus.open()
    queue = Queue(unique, single_active=True, max_messages=1000)
    held = Queue(unique + ".held")
    await bus.publish(held, b"confirmed before")
    owner = Owner()
    await owner.consume(bus, queue)
    outlet = bus.outlet(queue, HEAD.pack)
    added = 0

    async def feed(until: asyncio.Event) -> None:
        nonlocal added
        while not until.is_set():
            outlet.add(ENTRY.pack(added))
            added += 1
            await asyncio.sleep(0.002)

    stop = asyncio.Event()
    feeding = asyncio.ensure_future(feed(stop))
    await eventually(lambda: len(owner.entries) > 100)
    await asyncio.sleep(
        3 if replicated and how == "kill" else 0
    )  # RabbitMQ registers a new quorum queue lazily on disk
    await asyncio.to_thread(rabbitmq_node.stop if how == "stop" else rabbitmq_node.kill)
    await eventually(lambda: not bus.ready)
    publishing = asyncio.ensure_future(bus.publish(held, b"published meanwhile"))
    depth = asyncio.ensure_future(bus.depth(held))
    await asyncio.sleep(0.3)
    assert outlet.backlog > 0
    assert not publishing.done()
    await asyncio.to_thread(rabbitmq_node.start)
    async with asyncio.timeout(60):
        await publishing
        await depth
        await asyncio.sleep(0.2)
        stop.set()
        await feeding
        await outlet.drained()
        await owner.inbox.until(lambda: len(owner.entries) >= added)
    assert owner.entries == list(range(added))
    assert owner.inbox.resets >= 1
    inbox = Inbox()
    await bus.consume(held, inbox)
    assert await inbox.count(2) == [b"confirmed before", b"published meanwhile"]
    await bus.close()


async def test_a_bus_waits_for_its_broker(rabbitmq_node: Node, unique: str) -> None:
    await asyncio.to_thread(rabbitmq_node.stop)
    bus = open_bus(rabbitmq_node.url)
    opening = asyncio.ensure_future(bus.open())
    await asyncio.sleep(0.5)
    assert not opening.done()
    await asyncio.to_thread(rabbitmq_node.start)
    async with asyncio.timeout(30):
        await opening
    await bus.publish(Queue(unique), b"x")
    await bus.close()


async def test_a_queue_that_is_deleted_is_declared_again(rabbitmq_url: str, unique: str) -> None:
    bus = open_bus(rabbitmq_url)
    await bus.open()
    queue = Queue(unique)
    outlet = bus.outlet(queue, no_head)
    inbox = Inbox(ack=True)
    inbox.consumer = await bus.consume(queue, inbox, on_reset=inbox.reset)
    outlet.add(b"1")
    await outlet.drained()
    await inbox.count(1)
    wire = await wires.connect(rabbitmq_url, "test")
    channel = await wire.open_channel()
    await channel.call(commands.Queue.Delete(0, unique))
    await inbox.until(lambda: inbox.resets == 1)
    outlet.add(b"2")
    assert await inbox.count(2) == [b"1", b"2"]
    await wire.close()
    await bus.close()


async def test_events_reach_a_bound_queue(rabbitmq_url: str, unique: str) -> None:
    bus = open_bus(rabbitmq_url)
    await bus.open()
    queue = Queue(unique)
    inbox = Inbox()
    await bus.consume(queue, inbox)
    wire = await wires.connect(rabbitmq_url, "test")
    channel = await wire.open_channel()
    await channel.call(commands.Queue.Bind(0, unique, "vpin.events", "device.*"))
    await bus.emit("device.online", b"yes")
    await bus.emit("value.changed", b"no")
    await bus.emit("device.offline", b"yes again")
    assert await inbox.count(2) == [b"yes", b"yes again"]
    await wire.close()
    await bus.close()


async def test_a_queue_with_other_properties_is_used_as_it_is(rabbitmq_url: str, unique: str) -> None:
    bus = open_bus(rabbitmq_url)
    await bus.open()
    await bus.publish(Queue(unique, max_messages=5), b"1")
    other = open_bus(rabbitmq_url)
    await other.open()
    inbox = Inbox()
    await other.consume(Queue(unique, max_messages=7), inbox)
    await other.publish(Queue(unique, max_messages=7), b"2")
    assert await inbox.count(2) == [b"1", b"2"]
    await bus.close()
    await other.close()


async def test_a_wrong_password_is_said_and_tried_again(rabbitmq_url: str) -> None:
    bus = open_bus(rabbitmq_url.replace("guest:guest", "guest:wrong"))
    opening = asyncio.ensure_future(bus.open())
    await asyncio.sleep(1.0)
    assert not opening.done()
    opening.cancel()
    await asyncio.wait([opening])
    await bus.close()
