"""A tiny owner of accounts on the memory bus, and an api service in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx
import msgspec
from vpin_api.app import ApiService
from vpin_bus import Bus, Consumer, Delivery, Outlet, open_bus
from vpin_messages import requests, slab
from vpin_messages.queues import instance_queue, shard_queue
from vpin_messages.requests import PinReply, PinRequest
from vpin_messages.slab import Down, Up, UpEntry
from vpin_runtime.settings import Settings
from vpin_store.rows import AccountRow, CampaignRow, FirmwareRow, TokenRow

TOKEN = "0123456789abcdef0123456789abcdef"
UNKNOWN = "ffffffffffffffffffffffffffffffff"
Answer = Callable[[UpEntry, PinRequest], PinReply | None]


class Firmware:
    """Images and campaigns in memory."""

    def __init__(self) -> None:
        self.images: dict[str, FirmwareRow] = {}
        self.running: list[CampaignRow] = []

    async def keep(self, row: FirmwareRow, forget_before: int) -> None:
        self.images[row.name] = row

    async def get(self, name: str) -> FirmwareRow | None:
        return self.images.get(name)

    async def start_campaign(self, row: CampaignRow) -> None:
        self.running.insert(0, row)

    async def stop_campaigns(self) -> None:
        self.running.clear()


class Tokens:
    """One, of a device."""

    def __init__(self) -> None:
        self.rows = {TOKEN: TokenRow(TOKEN, "device", 7, 1, 0, 0, b"")}
        self.asked: list[list[str]] = []
        self.error: Exception | None = None

    async def find(self, tokens: Sequence[str]) -> dict[str, TokenRow]:
        self.asked.append(list(tokens))
        if self.error is not None:
            raise self.error
        return {token: self.rows[token] for token in tokens if token in self.rows}


class Store:
    """The part of a store that the api uses."""

    def __init__(self) -> None:
        self.ready = True
        self.tokens = Tokens()
        self.firmware = Firmware()
        self.accounts: dict[str, AccountRow] = {}  # by e-mail

    async def find_account(self, email: str, app_name: str) -> AccountRow | None:
        return self.accounts.get(email) if app_name == "Blynk" else None

    async def ping(self) -> bool:
        return self.ready


@dataclass
class Owner:
    """Keeps pins in a dict; `answer` (None: no reply) may be replaced."""

    bus: Bus
    shards: int
    pins: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    seen: list[tuple[UpEntry, PinRequest]] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    answer: Answer | None = None
    replies: int = 1  # how often each reply is sent
    sender: bytes = b""  # of the last request
    outlets: dict[bytes, Outlet] = field(default_factory=dict)
    consumers: list[Consumer] = field(default_factory=list)

    async def start(self) -> None:
        for shard in range(self.shards):
            take = partial(self._on_delivery, shard)
            self.consumers.append(await self.bus.consume(shard_queue(shard), take))

    def _on_delivery(self, shard: int, delivery: Delivery) -> None:
        sender, _ = slab.read_head(delivery.body)
        for entry in slab.up_entries(delivery.body):
            self.kinds.append(entry.kind)
            if entry.kind == Up.HEARTBEAT:
                self._outlet(sender).add(slab.down_entry(Down.ANNOUNCE, shard))
            if entry.kind == Up.CAMPAIGNS:
                reply = slab.down_entry(Down.REPLY, entry.session, requests.encode(PinReply(200)))
                self._outlet(sender).add(reply)
            if entry.kind == Up.REQUEST:
                request = requests.decode_request(entry.payload)
                self.seen.append((entry, request))
                reply = (self.answer or self.plain)(entry, request)
                self.sender = sender
                if reply is not None:
                    self.reply(entry, reply)

    def reply(self, entry: UpEntry, reply: PinReply) -> None:
        down = slab.down_entry(Down.REPLY, entry.session, requests.encode(reply))
        for _ in range(self.replies):
            self._outlet(self.sender).add(down)

    def plain(self, entry: UpEntry, request: PinRequest) -> PinReply:
        if entry.credential != slab.credential(TOKEN):
            return PinReply(400, b"Invalid token.")
        pin = (request.pin_type, request.pin)
        if request.operation == "update":
            self.pins[pin] = request.values
            return PinReply(200)
        if request.operation == "get":
            value = self.pins.get(pin)
            if value is None:
                return PinReply(400, b"Requested pin doesn't exist in the app.")
            return PinReply(200, msgspec.json.encode(value))
        if request.operation == "iotStreams":
            return PinReply(200, b"[]")
        if request.operation == "property":
            return PinReply(400, b"No widget for SetWidgetProperty command.") if request.pin < 0 else PinReply(200)
        return PinReply(200, b"true")

    def _outlet(self, sender: bytes) -> Outlet:
        outlet = self.outlets.get(sender)
        if outlet is None:
            outlet = self.bus.outlet(instance_queue(sender), lambda number: slab.head(b"o" * 16, number))
            self.outlets[sender] = outlet
        return outlet


@dataclass
class World:
    bus: Bus
    store: Store
    owner: Owner
    service: ApiService
    http: httpx.AsyncClient


@asynccontextmanager
async def world(health: Callable[[], dict[str, bool]] | None = None, **settings: object) -> AsyncIterator[World]:
    """Everything running, with a client that calls the application without a socket."""
    bus, store = open_bus("memory://"), Store()
    await bus.open()
    known = Settings(shards=3, **settings)  # type: ignore[arg-type]  # fields by name
    owner = Owner(bus, known.shards)
    await owner.start()
    service = ApiService(known, bus, store, health=health, listen=False)  # type: ignore[arg-type]  # the part it uses
    await service.start()
    transport = httpx.ASGITransport(service.application)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            yield World(bus, store, owner, service, http)
    finally:
        await service.stop()
        await bus.close()
