"""Live streams over real owners and the memory bus: several API processes, a killed owner, readers that are slow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from state_shell import SHARDS, World
from vpin_api import streams as module
from vpin_api.owner import Owners
from vpin_api.streams import Reader, Streams
from vpin_store.rows import AccountRow

pytestmark = pytest.mark.anyio


class Api:
    """An API process: requests, streams, and what each reader was sent."""

    def __init__(self, world: World) -> None:
        self.owners = Owners(world.bus, SHARDS)
        self.streams = Streams(self.owners.watch, self.owners.shard_of)
        self.owners.on_stream = self.streams.on_batch
        self.owners.on_new_owner = self.streams.on_new_owner

    async def start(self) -> None:
        await self.owners.start()
        await self.streams.start()

    async def stop(self) -> None:
        await self.streams.stop()
        await self.owners.stop()

    async def call(self, account: int, operation: str, **arguments: object) -> Any:
        reply = await self.owners.ask_account(account, operation, json.dumps(arguments).encode())
        assert reply.status < 300, reply
        return json.loads(reply.body) if reply.body else None

    async def write(self, account: int, device: int, pin: int, value: object) -> None:
        await self.call(account, "putValues", id=device, values=[["v", pin, [str(value)]]])

    async def read(self, account: int, seen: tuple[int, int] | None = None) -> Listener:
        reader = await self.streams.open(account, "session", frozenset(), seen)
        assert reader is not None
        return Listener(reader)


class Listener:
    """Takes what a reader is sent, event by event."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.chunks = reader.chunks(self._holds)
        self._events: list[tuple[str, Any, str]] = []

    async def _holds(self) -> bool:
        return True

    async def next(self, kind: str = "") -> tuple[str, Any, str]:
        """The next event (of a kind): kind, data, id."""
        async with asyncio.timeout(10):
            while True:
                while not self._events:
                    chunk = (await anext(self.chunks)).decode()
                    for text in chunk.split("\n\n"):
                        fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
                        if "event" in fields:
                            self._events.append((fields["event"], json.loads(fields["data"]), fields["id"]))
                event = self._events.pop(0)
                if not kind or event[0] == kind:
                    return event

    async def close(self) -> None:
        await self.chunks.aclose()  # type: ignore[attr-defined]  # an async generator


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    api = Api(world)
    await api.start()
    yield api
    await api.stop()


async def home(world: World, api: Api) -> tuple[int, int]:
    """An account with a device."""
    row = AccountRow(0, "a@example.com", "Blynk", "", "", False, False, 0, 0, 0, "", b"{}")
    account = await world.store.create_account(row)
    assert account is not None
    return account, (await api.call(account, "createDevice", name="board"))["id"]


async def test_nothing_is_sent_while_nobody_watches(world: World, api: Api) -> None:
    account, device = await home(world, api)
    for n in range(10):
        await api.write(account, device, 1, n)
    assert not world.owner.watches
    listener = await api.read(account)
    assert world.owner.watches
    await listener.close()


async def test_readers_in_several_processes_see_the_same(world: World, api: Api) -> None:
    account, device = await home(world, api)
    other = Api(world)
    await other.start()
    listeners = [await api.read(account), await other.read(account), await api.read(account)]
    for listener in listeners:
        await listener.next("hello")
    for n in range(20):
        await (api, other)[n % 2].write(account, device, 1, n)
    told = [[await listener.next("value") for _ in range(20)] for listener in listeners]
    assert [data["value"] for _, data, _ in told[0]] == list(range(20))
    assert told[0] == told[1] == told[2]
    await other.stop()


async def test_a_reader_goes_on_in_another_process(world: World, api: Api) -> None:
    account, device = await home(world, api)
    listener = await api.read(account)
    await listener.next("hello")
    await api.write(account, device, 1, "seen")
    _, _, last = await listener.next("value")
    await listener.close()
    for n in range(5):
        await api.write(account, device, 1, n)
    other = Api(world)
    await other.start()
    epoch, number = map(int, last.split("-"))
    again = await other.read(account, (epoch, number))
    assert (await again.next())[0] == "hello"
    assert [(await again.next("value"))[1]["value"] for _ in range(5)] == list(range(5))
    await other.stop()


