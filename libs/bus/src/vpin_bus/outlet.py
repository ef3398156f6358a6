"""What the outlets of both implementations share: entries of a loop turn, backlog, pressure, slabs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from vpin_bus.interface import BusClosedError

SLAB_BYTES = 256 * 1024
"""A slab is closed beyond this size: it must not block its receiver for long, nor hit the broker's limit of 16 MiB."""


class Turn:
    """Calls `flush` of the outlets that got entries, once at the end of the loop turn."""

    __slots__ = ("_dirty", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._dirty: list[BaseOutlet] = []

    def mark(self, outlet: BaseOutlet) -> None:
        if not self._dirty:
            self.loop.call_soon(self._end)
        self._dirty.append(outlet)

    def _end(self) -> None:
        dirty, self._dirty = self._dirty, []
        for at, outlet in enumerate(dirty):
            try:
                outlet.flush()
            except BaseException:  # a consumer's callback failed: the loop reports it, the other outlets go on
                for rest in dirty[at:]:
                    self.mark(rest)
                raise


class BaseOutlet:
    """Collects entries; a subclass takes slabs in :meth:`flush` and reports with :meth:`_confirmed`."""

    __slots__ = (
        "_drained",
        "_entries",
        "_head",
        "_high",
        "_low",
        "_marked",
        "_number",
        "_on_pressure",
        "_pressed",
        "_turn",
        "_unsent",
        "backlog",
        "closed",
    )

    def __init__(
        self,
        turn: Turn,
        head: Callable[[int], bytes],
        high: int,
        low: int,
        on_pressure: Callable[[bool], None] | None,
    ) -> None:
        self._turn = turn
        self._head = head
        self._high = high
        self._low = low
        self._on_pressure = on_pressure
        self._pressed = False
        self._marked = False  # flush comes at the end of this loop turn
        self._number = 0
        self._entries: list[bytes] = []
        self._unsent = 0  # bytes in _entries
        self._drained: list[asyncio.Future[None]] = []
        self.backlog = 0
        self.closed = False

    def add(self, entry: bytes) -> None:
        if self.closed:
            return
        size = len(entry)
        self._entries.append(entry)
        self._unsent += size
        self.backlog += size
        if not self._marked:
            self._marked = True
            self._turn.mark(self)
        if self.backlog > self._high and not self._pressed:
            self._pressed = True
            if self._on_pressure is not None:
                self._on_pressure(True)

    async def drained(self) -> None:
        if self.backlog:
            waiter = asyncio.get_running_loop().create_future()
            self._drained.append(waiter)
            await waiter

    def close(self) -> None:
        self._forget(None)

    def abandon(self) -> None:
        """The bus is closed: whoever waits for :meth:`drained` gets BusClosedError."""
        self._forget(BusClosedError("the bus was closed before everything was confirmed"))

    def flush(self) -> None:
        raise NotImplementedError

    def _take(self) -> tuple[bytes, int]:
        """The next slab and the bytes of its entries (there must be entries)."""
        entries = self._entries
        if self._unsent <= SLAB_BYTES:
            size, self._unsent, self._entries = self._unsent, 0, []
        else:
            size = count = 0
            while count < len(entries) and size < SLAB_BYTES:
                size += len(entries[count])
                count += 1
            self._unsent -= size
            self._entries = entries[count:]
            del entries[count:]
        self._number += 1
        return self._head(self._number) + b"".join(entries), size

    def _confirmed(self, size: int) -> None:
        self.backlog -= size
        if self._pressed and self.backlog < self._low:
            self._pressed = False
            if self._on_pressure is not None:
                self._on_pressure(False)
        if not self.backlog and self._drained:
            self._release(None)

    def _forget(self, error: Exception | None) -> None:
        self.closed = True
        self._entries.clear()
        self._unsent = self.backlog = 0
        self._pressed = False
        self._release(error)

    def _release(self, error: Exception | None) -> None:
        waiters, self._drained = self._drained, []
        for waiter in waiters:
            if not waiter.done():
                if error is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(error)
