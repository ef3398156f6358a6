"""One in-memory queue: bounded, journalled when it has a journal, served to its consumers in turn."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

import structlog

from vpin_bus.interface import Delivery, Queue
from vpin_bus.journal import Journal

BURST = 64
"""Deliveries in one loop turn; the rest waits for the next, so that sockets get their turn."""
DISK_RETRY = 0.5  # seconds until a full disk is tried again

log = structlog.get_logger(__name__)


class Message:
    __slots__ = ("body", "position", "redelivered")

    def __init__(self, body: bytes, position: int, redelivered: bool = False) -> None:
        self.body = body
        self.position = position
        self.redelivered = redelivered


class MemoryQueue:
    """Positions are the journal's, or counted here without one. Publishers that were refused stand in `blocked`."""

    def __init__(self, spec: Queue, loop: asyncio.AbstractEventLoop, journal: Journal | None) -> None:
        self.spec = spec
        self.journal = journal
        self.consumers: deque[MemoryConsumer] = deque()
        self.broken = False  # the last write to the journal failed
        self._loop = loop
        self._position = 0
        self._waiting: deque[Message] = deque()
        self._blocked: deque[Callable[[], None]] = deque()
        self._delayed: dict[int, asyncio.TimerHandle] = {}
        self._pumping = False
        self._waking = False
        for record in () if journal is None else list(journal.live.values()):
            message = Message(record.body, record.position, redelivered=True)
            if record.due:
                self._delay(message, record.due - time.time())
            else:
                self._waiting.append(message)

    @property
    def depth(self) -> int:
        return len(self._waiting)

    def accept(self, body: bytes, *, bounded: bool = True) -> bool:
        """Take a message (safe from now on) or refuse it. :meth:`pump` afterwards delivers it."""
        limit = self.spec.max_messages
        if bounded and limit and len(self._waiting) >= limit:
            return False
        position = self._append(body)
        if not position:
            return False
        self._waiting.append(Message(body, position))
        return True

    def block(self, retry: Callable[[], None]) -> None:
        """Call `retry` once when there is room again."""
        self._blocked.append(retry)

    def pump(self) -> None:
        """Deliver to consumers that have room; calls their callbacks."""
        if self._pumping or not self._waiting:
            return
        self._pumping = True
        waiting, count = self._waiting, 0
        try:
            while waiting and (consumer := self._free_consumer()) is not None:
                if count == BURST:
                    self._loop.call_soon(self.pump)
                    break
                count += 1
                consumer.deliver(waiting.popleft())
        except BaseException:  # a callback failed: the loop reports it, the others go on
            self._loop.call_soon(self.pump)
            raise
        finally:
            self._pumping = False
            if count and self._blocked:
                self.wake()

    def wake(self) -> None:
        """Let the refused publishers try again at the end of the loop turn."""
        if not self._waking and self._blocked:
            self._waking = True
            self._loop.call_soon(self._wake)

    def acked(self, message: Message) -> None:
        if self.journal is not None:
            self.journal.ack(message.position)

    def retry(self, message: Message, body: bytes, delay: float) -> bool:
        """Put `body` in the message's place, `delay` seconds from now. False: the disk refused, nothing is changed."""
        position = self._append(body, time.time() + delay, acked=message.position)
        if position:
            self._delay(Message(body, position), delay)
        return bool(position)

    def give_back(self, messages: list[Message]) -> None:
        """Unacknowledged messages of a consumer that left: in their old places."""
        for message in messages:
            message.redelivered = True
        merged = sorted([*messages, *self._waiting], key=lambda message: message.position)
        self._waiting.clear()
        self._waiting.extend(merged)
        self.pump_soon()

    def pump_soon(self) -> None:
        self._loop.call_soon(self.pump)

    def close(self) -> None:
        for handle in self._delayed.values():
            handle.cancel()
        self._waiting.clear()
        self.consumers.clear()
        if self.journal is not None:
            self.journal.close()

    def _append(self, body: bytes, due: float = 0.0, acked: int = 0) -> int:
        """Position of the message, 0 when the disk refused it (then tried again by whoever stands in `blocked`)."""
        if self.journal is None:
            self._position += 1
            return self._position
        try:
            position = self.journal.append(body, due, acked)
        except OSError as error:
            if not self.broken:
                log.error("journal.refused", queue=self.spec.name, error=str(error))
            self.broken = True
            self._loop.call_later(DISK_RETRY, self.wake)
            return 0
        self.broken = False
        return position

    def _wake(self) -> None:
        self._waking = False
        for _ in range(len(self._blocked)):
            self._blocked.popleft()()

    def _delay(self, message: Message, seconds: float) -> None:
        self._delayed[message.position] = self._loop.call_later(max(seconds, 0.0), self._due, message)

    def _due(self, message: Message) -> None:
        del self._delayed[message.position]
        self._waiting.append(message)
        self.pump()

    def _free_consumer(self) -> MemoryConsumer | None:
        consumers = self.consumers
        if self.spec.single_active:
            return consumers[0] if consumers and consumers[0].has_room else None
        for _ in range(len(consumers)):
            consumer = consumers[0]
            consumers.rotate(-1)
            if consumer.has_room:
                return consumer
        return None


