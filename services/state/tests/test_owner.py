"""The shell of the state service over the memory bus and SQLite: order, acknowledgement, commits, changes of owner."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from state_shell import SHARDS, Gateway, World
from vpin_messages import slab
from vpin_messages.queues import shard_queue
from vpin_messages.slab import Side, Up, shard_of, up_entry
from vpin_protocol import Command, app_frame, hardware_frame
from vpin_state.takeover import GRACE_TICKS
from vpin_store import StoreUnavailable
from vpin_store.history import Step
from vpin_store.rows import Changes

pytestmark = pytest.mark.anyio

APP, BOARD = 1, 2
DASH = {
    "id": 1,
    "name": "test",
    "createdAt": 1,
    "isActive": True,
    "devices": [{"id": 0, "name": "b", "boardType": "ESP8266"}],
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


async def home(world: World) -> Gateway:
    """A gateway with an app (session 1) and a board (session 2) of one account, logged in."""
    gateway = await world.gateway()
    answer = await gateway.ask(APP, Side.APP, Command.REGISTER, "a@example.com", "hash", "Blynk")
    assert answer.registered
    await gateway.log_in(APP, Side.APP, Command.LOGIN, "a@example.com", "hash")
    gateway.send(APP, app_frame(Command.CREATE_DASH, 5, json.dumps(DASH).encode()))
    gateway.send(APP, app_frame(Command.GET_DEVICES, 6, b"1"))
    (_, _, body) = await gateway.wait(lambda: next((m for m in gateway.messages(APP) if m[1] == 6), None))
    token = json.loads(body)[0]["token"]
    await gateway.log_in(BOARD, Side.HARDWARE, Command.HARDWARE_LOGIN, token)
    return gateway


def write(number: int, value: str) -> bytes:
    return hardware_frame(Command.HARDWARE, number, f"vw\0{1}\0{value}".encode())


async def value_of(gateway: Gateway, message_id: int = 9) -> list[bytes]:
    """What a sync of V1 gives the board."""
    gateway.send(
        BOARD,
        hardware_frame(Command.HARDWARE_SYNC, message_id, b"vr\0001") + hardware_frame(Command.PING, message_id, b""),
    )
    await gateway.wait(lambda: (message_id, 200) in gateway.responses(BOARD))
    return [m[2] for m in gateway.messages(BOARD) if m[:2] == (Command.HARDWARE, message_id)]


async def test_writes_reach_the_app_in_order_and_are_synced_back(world: World) -> None:
    gateway = await home(world)
    for i in range(100):
        gateway.send(BOARD, b"".join(write(i * 10 + k + 1, str(i * 10 + k)) for k in range(10)))
    assert await value_of(gateway) == [b"vw\0001\x00999"]
    await gateway.wait(lambda: sum(m[0] == Command.HARDWARE for m in gateway.messages(APP)) == 1000)
    values = [m[2].split(b"\0")[-1] for m in gateway.messages(APP) if m[0] == Command.HARDWARE]
    assert values == [str(i).encode() for i in range(1000)]


async def test_a_slab_that_comes_twice_is_applied_once(world: World) -> None:
    gateway = await home(world)
    grant, side = gateway.grants[BOARD]
    frames = write(30, "once")
    entry = up_entry(
        Up.FRAMES, 7, frames, side=side, account=grant.account, device=0, dash=1, credential=grant.credential
    )
    repeated = slab.head(slab.new_sender(), 1) + entry
    for _ in range(2):
        await world.bus.publish(shard_queue(shard_of(grant.account, SHARDS)), repeated)
    assert await value_of(gateway) == [b"vw\0001\0once"]
    assert sum(m[:2] == (Command.HARDWARE, 30) for m in gateway.messages(APP)) == 1


async def test_what_was_taken_and_not_committed_survives_a_kill(world: World) -> None:
    world.flush_ms = 10_000
    gateway = await home(world)
    world.owner.commits.flush_seconds = 10.0  # nothing is committed by time from here on
    gateway.send(BOARD, b"".join(write(i + 1, str(i)) for i in range(500)))
    await gateway.wait(lambda: sum(m[0] == Command.HARDWARE for m in gateway.messages(APP)) == 500)
    await world.kill_state()
    gateway.send(BOARD, write(600, "last"))  # while nobody owns the shard
    await world.start_state()
    assert await value_of(gateway) == [b"vw\0001\0last"]
    assert gateway.closed == set()


@pytest.mark.parametrize("seconds", [0.0, 0.03, 0.06])
async def test_every_point_of_history_is_counted_once_whatever_dies(world: World, seconds: float) -> None:
    gateway = await home(world)
    stream = {"targetId": 0, "pin": {"pinType": "VIRTUAL", "pin": 1}}
    graph = {"type": "ENHANCED_GRAPH", "id": 3, "width": 8, "height": 3, "dataStreams": [stream]}
    gateway.send(APP, app_frame(Command.CREATE_WIDGET, 7, b"1\0" + json.dumps(graph).encode()))
    await gateway.wait(lambda: (7, 200) in gateway.responses(APP))
    account = gateway.grants[BOARD][0].account
    for kill in range(3):
        for number in range(100):
            gateway.send(BOARD, write(kill * 100 + number + 1, str(number)))
            if number % 20 == 0:
                await asyncio.sleep(0.005)
        await asyncio.sleep(seconds)
        await world.kill_state()
        await world.start_state()
    assert await value_of(gateway) == [b"vw\0001\x0099"]
    await world.stop_state()  # commits what is left
    await world.store.claim(shard_of(account, SHARDS), b"later owner 1234")
    await world.store.history.roll_up(b"later owner 1234", [shard_of(account, SHARDS)])
    (pin,) = await world.store.history.streams([account])
    days = await world.store.history.rollups(pin, Step.DAY, 0, 1 << 60, 9)
    assert sum(day.count for day in days) == 300
    assert sum(day.total for day in days) == 3 * sum(range(100))
    await world.start_state()


async def test_a_new_owner_asks_for_the_sessions_and_knows_silent_ones(world: World) -> None:
    gateway = await home(world)
    await world.stop_state()
    gateway.announces.clear()
    await world.start_state()
    gateway.beat()
    await gateway.wait(lambda: gateway.announces)
    gateway.send(APP, b"", kind=Up.ANNOUNCE)
    gateway.send(BOARD, write(7, "x"))
    await gateway.wait(lambda: any(m[:2] == (Command.HARDWARE, 7) for m in gateway.messages(APP)))


async def test_a_board_need_not_tie_its_bridges_again_for_a_new_owner(world: World) -> None:
    gateway = await home(world)
    (token,) = world.owner.memory.tokens
    gateway.send(BOARD, hardware_frame(Command.BRIDGE, 3, f"64\0i\0{token}".encode()))
    await gateway.wait(lambda: (3, 200) in gateway.responses(BOARD))
    await world.kill_state()
    await world.start_state()
    gateway.send(APP, b"", kind=Up.ANNOUNCE)
    gateway.send(BOARD, hardware_frame(Command.BRIDGE, 4, b"64\0vw\x005\0x"))
    await gateway.wait(lambda: (Command.HARDWARE, 4, b"1-0\0vw\x005\0x") in gateway.messages(APP))
    assert (4, 7) in gateway.responses(BOARD)  # nobody else is there to take it


async def test_answers_to_changes_wait_for_the_database_and_values_do_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await home(world)
    commit = world.store.commit
    away = True

    async def commit_unless_away(changes: Changes) -> None:
        if away:
            raise StoreUnavailable("away")
        await commit(changes)

    monkeypatch.setattr(world.store, "commit", commit_unless_away)
    gateway.send(APP, app_frame(Command.UPDATE_SETTINGS, 20, b'1\0{"name":"new"}') + app_frame(Command.PING, 21, b""))
    gateway.send(BOARD, write(8, "flows"))
    await value_of(gateway)
    assert [r for r in gateway.responses(APP) if r[0] in (20, 21)] == []
    assert not world.owner.commits.database_there
    away = False
    await gateway.wait(lambda: (21, 200) in gateway.responses(APP))
    assert [r for r in gateway.responses(APP) if r[0] in (20, 21)] == [(20, 200), (21, 200)]
    sent = [m[:2] for m in gateway.messages(APP)]
    assert sent.index((0, 20)) < sent.index((Command.HARDWARE, 8)) or sent.index((0, 21)) < sent.index(
        (Command.HARDWARE, 8)
    )


async def test_a_silent_gateway_loses_its_sessions_and_apps_are_told(world: World) -> None:
    gateway = await home(world)
    other = await world.gateway()
    await other.log_in(3, Side.APP, Command.LOGIN, "a@example.com", "hash")
    for shard in world.owner.shards.values():
        for _ in range(7):
            shard._tick()
            if instance := shard.instances.get(other.sender):
                instance.heard_at_tick = shard.ticks
    world.owner.outbox.deliver()
    await other.wait(lambda: any(m[0] == Command.DEVICE_OFFLINE for m in other.messages(3)))
    assert gateway.closed == set()


async def test_a_wrong_mark_closes_the_session(world: World) -> None:
    gateway = await home(world)
    grant, side = gateway.grants[BOARD]
    grant.credential += 1
    gateway.grants[4] = (grant, side)
    gateway.send(4, write(1, "x"))
    await gateway.wait(lambda: 4 in gateway.closed)
    assert await value_of(gateway) == []


async def test_a_refreshed_token_is_refused_though_it_was_known(world: World) -> None:
    gateway = await home(world)
    (old,) = world.owner.memory.tokens
    assert (await gateway.ask(5, Side.HARDWARE, Command.HARDWARE_LOGIN, old)).grant is not None
    gateway.send(APP, app_frame(Command.REFRESH_TOKEN, 40, b"1\x000"))
    (_, _, new) = await gateway.wait(lambda: next((m for m in gateway.messages(APP) if m[1] == 40), None))
    answer = await gateway.ask(6, Side.HARDWARE, Command.HARDWARE_LOGIN, old)
    assert answer.grant is None
    assert answer.frames == hardware_frame(Command.RESPONSE, 1, b"")[:3] + (9).to_bytes(2, "big")
    assert (await gateway.ask(7, Side.HARDWARE, Command.HARDWARE_LOGIN, new.decode())).grant is not None


async def test_boards_that_nobody_announces_to_a_new_owner_are_offline(world: World) -> None:
    gateway = await home(world)
    other = await world.gateway()
    await other.log_in(3, Side.APP, Command.LOGIN, "a@example.com", "hash")
    await world.kill_state()
    await world.start_state()
    other.beat()
    other.send(3, b"", kind=Up.ANNOUNCE)
    other.send(3, app_frame(Command.PING, 50, b""))
    await other.wait(lambda: (50, 200) in other.responses(3))
    for shard in world.owner.shards.values():
        for _ in range(GRACE_TICKS):
            shard._tick()
            if instance := shard.instances.get(other.sender):
                instance.heard_at_tick = shard.ticks
    await other.wait(lambda: any(m[:2] == (Command.DEVICE_OFFLINE, 0) for m in other.messages(3)))
    gateway.send(BOARD, write(7, "alive"))  # it was only silent
    await other.wait(lambda: any(m[:2] == (Command.HARDWARE, 7) for m in other.messages(3)))


async def test_answers_of_a_shard_outlive_the_loss_of_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = await home(world)
    commit, begun, going_on = world.store.commit, asyncio.Event(), asyncio.Event()

    async def commit_later(changes: Changes) -> None:
        if changes.dashboards:
            begun.set()
            await going_on.wait()
        await commit(changes)

    monkeypatch.setattr(world.store, "commit", commit_later)
    gateway.send(APP, app_frame(Command.UPDATE_SETTINGS, 20, b'1\0{"name":"new"}'))
    number = shard_of(gateway.grants[APP][0].account, SHARDS)
    await begun.wait()
    world.owner.forget_shard(1 - number)
    going_on.set()
    await gateway.wait(lambda: (20, 200) in gateway.responses(APP))
