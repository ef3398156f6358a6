"""The slabs of one shard, in order: what is being applied, what waits for it, how far it has come.

Theory of operation
-------------------
* A slab is applied as it comes. Where an entry concerns an account that is not in memory, the rest of the slab and all later
  ones wait until the account is loaded: order is never given up.
* They wait likewise while it is others' turn: messages that need a handler get `owner.TURN_SECONDS` of a turn of the loop,
  so a slab full of slow ones holds up its own shard and nobody else. The fast way is not timed.
* A slab is applied once: `Instance.applied` says to the byte how far its sender's slabs are applied, and is committed
  together with what they changed. So a slab that comes again after a crash, or after a lost connection, goes on where the
  last commit found it, or is dropped.
* What waits is bounded. Above `MOST_WAITING` bytes each delivery has the waiting ones applied at once, however long others
  wait, so the bus is read no faster than slabs are applied, and the rest stays with the broker.
* An entry that can't be read is left out, a slab loses what is behind an entry that does not end in it: counted, logged.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from typing import TYPE_CHECKING

import structlog
from vpin_messages.queues import shard_queue
from vpin_messages.slab import HEAD, SlabError, read_head

from vpin_state import metrics
from vpin_state.entries import cut, walk
from vpin_state.session import SLAB

if TYPE_CHECKING:
    from vpin_bus import Consumer, Delivery

    from vpin_state.shard import Shard

log = structlog.get_logger()

PREFETCH = 30_000
"""Slabs that may wait for their commit: enough for the database to be away for a while without values standing still."""
MOST_SLABS = (1 << 62) // SLAB
"""Numbers of slabs beyond could not be stored as progress."""
MOST_WAITING = 4 * 1024 * 1024
"""Bytes of slabs that wait while others have their turn: seconds of nothing but slow messages."""


class Deliveries:
    """Consumer of the shard's queue."""

    def __init__(self, shard: Shard) -> None:
        self.last_tag = 0  # newest delivery that is applied
        self.unacked = 0  # deliveries applied and not yet acknowledged
        self._shard = shard
        self._owner = shard.owner
        self._consumer: Consumer | None = None
        self._waiting: deque[Delivery] = deque()
        self._waiting_bytes = 0
        self._working: asyncio.Task[None] | None = None
        self._current: Delivery | None = None  # whose slab is applied in part
        self._rest = b""  # what is left of it, as a slab
        self._at = 0  # where to go on in there

    async def start(self) -> None:
        self._consumer = await self._owner.bus.consume(
            shard_queue(self._shard.number), self._on_delivery, prefetch=PREFETCH, on_reset=self._on_reset
        )

    async def stop(self) -> None:
        """Stop consuming; what is applied has been committed before."""
        if self._consumer is not None:
            await self._consumer.cancel()
        if self._working is not None:
            self._working.cancel()

    def ack(self, tag: int, slabs: int) -> None:
        """Everything up to `tag` is committed; `slabs` of them were not acknowledged before."""
        self.unacked = max(0, self.unacked - slabs)
        if self._consumer is not None and slabs:
            self._consumer.ack(tag)

    def _on_delivery(self, delivery: Delivery) -> None:
        if self._working is None and self._shard.active:
            self._start(delivery)
            if self._current is not None:
                self._working = self._owner.spawn(self._work())
            return
        self._waiting.append(delivery)
        self._waiting_bytes += len(delivery.body)
        if self._working is None:
            self._working = self._owner.spawn(self._work())
        while self._waiting_bytes > MOST_WAITING and self._shard.active:
            self._owner.new_turn()
            if not self._advance():
                break

    async def _work(self) -> None:
        """Apply what waits, in order; become active and load accounts where that is needed."""
        while self._current is not None or self._waiting:
            if not self._shard.active:
                await self._owner.commits.patiently(self._shard.activate)
            elif not self._advance():
                await self._load()
            elif self._owner.tired:
                await asyncio.sleep(0)
        self._working = None

    async def _load(self) -> None:
        """Load the accounts that the rest of the slab in progress needs."""
        rest, at = self._rest, self._at
        loaded = await self._shard.load_missing(rest, at)
        if self._rest is rest and self._at == at:
            self._at = loaded

    def _advance(self) -> bool:
        """Apply the rest of the slab in progress, or the next; False: an account has to be loaded before it goes on."""
        if self._current is not None:
            self._apply(self._current, self._rest, self._at)
        else:
            delivery = self._waiting.popleft()
            self._waiting_bytes -= len(delivery.body)
            self._start(delivery)
        return self._current is None or self._owner.tired

    def _start(self, delivery: Delivery) -> None:
        """Apply a slab from where its sender's slabs are applied already."""
        body = delivery.body
        try:
            sender, number = read_head(body)
            if number > MOST_SLABS:
                raise SlabError("nobody has sent so many slabs")
        except SlabError:
            metrics.slabs_malformed.inc()
            self._finish(delivery.tag)
            return
        shard = self._shard
        instance = shard.instances.get(sender) or shard.gateway(sender)
        instance.heard_at_tick = shard.ticks
        before, whole = instance.applied, number * SLAB
        if before >= whole:
            metrics.slabs_repeated.inc()
            self._finish(delivery.tag)
            return
        instance.applied = whole
        if before <= whole - SLAB:
            self._apply(delivery, body, HEAD.size)
        else:
            self._apply(delivery, *cut(body, before - (whole - SLAB)))

    def _apply(self, delivery: Delivery, rest: bytes, at: int) -> None:
        """Apply what is left of a slab as far as it goes now; what then is left is the slab in progress."""
        try:
            at = walk(self._shard, rest, at)
        except (SlabError, struct.error) as fault:
            metrics.slabs_malformed.inc()
            log.error("a slab is broken, its rest is dropped", shard=self._shard.number, fault=repr(fault))
            self._owner.outbox.deliver()
            at = len(rest)
        if at < len(rest):
            self._note(delivery, len(delivery.body) - len(rest) + at)
            self._current = delivery
            self._rest, self._at = cut(rest, at)
            return
        if self._current is not None:
            self._current, self._rest = None, b""
            self._note(delivery, SLAB)
        self._finish(delivery.tag)

    def _note(self, delivery: Delivery, part: int) -> None:
        """So many bytes of a slab are applied; `SLAB`: all."""
        sender, number = read_head(delivery.body)
        self._shard.gateway(sender).applied = (number - 1) * SLAB + part

    def _finish(self, tag: int) -> None:
        self.last_tag = tag
        self.unacked += 1
        self._owner.commits.slab_applied(self.unacked)

    def _on_reset(self) -> None:
        """The connection was lost: unacknowledged deliveries come again, perhaps to another process."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._current, self._rest = None, b""
        self.unacked = 0
        self._shard.lost()
