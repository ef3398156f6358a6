"""Time-outs of very many connections: buckets of a quarter of a second, swept by one timer.

A connection stands in one bucket, that of its deadline when it was last looked at. Hearing from a client only stores a
time; when its bucket comes up, the deadline is asked again and the connection moves on or expires. So 10,000 idle
connections cost some hundred looks a second, and a busy one costs nothing more.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Protocol

TICK = 0.25
"""Seconds of one bucket: a time-out is at most two of them late."""


class Watched(Protocol):
    wake: int
    """The wheel's own mark: the bucket it stands in, 0 for none."""

    def deadline(self) -> float:
        """Loop time at which it expires as things are now; ``inf``: never."""
        ...

    def expire(self) -> None: ...


class Wheel:
    """Calls ``expire`` of each watched connection whose deadline has passed. One per gateway or acceptor."""

    def __init__(self) -> None:
        self._buckets: dict[int, set[Watched]] = {}
        self._next = 1
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._next = int(loop.time() / TICK) + 1
        self._arm(loop)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def watch(self, client: Watched) -> None:
        """Look at it when its present deadline is over. Call it again when the deadline came nearer."""
        self.forget(client)
        deadline = client.deadline()
        if deadline != inf:
            client.wake = bucket = max(int(deadline / TICK) + 1, self._next)
            self._buckets.setdefault(bucket, set()).add(client)

    def forget(self, client: Watched) -> None:
        if client.wake:
            bucket = self._buckets.get(client.wake)
            if bucket is not None:
                bucket.discard(client)
            client.wake = 0

    def sweep(self, now: float) -> None:
        """Look at every bucket that is due at loop time ``now``."""
        while self._next * TICK <= now:
            due = self._buckets.pop(self._next, set[Watched]())
            self._next += 1
            for client in due:
                client.wake = 0
                if client.deadline() <= now:
                    client.expire()
                else:
                    self.watch(client)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(TICK, self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._arm(loop)  # first, so that a fault in one connection does not end all time-outs
        self.sweep(loop.time())
