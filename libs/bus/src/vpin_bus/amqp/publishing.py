"""Publishing with confirms: one channel for all outlets of a connection.

The outlets of a connection take turns: while AT_ONCE slabs await their confirm, those with entries stand in line, and what
is added meanwhile joins their next slab. So slabs grow with the load of the broker, not the number of queues (measured with
eight shards and one frame in flight each: a third less processor time in the broker, 40 % more frames when pipelined).
A confirm that is slow to come, of a queue that has lost its leader for instance, holds the others up for STALL only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from vpin_bus.amqp import frames
from vpin_bus.amqp.channel import Channel

if TYPE_CHECKING:
    from vpin_bus.amqp.outlet import AmqpOutlet

AT_ONCE = 2
"""Slabs of all outlets that may await their confirm: with one the broker is idle at times, four make small slabs."""
STALL = 0.05  # seconds that a confirm may keep other outlets waiting


class Outcome(Enum):
    ACCEPTED = auto()
    REFUSED = auto()  # the queue is full
    RETURNED = auto()  # there is no such queue
    LOST = auto()  # the connection was lost first


class Publish(Protocol):
    """Something that was published and hears what became of it."""

    def resolve(self, outcome: Outcome) -> None: ...


class Publisher:
    """The publish channel of one connection, in confirm mode."""

    def __init__(self, channel: Channel) -> None:
        channel.on_confirm = self._on_confirm
        channel.on_return = self._on_return
        channel.on_closed = lambda error: channel.wire.abort(f"publish channel: {error}")
        self._wire = channel.wire
        self._number = channel.number
        self._methods: dict[tuple[str, str], bytes] = {}
        self._waiting: dict[int, tuple[Publish, bytes]] = {}  # by tag
        self._returned: set[bytes] = set()
        self._tag = 0
        self._oldest = 1
        self._loop = asyncio.get_running_loop()
        self._published_at = 0.0
        self._line: deque[AmqpOutlet] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def may_publish(self, outlet: AmqpOutlet) -> bool:
        """Whether it is the outlet's turn. If not it stands in line, and its ``flush`` is called when it is."""
        if len(self._waiting) < AT_ONCE or self._loop.time() - self._published_at > STALL:
            return True
        if not outlet.in_line:
            outlet.in_line = True
            self._line.append(outlet)
            if self._timer is None:
                self._timer = self._loop.call_later(STALL, self._stalled)
        return False

    def publish(self, publish: Publish, message_id: bytes, body: bytes, key: str, exchange: str = "") -> None:
        """`message_id` must be unique among what awaits its confirm."""
        method = self._methods.get((exchange, key))
        if method is None:
            method = frames.publish_method(self._number, exchange, key, mandatory=not exchange)
            if not exchange:  # queues are few, routing keys of events need not be
                self._methods[exchange, key] = method
        self._tag += 1
        self._published_at = self._loop.time()
        self._waiting[self._tag] = publish, message_id
        self._wire.write(frames.publish(method, self._number, message_id, body, self._wire.frame_max))

    def abort(self, reason: str) -> None:
        """Give the connection up: another one is made."""
        self._wire.abort(reason)

    def lost(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
        for outlet in self._line:
            outlet.in_line = False
        self._line.clear()
        waiting, self._waiting = self._waiting, {}
        for publish, _ in waiting.values():
            publish.resolve(Outcome.LOST)

    def _on_confirm(self, tag: int, multiple: bool, accepted: bool) -> None:
        for number in range(self._oldest if multiple else tag, tag + 1):
            found = self._waiting.pop(number, None)
            if found is None:
                continue
            publish, message_id = found
            if message_id in self._returned:
                self._returned.discard(message_id)
                publish.resolve(Outcome.RETURNED)
            else:
                publish.resolve(Outcome.ACCEPTED if accepted else Outcome.REFUSED)
        while self._oldest <= self._tag and self._oldest not in self._waiting:
            self._oldest += 1
        if len(self._waiting) < AT_ONCE:
            self._next()

    def _next(self) -> None:
        """Let the first in line that still has something publish."""
        while self._line and (len(self._waiting) < AT_ONCE or self._loop.time() - self._published_at > STALL):
            outlet = self._line.popleft()
            outlet.in_line = False
            outlet.flush()

    def _stalled(self) -> None:
        self._timer = None
        self._next()
        if self._line:
            self._timer = self._loop.call_later(STALL, self._stalled)

    def _on_return(self, header: bytes) -> None:
        self._returned.add(frames.message_id(header))


class Shot:
    """One message on its own."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def resolve(self, outcome: Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)
