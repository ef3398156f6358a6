"""The bus inside one process: ``memory://``, or ``memory:///folder`` with a journal that survives ``kill -9``.

The :class:`MemoryBus` object is the broker: hand the same one to everybody. A slab goes from the outlet's flush
straight into the callback of a consumer that has room, in the same loop turn. A message is confirmed once it is in its
queue, and in the queue's journal when there is a folder (queues that expire have none: their messages are worth nothing
to the next process).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import structlog

from vpin_bus.interface import BusClosedError, Delivery, Queue
from vpin_bus.journal import Journal, sync
from vpin_bus.memory_queue import MemoryConsumer, MemoryQueue
from vpin_bus.outlet import BaseOutlet, Turn

KEEPING = 0.25
"""Seconds between two rounds of writing acknowledgements and syncing finished segments."""
DRAIN = 5.0

log = structlog.get_logger(__name__)


class MemoryBus:
    """See :class:`vpin_bus.interface.Bus`."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._queues: dict[str, MemoryQueue] = {}
        self._outlets: set[MemoryOutlet] = set()
        self._publishes: set[asyncio.Future[None]] = set()
        self._absent: dict[str, list[Callable[[], None]]] = {}  # publishers to an expiring queue that is not there
        self._expiry: dict[str, asyncio.TimerHandle] = {}
        self._lock = -1
        self._keeper: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn: Turn | None = None

    @property
    def ready(self) -> bool:
        return self._loop is not None and not any(queue.broken for queue in self._queues.values())

    async def open(self) -> None:
        """BlockingIOError when another process uses the folder."""
        loop = asyncio.get_running_loop()
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self._folder / "lock")
            self._keeper = loop.create_task(self._keep(), name="bus-journal")
        self._loop = loop
        self._turn = Turn(loop)

    async def close(self) -> None:
        if self._loop is None:
            return
        loop = self._loop
        drains = [
            loop.create_task(outlet.drained()) for outlet in self._outlets if outlet.backlog and not outlet.absent
        ]
        if drains:
            await asyncio.wait(drains, timeout=DRAIN)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        for outlet in list(self._outlets):
            outlet.abandon()
        await asyncio.gather(*drains, return_exceptions=True)
        for waiter in self._publishes:
            if not waiter.done():
                waiter.set_exception(BusClosedError("the bus was closed before the message was confirmed"))
        for handle in self._expiry.values():
            handle.cancel()
        for queue in self._queues.values():
            queue.close()
        self._queues.clear()
        self._loop = None
        if self._lock >= 0:
            os.close(self._lock)

    def outlet(
        self,
        queue: Queue,
        head: Callable[[int], bytes],
        *,
        high: int = 4 * 1024 * 1024,
        low: int = 1024 * 1024,
        on_pressure: Callable[[bool], None] | None = None,
    ) -> MemoryOutlet:
        if self._turn is None:
            raise RuntimeError("the bus is not open")
        outlet = MemoryOutlet(self, queue, self._turn, head, high, low, on_pressure)
        self._outlets.add(outlet)
        return outlet

    async def publish(self, queue: Queue, body: bytes) -> None:
        loop = self._opened()
        while True:
            target = self.find(queue)
            if target is not None and target.accept(body):
                target.pump()
                return
            waiter: asyncio.Future[None] = loop.create_future()
            self._publishes.add(waiter)
            self.wait(queue, lambda waiter=waiter: None if waiter.done() else waiter.set_result(None))
            try:
                await waiter
            finally:
                self._publishes.discard(waiter)

    async def emit(self, key: str, body: bytes) -> None:
        """Nobody can bind to an exchange in memory, so nobody hears it."""
        self._opened()

    async def consume(
        self,
        queue: Queue,
        on_delivery: Callable[[Delivery], None],
        *,
        prefetch: int = 2000,
        on_reset: Callable[[], None] | None = None,
    ) -> MemoryConsumer:
        target = self._declare(queue)
        consumer = MemoryConsumer(target, on_delivery, prefetch, lambda body: self._bury(queue, body), self._left)
        target.consumers.append(consumer)
        if queue.name in self._expiry:
            self._expiry.pop(queue.name).cancel()
        target.pump_soon()  # not before the caller has its consumer
        return consumer

    async def depth(self, queue: Queue) -> int:
        target = self.find(queue)
        return 0 if target is None else target.depth

    def find(self, queue: Queue) -> MemoryQueue | None:
        """The queue to publish to; None for an expiring one that no consumer has declared or that has expired."""
        if queue.expires and queue.name not in self._queues:
            return None
        return self._declare(queue)

    def wait(self, queue: Queue, retry: Callable[[], None]) -> None:
        """Call `retry` once when the queue may take a message again."""
        target = self._queues.get(queue.name)
        if target is None:
            self._absent.setdefault(queue.name, []).append(retry)
        else:
            target.block(retry)

    def forget(self, outlet: MemoryOutlet) -> None:
        self._outlets.discard(outlet)

    def _opened(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the bus is not open")
        return self._loop

    def _declare(self, queue: Queue) -> MemoryQueue:
        found = self._queues.get(queue.name)
        if found is None:
            loop = self._opened()
            journal = None
            if self._folder is not None and not queue.expires:
                journal = Journal(self._folder / quote(queue.name, safe=""))
            found = self._queues[queue.name] = MemoryQueue(queue, loop, journal)
            for retry in self._absent.pop(queue.name, ()):
                loop.call_soon(retry)
        elif found.spec is not queue and found.spec != queue:
            raise ValueError(f"queue {queue.name} is declared as {found.spec}, not as {queue}")
        return found

    def _bury(self, queue: Queue, body: bytes) -> bool:
        """Put a rejected message into the dead-letter queue. False: the disk refused it."""
        if not queue.dead_letter:
            return True
        grave = self._declare(Queue(queue.dead_letter))
        if not grave.accept(body, bounded=False):
            return False
        grave.pump_soon()
        return True

    def _left(self, queue: MemoryQueue) -> None:
        if queue.spec.expires and not queue.consumers:
            name = queue.spec.name
            self._expiry[name] = self._opened().call_later(queue.spec.expires, self._expire, name)

    def _expire(self, name: str) -> None:
        del self._expiry[name]
        queue = self._queues.pop(name)
        queue.wake()  # they find it gone and wait for its return
        queue.close()

    async def _keep(self) -> None:
        """Write what is lazily written; sync finished segments off the loop."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(KEEPING)
            for journal in [queue.journal for queue in self._queues.values()]:
                if journal is None or not journal.dirty:
                    continue
                try:
                    journal.flush()
                except OSError as error:
                    log.error("journal.refused", error=str(error))
                for fd in journal.take_unsynced():
                    await loop.run_in_executor(None, sync, fd)


class MemoryOutlet(BaseOutlet):
    """Slabs go straight into the queue; one that is refused stays here, and what is added meanwhile joins the next."""

    __slots__ = ("_bus", "_queue", "_refused", "_waiting")

    def __init__(
        self,
        bus: MemoryBus,
        queue: Queue,
        turn: Turn,
        head: Callable[[int], bytes],
        high: int,
        low: int,
        on_pressure: Callable[[bool], None] | None,
    ) -> None:
        super().__init__(turn, head, high, low, on_pressure)
        self._bus = bus
        self._queue = queue
        self._refused: tuple[bytes, int] | None = None
        self._waiting = False

    @property
    def absent(self) -> bool:
        """Whether its queue does not exist: nobody will ever take what it holds."""
        return self._bus.find(self._queue) is None

    def close(self) -> None:
        super().close()
        self._bus.forget(self)

    def flush(self) -> None:
        self._marked = False
        while not self._waiting and (self._refused or self._entries) and not self.closed:
            queue = self._bus.find(self._queue)
            slab, size = self._refused or self._take()
            if queue is None or not queue.accept(slab):
                self._refused = slab, size
                self._waiting = True
                self._bus.wait(self._queue, self._retry)
                return
            self._refused = None
            self._confirmed(size)
            queue.pump()

    def _retry(self) -> None:
        self._waiting = False
        self.flush()


def _lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise BlockingIOError(error.errno, "another process uses this journal", str(path)) from error
    return fd
