"""What goes to the bus beside frames: notification jobs after their commit, and domain events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from vpin_messages.queues import NOTIFY

if TYPE_CHECKING:
    from vpin_bus import Bus
    from vpin_store.rows import JobRow

EVENTS_AT_ONCE = 100
EVENTS_WAITING = 10_000


class Publisher:
    """Two queues and the two loops that empty them, which the owner runs."""

    def __init__(self, bus: Bus, job_sent: Callable[[str], None]) -> None:
        """`job_sent` is told the key of a job that the broker has for sure."""
        self._bus = bus
        self._job_sent = job_sent
        self._jobs: asyncio.Queue[JobRow] = asyncio.Queue()
        self._events: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    def publish_jobs(self, rows: list[JobRow]) -> None:
        """Publish notification jobs that are committed."""
        for row in rows:
            self._jobs.put_nowait(row)

    def emit(self, events: Iterable[tuple[str, bytes]]) -> None:
        """Emit domain events: routing key and JSON. While the broker is away some wait, further ones are lost."""
        for event in events:
            if self._events.qsize() < EVENTS_WAITING:
                self._events.put_nowait(event)

    async def publish_jobs_for_ever(self) -> None:
        while True:
            row = await self._jobs.get()
            await self._bus.publish(NOTIFY, row.body)
            self._job_sent(row.key)

    async def emit_for_ever(self) -> None:
        while True:
            events = [await self._events.get()]
            while not self._events.empty() and len(events) < EVENTS_AT_ONCE:
                events.append(self._events.get_nowait())
            await asyncio.gather(*(self._bus.emit(key, body) for key, body in events))
