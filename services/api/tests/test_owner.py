from __future__ import annotations

import asyncio

import pytest
from tiny_owner import TOKEN, Owner
from vpin_api import owner as module
from vpin_api.answers import BUSY
from vpin_api.owner import Owners
from vpin_bus import open_bus
from vpin_messages import slab
from vpin_messages.queues import instance_queue, shard_queue
from vpin_messages.requests import PinReply, PinRequest
from vpin_messages.slab import Down, Up
from vpin_store.rows import TokenRow

pytestmark = pytest.mark.anyio
ROW = TokenRow(TOKEN, "device", 7, 3, 2, 0, b"")
GET = PinRequest("get", "v", 1)


async def test_a_request_names_the_device_and_its_reply_comes_back() -> None:
    bus = open_bus("memory://")
    await bus.open()
    owner = Owner(bus, 4, {("v", 1): ["5"]})
    await owner.start()
    owners = Owners(bus, 4)
    await owners.start()
    assert await owners.ask(ROW, GET) == PinReply(200, b'["5"]')
    entry, request = owner.seen[0]
    assert (entry.account, entry.dash, entry.device, entry.credential) == (7, 3, 2, slab.credential(TOKEN))
    assert request == GET
    await owners.stop()
    await bus.close()


async def test_every_shard_hears_a_heartbeat_answers_it_and_hears_a_farewell() -> None:
    bus = open_bus("memory://")
    await bus.open()
    owner = Owner(bus, 3)
    await owner.start()
    owners = Owners(bus, 3)
    await owners.start()
    assert not owners.ready
    assert (await owners.ask(ROW, PinRequest("isAppConnected"))).status == 200
    assert owners.ready
    await owners.stop()
    assert sorted(owner.kinds) == [Up.HEARTBEAT] * 3 + [Up.REQUEST] + [Up.BYE] * 3
    await bus.close()


async def test_replies_in_any_order_and_twice_find_their_requests() -> None:
    bus = open_bus("memory://")
    await bus.open()
    owner = Owner(bus, 1, replies=2)
    owner.answer = lambda entry, request: PinReply(200, str(request.pin).encode())
    await owner.start()
    owners = Owners(bus, 1)
    await owners.start()
    replies = await asyncio.gather(*(owners.ask(ROW, PinRequest("get", "v", pin)) for pin in range(50)))
    assert [int(reply.body) for reply in replies] == list(range(50))
    assert len(await asyncio.gather(*(owners.ask(ROW, GET) for _ in range(3)))) == 3
    assert owners.in_flight == 0
    await owners.stop()
    await bus.close()


async def test_a_request_whose_owner_died_is_given_up_soon_after_the_next_one_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CHANGE_OF_OWNER", 0.01)
    bus = open_bus("memory://")
    await bus.open()
    owner = Owner(bus, 2, answer=lambda entry, request: None)
    await owner.start()
    owners = Owners(bus, 2)
    await owners.start()
    await asyncio.sleep(0.05)  # both shards have answered the first heartbeat
    asking = asyncio.create_task(owners.ask(ROW, GET))
    await asyncio.sleep(0.05)
    shard = owners.shard_of(ROW.account_id)
    for announced in (1 - shard, shard):
        assert not asking.done()
        body = slab.head(slab.new_sender(), 1) + slab.down_entry(Down.ANNOUNCE, announced)
        await bus.publish(instance_queue(owners.sender), body)
        await asyncio.sleep(0.05)
    assert await asking == BUSY
    await owners.stop()
    await bus.close()


async def test_a_silent_owner_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.01)
    bus = open_bus("memory://")
    await bus.open()
    owner = Owner(bus, 1, answer=lambda entry, request: None)
    await owner.start()
    owners = Owners(bus, 1, timeout=0.03)
    await owners.start()
    assert await owners.ask(ROW, GET) == BUSY
    await owners.stop()
    await bus.close()


async def test_too_many_in_flight_are_refused_and_stopping_answers_the_rest() -> None:
    bus = open_bus("memory://")
    await bus.open()
    owners = Owners(bus, 1, in_flight=2)
    await owners.start()
    waiting = [asyncio.create_task(owners.ask(ROW, GET)) for _ in range(2)]
    await asyncio.sleep(0)
    assert await owners.ask(ROW, GET) == BUSY
    await owners.stop()
    assert await asyncio.gather(*waiting) == [BUSY, BUSY]
    assert await owners.ask(ROW, GET) == BUSY
    await bus.close()


async def test_a_full_shard_is_refused_at_once_until_it_drains() -> None:
    bus = open_bus("memory://")
    await bus.open()
    owners = Owners(bus, 1)
    await owners.start()
    await asyncio.sleep(0)
    big = PinRequest("update", "v", 1, ["x" * 500_000])
    for _ in range(20_000 - await bus.depth(shard_queue(0))):
        await bus.publish(shard_queue(0), b"")
    waiting = [asyncio.create_task(owners.ask(ROW, big)) for _ in range(10)]
    await asyncio.sleep(0)
    assert await owners.ask(ROW, GET) == BUSY
    await owners.stop()
    await asyncio.gather(*waiting)
    await bus.close()


async def test_announcements_and_garbage_on_the_down_queue_do_no_harm() -> None:
    bus = open_bus("memory://")
    await bus.open()
    owner = Owner(bus, 1)
    await owner.start()
    owners = Owners(bus, 1)
    await owners.start()
    queue = instance_queue(owners.sender)
    head = slab.head(b"x" * 16, 1)
    for body in (
        b"",
        b"garbage",
        head + slab.down_entry(Down.ANNOUNCE, 0),
        head + b"\x05",
        head + slab.down_entry(Down.REPLY, 1, b"\xc1"),
    ):
        await bus.publish(queue, body)
    assert (await owners.ask(ROW, GET)).status == 400
    await owners.stop()
    await bus.close()