async def test_a_killed_owner_is_told_and_values_go_on(world: World, api: Api) -> None:
    account, device = await home(world, api)
    listener = await api.read(account)
    _, hello, _ = await listener.next("hello")
    await api.write(account, device, 1, "before")
    await listener.next("value")
    await world.kill_state()
    await world.start_state()
    await api.write(account, device, 1, "after")
    _, reset, _ = await listener.next("reset")
    assert reset["epoch"] != hello["epoch"]
    assert reset["seq"] >= hello["seq"] + 1
    (item,) = await api.call(account, "listValues", id=device)
    assert item["value"] == "after"
    await api.write(account, device, 1, "live")
    while (data := (await listener.next("value"))[1])["value"] != "live":
        assert data["seq"] <= item["seq"]
    assert data["seq"] == item["seq"] + 1


async def test_a_lost_batch_is_noticed_and_made_good(world: World, api: Api) -> None:
    account, device = await home(world, api)
    listener = await api.read(account)
    await listener.next("hello")
    take, api.owners.on_stream = api.owners.on_stream, lambda reader, payload: None
    for n in range(3):
        await api.write(account, device, 1, n)
    await asyncio.sleep(0.05)
    api.owners.on_stream = take
    await api.write(account, device, 1, 3)
    assert [(await listener.next("value"))[1]["value"] for _ in range(4)] == [0, 1, 2, 3]


async def test_a_reader_that_does_not_read_is_bounded_and_told_once(world: World, api: Api) -> None:
    account, device = await home(world, api)
    slow, quick = await api.read(account), await api.read(account)
    await slow.next("hello")
    await quick.next("hello")
    values = [["v", pin, ["x"]] for pin in range(200)]
    for _ in range(12):
        await api.call(account, "putValues", id=device, values=values)
        for _ in range(200):
            await quick.next("value")
    assert len(slow.reader._waiting) <= 1001  # pyright: ignore[reportPrivateUsage]
    kinds = [(await slow.next())[0]]
    while slow.reader._waiting or slow._events:  # pyright: ignore[reportPrivateUsage]
        kinds.append((await slow.next())[0])
    assert kinds.count("reset") == 1
    assert kinds[0] == "reset"
    await api.write(account, device, 1, "live")
    assert (await slow.next("value"))[1]["value"] == "live"


async def test_what_is_missed_is_kept_for_a_minute(world: World, api: Api) -> None:
    account, _ = await home(world, api)
    listener = await api.read(account)
    await listener.next("hello")
    await listener.close()
    left = asyncio.get_running_loop().time()
    async with asyncio.timeout(5):
        await api.call(account, "listDevices", after=-1, limit=1)  # comes behind the farewell
    found = world.owner.accounts[account]
    assert found is not None
    assert found.watch is not None
    assert not found.watch.until, "nobody reads"
    assert found.watch.ends > left + 60


async def test_a_watch_ends_when_nobody_comes_back(world: World, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from vpin_state import watches

    monkeypatch.setattr(watches, "LEASE", 0.1)
    account, _ = await home(world, api)
    listener = await api.read(account)
    await listener.close()
    async with asyncio.timeout(5):
        while world.owner.watches:  # noqa: ASYNC110  the watch ends by a clock
            await asyncio.sleep(0.02)
    found = world.owner.accounts[account]
    assert found is not None
    assert found.watch is None


async def test_readers_are_prolonged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from vpin_state import watches

    monkeypatch.setattr(watches, "LEASE", 0.3)
    monkeypatch.setattr(module, "PROLONG_SECONDS", 0.05)
    api = Api(world)
    await api.start()
    account, device = await home(world, api)
    listener = await api.read(account)
    await listener.next("hello")
    await asyncio.sleep(0.5)
    await api.write(account, device, 1, 1)
    assert (await listener.next())[1]["value"] == 1
    await api.stop()


async def test_an_account_that_is_gone_has_no_stream(api: Api) -> None:
    assert await api.streams.open(999, "session", frozenset(), None) is None
    assert len(api.streams) == 0