class MemoryConsumer:
    """A :class:`~vpin_bus.interface.Consumer`. There is no connection to lose, so tags never start anew."""

    def __init__(
        self,
        queue: MemoryQueue,
        on_delivery: Callable[[Delivery], None],
        prefetch: int,
        dead_letter: Callable[[bytes], bool],
        on_cancel: Callable[[MemoryQueue], None],
    ) -> None:
        self._queue = queue
        self._on_delivery = on_delivery
        self._prefetch = prefetch
        self._dead_letter = dead_letter
        self._on_cancel = on_cancel
        self._unacked: dict[int, Message] = {}
        self._tag = 0
        self._oldest = 1  # every tag below is settled
        self._cancelled = False

    @property
    def has_room(self) -> bool:
        return len(self._unacked) < self._prefetch

    def deliver(self, message: Message) -> None:
        self._tag += 1
        self._unacked[self._tag] = message
        self._on_delivery(Delivery(message.body, self._tag, message.redelivered))

    def ack(self, tag: int) -> None:
        unacked, queue = self._unacked, self._queue
        for settled in range(self._oldest, min(tag, self._tag) + 1):
            if (message := unacked.pop(settled, None)) is not None:
                queue.acked(message)
        self._oldest = max(self._oldest, min(tag, self._tag) + 1)
        queue.pump()

    def ack_one(self, tag: int) -> None:
        if (message := self._unacked.pop(tag, None)) is not None:
            self._queue.acked(message)
            self._queue.pump()

    def retry(self, tag: int, body: bytes, delay: float) -> None:
        spec = self._queue.spec
        if not spec.dead_letter:
            raise ValueError(f"queue {spec.name} has no dead-letter queue, so its messages cannot be retried")
        message = self._unacked.get(tag)
        if message is None:
            return
        if self._queue.retry(message, body, delay):
            del self._unacked[tag]
            self._queue.pump()
        else:
            self._queue.block(lambda: self.retry(tag, body, delay))

    def reject(self, tag: int) -> None:
        message = self._unacked.get(tag)
        if message is None:
            return
        if self._dead_letter(message.body):
            self.ack_one(tag)
        else:
            self._queue.block(lambda: self.reject(tag))

    async def cancel(self) -> None:
        if self._cancelled:
            return
        self._cancelled = True
        if self not in self._queue.consumers:  # the bus was closed first
            return
        self._queue.consumers.remove(self)
        messages = list(self._unacked.values())
        self._unacked.clear()
        self._queue.give_back(messages)
        self._on_cancel(self._queue)
