"""A gateway in a few lines, to drive a state service over the memory bus: what it sends and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vpin_bus import Bus, Delivery, open_bus
from vpin_messages import entry, slab
from vpin_messages.entry import EntryAnswer, EntryBatch, EntryRequest, Grant
from vpin_messages.queues import ENTRY, instance_queue, shard_queue
from vpin_messages.slab import BOARDS, Down, Side, Up, down_entries, shard_of, up_entry
from vpin_protocol import split_app, split_hardware
from vpin_state.config import Config
from vpin_state.entry import Entry
from vpin_state.owner import Owner
from vpin_state.settings import EntrySettings
from vpin_store import Store, open_store, upgrade

SHARDS = 2


class Gateway:
    """Keeps what each session was sent; `sender` is its id."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.sender = slab.new_sender()
        self.frames: dict[int, bytes] = {}
        self.closed: set[int] = set()
        self.announces: list[int] = []
        self.answers: dict[int, EntryAnswer] = {}
        self.grants: dict[int, tuple[Grant, Side]] = {}
        self.other: Callable[[int, bytes], object] = lambda kind, payload: None  # told entries of other kinds
        self._news = asyncio.Event()

    async def start(self) -> None:
        self.consumer = await self.bus.consume(instance_queue(self.sender), self._on_delivery)
        self.entry = self.bus.outlet(ENTRY, lambda n: b"")
        self.up = [self.bus.outlet(shard_queue(i), lambda n: slab.head(self.sender, n)) for i in range(SHARDS)]

    def _on_delivery(self, delivery: Delivery) -> None:
        for kind, session, payload in down_entries(delivery.body):
            if kind == Down.FRAMES:
                self.frames[session] = self.frames.get(session, b"") + payload
            elif kind == Down.CLOSE:
                self.closed.add(session)
            elif kind == Down.ANNOUNCE:
                self.announces.append(session)
            elif kind == Down.ENTRY:
                self.answers[session] = entry.decode_answer(payload)
            else:
                self.other(kind, payload)
        self.consumer.ack(delivery.tag)
        self._news.set()

    async def wait(self, condition: Callable[[], Any]) -> Any:
        """Until something came that makes it true."""
        async with asyncio.timeout(5):
            while not (found := condition()):
                self._news.clear()
                await self._news.wait()
        return found

    async def ask(self, session: int, side: Side, command: int, *fields: str) -> EntryAnswer:
        """One command of a client without a session."""
        request = EntryRequest(session, side, command, 1, "\0".join(fields).encode(), "127.0.0.1")
        body = entry.encode(EntryBatch(self.sender, [request]))
        self.answers.pop(session, None)
        self.entry.add(len(body).to_bytes(4, "big") + body)
        return await self.wait(lambda: self.answers.get(session))

    async def log_in(self, session: int, side: Side, command: int, *fields: str) -> None:
        """Ask and open the session; returns when the owner has answered 200."""
        answer = await self.ask(session, side, command, *fields)
        assert answer.grant is not None, answer
        self.grants[session] = (answer.grant, side)
        self.send(session, b"", kind=Up.OPEN)
        await self.wait(lambda: self.responses(session))

    def send(self, session: int, payload: bytes, kind: Up = Up.FRAMES) -> None:
        grant, side = self.grants[session]
        if kind in (Up.OPEN, Up.ANNOUNCE):
            payload = grant.opening
        entry_bytes = up_entry(
            kind,
            session,
            payload,
            side=side,
            account=grant.account,
            dash=grant.dash,
            device=grant.device,
            credential=grant.credential,
        )
        self.up[shard_of(grant.account, SHARDS)].add(entry_bytes)

    def beat(self) -> None:
        for outlet in self.up:
            outlet.add(up_entry(Up.HEARTBEAT))

    def messages(self, session: int) -> list[tuple[int, int, Any]]:
        """(command, id, body) that a session was sent; of responses (0, id, status)."""
        data, side = self.frames.get(session, b""), self.grants[session][1]
        header, found = (5, 2) if side in BOARDS else (7, 4), []
        while data:
            if data[0] == 0:
                found.append((0, int.from_bytes(data[1:3], "big"), int.from_bytes(data[3 : 3 + header[1]], "big")))
                data = data[header[0] :]
                continue
            command, message_id, body = next((split_hardware if side in BOARDS else split_app)(data))
            found.append((command, message_id, body))
            data = data[header[0] + len(body) :]
        return found

    def responses(self, session: int) -> list[tuple[int, int]]:
        return [(message_id, status) for command, message_id, status in self.messages(session) if command == 0]


class World:
    """Bus with a journal, database, one state process; each can be ended hard and begun again on the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder}/vpin.db"
        self.flush_ms = 20

    async def start(self) -> None:
        await upgrade(self.url)
        self.bus = open_bus(f"memory://{self.folder}/bus")
        await self.bus.open()
        self.store: Store = open_store(self.url)
        await self.store.open()
        await self.start_state()

    async def start_state(self) -> None:
        self.owner = Owner(self.bus, self.store, Config(), list(range(SHARDS)), SHARDS, self.flush_ms)
        await self.owner.start()
        self.entry = Entry(self.bus, self.store, self.owner, EntrySettings("host", 1000, 100_000))
        await self.entry.start()

    async def stop(self) -> None:
        await self.stop_state()
        await self.bus.close()
        await self.store.close()

    async def stop_state(self) -> None:
        await self.entry.stop()
        await self.owner.stop()

    async def kill_state(self) -> None:
        """End the state process as kill -9 does: nothing is flushed, what it had taken goes back to the queues."""
        await self.entry.stop()
        await self.owner.abandon()

    async def gateway(self) -> Gateway:
        gateway = Gateway(self.bus)
        await gateway.start()
        return gateway
