"""The roads up: one outlet per shard, one for log-ins, the heartbeat."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from functools import partial

from vpin_bus import Bus
from vpin_messages import entry
from vpin_messages.entry import EntryBatch, EntryRequest
from vpin_messages.queues import ENTRY, shard_queue
from vpin_messages.slab import Up, head, up_entry

HEARTBEAT = 1.0
"""Seconds between two signs of life of a gateway to each shard."""

_LENGTH = struct.Struct(">I").pack


class Uplinks:
    """Where a gateway's entries go. ``on_pressure(shard, on)`` tells when the sessions of a shard must not be read."""

    def __init__(self, bus: Bus, sender: bytes, shards: int, on_pressure: Callable[[int, bool], None]) -> None:
        self._sender = sender
        self._outlets = [
            bus.outlet(shard_queue(shard), partial(head, sender), on_pressure=partial(on_pressure, shard))
            for shard in range(shards)
        ]
        self.add = [outlet.add for outlet in self._outlets]
        """By shard: append one up entry."""
        self._entries = bus.outlet(ENTRY, _no_head)
        self._requests: list[EntryRequest] = []
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Beat now and every second from now on."""
        self._beat(asyncio.get_running_loop())

    def ask(self, request: EntryRequest) -> None:
        """Send a command of a client without a session; the requests of one loop turn share a batch."""
        if not self._requests:
            asyncio.get_running_loop().call_soon(self._flush_requests)
        self._requests.append(request)

    def tell_all(self, kind: Up) -> None:
        """An entry without session and payload to every shard."""
        for add in self.add:
            add(up_entry(kind))

    async def drain(self, seconds: float) -> None:
        """Return when all entries are confirmed, at the latest after ``seconds``."""
        waiting = [asyncio.ensure_future(outlet.drained()) for outlet in self._outlets]
        _, late = await asyncio.wait(waiting, timeout=seconds)
        for task in late:
            task.cancel()

    def close(self) -> None:
        self.quiet()
        for outlet in (*self._outlets, self._entries):
            outlet.close()

    def quiet(self) -> None:
        """No heartbeat any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(HEARTBEAT, self._beat, loop)
        self.tell_all(Up.HEARTBEAT)

    def _flush_requests(self) -> None:
        requests, self._requests = self._requests, []
        batch = entry.encode(EntryBatch(self._sender, requests))
        self._entries.add(_LENGTH(len(batch)) + batch)


def _no_head(_number: int) -> bytes:
    """Messages on the entry queue are batches, each behind its length (u32), and nothing else."""
    return b""
