"""The road down: slabs of the owners, walked entry by entry and written to the sessions."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

import structlog
from msgspec import MsgspecError
from vpin_bus import Bus, Consumer, Delivery
from vpin_messages.entry import decode_answer
from vpin_messages.queues import instance_queue
from vpin_messages.slab import DOWN, HEAD, Down, SlabError, read_head

if TYPE_CHECKING:
    from vpin_sessions.gateway import Gateway

_FRAMES = int(Down.FRAMES)
_SENDERS = 1024
"""Owners whose last slab number is remembered: many times what is alive at once."""

log = structlog.get_logger(__name__)


class Downlink:
    """Consumes the gateway's instance queue; acknowledges once per loop turn."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._last: dict[bytes, int] = {}  # by owner, the number of its last slab
        self._consumer: Consumer | None = None
        self._unacknowledged = 0  # newest tag, 0 for none

    async def start(self, bus: Bus, sender: bytes) -> None:
        self._consumer = await bus.consume(instance_queue(sender), self.deliver, on_reset=self._reset)
        self._acknowledge()  # of what came before there was a consumer to tell

    async def stop(self) -> None:
        if self._consumer is not None:
            await self._consumer.cancel()
            self._consumer = None

    def deliver(self, delivery: Delivery) -> None:
        """Handle one slab. One that cannot be read is dropped: what it said is lost, the sessions go on."""
        if not self._unacknowledged:
            asyncio.get_running_loop().call_soon(self._acknowledge)
        self._unacknowledged = delivery.tag
        try:
            if self._is_new(delivery.body):
                self._walk(delivery.body)
        except (SlabError, MsgspecError, struct.error) as fault:
            self._gateway.tally.slabs_broken += 1
            log.error("down slab is broken", fault=str(fault), size=len(delivery.body))

    def _is_new(self, slab: bytes) -> bool:
        sender, number = read_head(slab)
        last = self._last.get(sender)
        if last is None:
            if len(self._last) >= _SENDERS:
                del self._last[next(iter(self._last))]
        elif number <= last:
            self._gateway.tally.slabs_repeated += 1
            return False
        self._last[sender] = number
        return True

    def _walk(self, slab: bytes) -> None:
        unpack, find, frames = DOWN.unpack_from, self._gateway.sessions.get, _FRAMES
        at, end = HEAD.size, len(slab)
        self._gateway.tally.bytes_out += end - at
        while at < end:
            kind, number, length = unpack(slab, at)
            start = at + 9
            at = start + length
            if at > end:
                raise SlabError("slab ends inside a payload")
            if kind == frames:
                session = find(number)
                if session is not None:
                    session.write(slab[start:at])
            else:
                self._handle(kind, number, slab[start:at])

    def _handle(self, kind: int, number: int, payload: bytes) -> None:
        if kind == Down.ANNOUNCE:
            self._gateway.announce(number)
            return
        session = self._gateway.sessions.get(number)
        if session is None:
            return
        if kind == Down.ENTRY:
            session.answered(decode_answer(payload))
        elif kind == Down.CLOSE:
            session.dismiss(payload)
        elif kind == Down.IDLE:
            session.set_limit(int.from_bytes(payload, "big"))

    def _acknowledge(self) -> None:
        tag = self._unacknowledged
        if tag and self._consumer is not None:
            self._unacknowledged = 0
            self._consumer.ack(tag)

    def _reset(self) -> None:
        self._unacknowledged = 0
