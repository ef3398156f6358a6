"""Requests to the owners of accounts and their replies, over the bus.

To the owners this process is an instance like a gateway: it has a sender id, a down queue of its own, sends HEARTBEAT
to every shard once a second and BYE when it stops. It has no sessions, so ANNOUNCE is answered with nothing: it only
tells that the shard has an owner. A request is an up entry whose session field is the request's number; the reply
repeats it. So a slab that comes twice does no harm: the second reply finds its request gone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
import structlog
from vpin_bus import Bus, Consumer, Delivery, Outlet
from vpin_messages import requests, slab
from vpin_messages.queues import instance_queue, shard_queue
from vpin_messages.requests import PinReply, PinRequest
from vpin_messages.slab import Down, Up
from vpin_store.rows import TokenRow

from vpin_api.answers import BUSY

IN_FLIGHT = 4_000  # requests that may wait for their reply
TIMEOUT = 10.0  # seconds until a request without reply is answered with BUSY
CHANGE_OF_OWNER = 3.0  # the same for one whose reply the last owner of its shard may have taken with it
HEARTBEAT = 1.0  # seconds
FAREWELL = 1.0  # seconds for BYE to be confirmed

log = structlog.get_logger("vpin.api")


class _Waiting:
    """One request: who waits for it, of which shard's owner, and until when."""

    __slots__ = ("deadline", "future", "shard")

    def __init__(self, future: asyncio.Future[PinReply], shard: int, deadline: float) -> None:
        self.future = future
        self.shard = shard
        self.deadline = deadline


