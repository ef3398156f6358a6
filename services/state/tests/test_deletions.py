"""An account is deleted while boards and apps are connected: nothing of it works any more, nothing comes back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from state_shell import SHARDS, Gateway, World
from vpin_messages import requests, stream
from vpin_messages.requests import PinRequest
from vpin_messages.slab import Down, Side, Up, shard_of, up_entry
from vpin_messages.stream import Interest
from vpin_protocol import Command, Status, app_frame, hardware_frame
from vpin_state import deletions
from vpin_state.deletions import FINISH_MS
from vpin_store import StoreUnavailable

pytestmark = pytest.mark.anyio

APP, BOARD, GUEST, OTHER = 1, 2, 3, 4
DASH = {
    "id": 1,
    "name": "test",
    "isActive": True,
    "isShared": True,
    "devices": [{"id": 0, "name": "b", "boardType": "ESP8266"}],
}


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(deletions, "LOOK_MS", 0)  # at every tick
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


class Home:
    """An account with an app, a guest and a board."""

    def __init__(self, world: World, gateway: Gateway) -> None:
        self.world = world
        self.gateway = gateway

    async def furnish(self) -> None:
        gateway = self.gateway
        await gateway.ask(APP, Side.APP, Command.REGISTER, "a@example.com", "hash", "Blynk")
        await gateway.log_in(APP, Side.APP, Command.LOGIN, "a@example.com", "hash")
        gateway.send(APP, app_frame(Command.CREATE_DASH, 5, json.dumps(DASH).encode()))
        self.token = json.loads(await self.answer(Command.GET_DEVICES, 6))[0]["token"]
        share = (await self.answer(Command.GET_SHARE_TOKEN, 7)).decode()
        self.account = gateway.grants[APP][0].account
        await gateway.log_in(BOARD, Side.HARDWARE, Command.HARDWARE_LOGIN, self.token)
        await gateway.log_in(GUEST, Side.APP, Command.SHARE_LOGIN, "a@example.com", share)

    async def answer(self, command: int, number: int) -> bytes:
        self.gateway.send(APP, app_frame(command, number, b"1"))
        return (await self.gateway.wait(lambda: [m for m in self.gateway.messages(APP) if m[1] == number]))[0][2]

    def write(self, number: int, value: str) -> None:
        self.gateway.send(BOARD, hardware_frame(Command.HARDWARE, number, f"vw\0001\0{value}".encode()))

    async def ask(self) -> None:
        await self.world.store.deletions.ask(self.account, now())
        tick(self.world)

    async def delete(self) -> None:
        await self.ask()
        await self.gateway.wait(lambda: {APP, BOARD, GUEST} <= self.gateway.closed)


@pytest.fixture
async def home(world: World) -> Home:
    home = Home(world, await world.gateway())
    await home.furnish()
    return home


def now() -> int:
    return time.time_ns() // 1_000_000


def tick(world: World) -> None:
    """It does so once a second by itself."""
    world.owner.deletions.tick(now(), world.owner.spawn)


async def rows_of(world: World, account: int) -> int:
    """Rows in the tables that a connected board or app could write."""
    fetch = world.store._driver.fetch  # pyright: ignore[reportPrivateUsage]
    tables = ("dashboard", "device", "pin_value", "token", "event")
    return sum([(await fetch(f"SELECT count(*) FROM {t} WHERE account_id = $1", account))[0][0] for t in tables])


async def test_connections_are_closed_and_tokens_and_password_are_worthless(world: World, home: Home) -> None:
    await home.delete()
    assert await world.store.load_accounts([home.account]) == {}
    answer = await home.gateway.ask(OTHER, Side.HARDWARE, Command.HARDWARE_LOGIN, home.token)
    assert (answer.grant, answer.frames[-2:]) == (None, Status.INVALID_TOKEN.to_bytes(2, "big"))
    answer = await home.gateway.ask(OTHER, Side.APP, Command.LOGIN, "a@example.com", "hash")
    assert (answer.grant, answer.frames[-4:]) == (None, Status.NOT_REGISTERED.to_bytes(4, "big"))
    answer = await home.gateway.ask(OTHER, Side.APP, Command.REGISTER, "a@example.com", "other", "Blynk")
    assert answer.registered
    found = await world.store.find_account("a@example.com", "Blynk")
    assert found
    assert found.id > home.account


async def test_what_connections_send_meanwhile_leaves_no_row(world: World, home: Home) -> None:
    home.write(10, "before")
    await home.gateway.wait(lambda: any(m[0] == Command.HARDWARE for m in home.gateway.messages(APP)))
    await home.ask()
    number = 11
    while BOARD not in home.gateway.closed:
        home.write(number, "meanwhile")
        home.gateway.send(APP, app_frame(Command.HARDWARE, number, b"1-0\0vw\0002\0x"))
        home.gateway.send(APP, app_frame(Command.CREATE_DASH, number, json.dumps({**DASH, "id": number}).encode()))
        number += 1
        await asyncio.sleep(0.01)
    for session in (APP, BOARD, GUEST):
        home.gateway.send(session, b"", kind=Up.CLOSED)
    home.write(number, "after")
    await asyncio.sleep(0.1)
    await world.stop_state()
    assert await rows_of(world, home.account) == 0
    await world.start_state()


async def test_a_request_for_it_is_refused_at_once(world: World, home: Home) -> None:
    grant = home.gateway.grants[BOARD][0]
    await home.delete()
    replies: list[requests.PinReply] = []
    gateway = home.gateway

    def send(device: int, operation: str) -> None:
        payload = requests.encode(PinRequest(operation, "v", 1, ["1"], payload=b"{}"))
        entry = up_entry(
            Up.REQUEST, 9, payload, account=grant.account, dash=1, device=device, credential=grant.credential
        )
        gateway.up[shard_of(grant.account, SHARDS)].add(entry)

    gateway.other = lambda kind, payload: replies.append(requests.decode_reply(payload)) if kind == Down.REPLY else None
    send(0, "update")
    send(requests.ACCOUNT, "listDevices")
    await gateway.wait(lambda: len(replies) == 2)
    assert [(reply.status, reply.body) for reply in replies] == [(400, b"Invalid token."), (404, b"")]


async def test_readers_of_its_stream_are_told(world: World, home: Home) -> None:
    batches: list[stream.Batch] = []
    home.gateway.other = lambda kind, payload: batches.append(stream.decode_batch(payload))
    entry = up_entry(Up.WATCH, 5, stream.encode(Interest()), account=home.account)
    home.gateway.up[shard_of(home.account, SHARDS)].add(entry)
    await home.gateway.wait(lambda: batches)
    assert batches[0].epoch
    await home.delete()
    await home.gateway.wait(lambda: any(batch.epoch == 0 for batch in batches))
    assert not world.owner.watches


async def test_while_the_database_is_away_it_stays_gone(
    world: World, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = world.store.commit

    async def away(changes: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(world.store, "commit", away)
    await home.ask()
    buried = asyncio.Event()
    monkeypatch.setattr(world.owner.watches, "account_gone", lambda account: buried.set())
    async with asyncio.timeout(5):
        await buried.wait()
    for shard in range(SHARDS):
        world.owner.memory.evict(shard)
    home.write(20, "lost")
    await asyncio.sleep(0.05)
    assert world.owner.accounts[home.account] is None
    assert home.gateway.closed == set()
    monkeypatch.setattr(world.store, "commit", commit)
    await home.gateway.wait(lambda: {APP, BOARD, GUEST} <= home.gateway.closed)
    assert await rows_of(world, home.account) == 0


async def test_an_owner_that_dies_with_it_leaves_it_to_the_next(world: World, home: Home) -> None:
    world.owner.commits.flush_seconds = 10.0
    await home.ask()
    await world.kill_state()
    await world.start_state()
    home.gateway.beat()
    async with asyncio.timeout(8):
        while await world.store.get_account(home.account) is not None:
            tick(world)
            await asyncio.sleep(0.02)
    assert await rows_of(world, home.account) == 0


async def test_what_was_left_is_swept_up_and_the_wish_with_it(world: World, home: Home) -> None:
    await home.delete()
    assert [wish.account_id for wish in await world.store.deletions.asked()] == [home.account]
    await world.store._driver.write(  # pyright: ignore[reportPrivateUsage]
        "UPDATE deletion SET asked_at = asked_at - $1", FINISH_MS
    )
    async with asyncio.timeout(5):
        while await world.store.deletions.asked():
            tick(world)
            await asyncio.sleep(0.02)