class Owners:
    """The way to the owners of all shards. :meth:`ask` never raises for a slow or absent owner: it answers BUSY."""

    def __init__(self, bus: Bus, shards: int, *, in_flight: int = IN_FLIGHT, timeout: float = TIMEOUT) -> None:
        self._bus = bus
        self._shards = shards
        self._limit = in_flight
        self._timeout = timeout
        self.sender = slab.new_sender()
        self._outlets: list[Outlet] = []
        self._full: set[int] = set()  # shards whose outlet is above its high mark
        self._owned: set[int] = set()  # shards whose owner has been heard of
        self._waiting: dict[int, _Waiting] = {}  # by request number, oldest first
        self._number = 0
        self._consumer: Consumer | None = None
        self._clock: asyncio.Task[None] | None = None
        self.on_stream: Callable[[int, bytes], None] = lambda reader, payload: None
        """Takes STREAM entries (:mod:`vpin_api.streams`)."""
        self.on_new_owner: Callable[[int], None] = lambda shard: None
        """The owner of a shard has heard of this process for the first time."""

    @property
    def ready(self) -> bool:
        """Every shard's owner has answered the first heartbeat."""
        return len(self._owned) == self._shards

    @property
    def in_flight(self) -> int:
        """Requests that wait for their reply."""
        return len(self._waiting)

    async def start(self) -> None:
        """Declare the down queue and greet every shard."""
        self._consumer = await self._bus.consume(instance_queue(self.sender), self._on_delivery)
        self._outlets = [self._outlet(shard) for shard in range(self._shards)]
        self._clock = asyncio.create_task(self._beat(), name="api heartbeat")

    async def stop(self) -> None:
        """Take leave of every shard; what still waits is answered with BUSY."""
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)
        for waiting in self._waiting.values():
            _settle(waiting.future, BUSY)
        for outlet in self._outlets:
            outlet.add(slab.up_entry(Up.BYE))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await asyncio.gather(*(outlet.drained() for outlet in self._outlets))
        for outlet in self._outlets:
            outlet.close()
        self._outlets = []
        if self._consumer is not None:
            await self._consumer.cancel()

    async def ask(self, row: TokenRow, request: PinRequest) -> PinReply:
        """The owner's answer; BUSY when too many wait already, or none came in time."""
        device = (row.dash_id, row.device_id, slab.credential(row.token))
        return await self._ask(row.account_id, request, *device)

    async def ask_account(self, account_id: int, operation: str, arguments: bytes) -> PinReply:
        """The same for an operation of the management API; `arguments` is a JSON object."""
        return await self._ask(account_id, PinRequest(operation, payload=arguments), 0, requests.ACCOUNT, 0)

    async def _ask(self, account_id: int, request: PinRequest, dash: int, device: int, credential: int) -> PinReply:
        place = {"account": account_id, "dash": dash, "device": device, "credential": credential}
        payload = requests.encode(request)
        return await self._send(self.shard_of(account_id), lambda n: slab.up_entry(Up.REQUEST, n, payload, **place))

    async def tell_campaigns(self) -> None:
        """The campaigns of firmware have changed in the database: every owner that is there has read them now.

        One that is not, or is silent, reads them when it comes.
        """
        shards = range(self._shards)
        await asyncio.gather(*(self._send(shard, lambda n: slab.up_entry(Up.CAMPAIGNS, n)) for shard in shards))

    async def _send(self, shard: int, entry: Callable[[int], bytes]) -> PinReply:
        """The reply to an entry, which is made with its number; BUSY without one."""
        if len(self._waiting) >= self._limit or shard in self._full or not self._outlets:
            return BUSY
        loop = asyncio.get_running_loop()
        number = self._number = self._number % 0xFFFFFFFF + 1
        future: asyncio.Future[PinReply] = loop.create_future()
        self._waiting[number] = _Waiting(future, shard, loop.time() + self._timeout)
        self._outlets[shard].add(entry(number))
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    def shard_of(self, account_id: int) -> int:
        return slab.shard_of(account_id, self._shards)

    def watch(self, account_id: int, reader: int, interest: bytes) -> None:
        """Tell the account's owner who wants to hear what; dropped while the way there is full."""
        shard = self.shard_of(account_id)
        if shard not in self._full and self._outlets:
            self._outlets[shard].add(slab.up_entry(Up.WATCH, reader, interest, account=account_id))

    def _outlet(self, shard: int) -> Outlet:
        def on_pressure(full: bool) -> None:
            (self._full.add if full else self._full.discard)(shard)

        return self._bus.outlet(
            shard_queue(shard), lambda number: slab.head(self.sender, number), on_pressure=on_pressure
        )

    def _on_delivery(self, delivery: Delivery) -> None:
        try:
            slab.read_head(delivery.body)
            for kind, number, payload in slab.down_entries(delivery.body):
                if kind == Down.REPLY and (waiting := self._waiting.get(number)) is not None:
                    _settle(waiting.future, requests.decode_reply(payload))
                elif kind == Down.STREAM:
                    self.on_stream(number, payload)
                elif kind == Down.ANNOUNCE:
                    self._owned.add(number)
                    self._give_up_later(number)
                    self.on_new_owner(number)
        except (slab.SlabError, msgspec.MsgspecError) as error:
            log.error("api.slab_unreadable", error=str(error))
        if self._consumer is not None:
            self._consumer.ack(delivery.tag)

    def _give_up_later(self, shard: int) -> None:
        """A new owner of the shard: what was asked before, it may have found done and answered. Who asked tries again."""
        asked = [waiting.future for waiting in self._waiting.values() if waiting.shard == shard]

        def give_up() -> None:
            for future in asked:
                _settle(future, BUSY)

        if asked:
            asyncio.get_running_loop().call_later(CHANGE_OF_OWNER, give_up)

    async def _beat(self) -> None:
        beat = slab.up_entry(Up.HEARTBEAT)
        while True:
            for shard, outlet in enumerate(self._outlets):
                if shard not in self._full:
                    outlet.add(beat)
            self._expire(asyncio.get_running_loop().time())
            await asyncio.sleep(HEARTBEAT)

    def _expire(self, now: float) -> None:
        expired = 0
        for waiting in self._waiting.values():
            if waiting.deadline > now:
                break
            _settle(waiting.future, BUSY)
            expired += 1
        if expired:
            log.warning("api.owner_silent", requests=expired, seconds=self._timeout)


def _settle(future: asyncio.Future[PinReply], reply: PinReply) -> None:
    if not future.done():
        future.set_result(reply)
