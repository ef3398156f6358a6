"""Live streams of accounts as the API serves them: readers here, owners there (:mod:`vpin_messages.stream`).

A *reader* is one open request. It tells the owner from which event on it needs them, is greeted, and takes batches as
long as their numbers go on from its last one. Anything else (a lost batch, a new owner) makes it ask again from its
last number; the owner repeats what is missing or says that it can't, and then the reader is told to begin anew. What a
reader has not sent yet is bounded by number and bytes: beyond, all of it is dropped for one `reset`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import msgspec
from vpin_messages import stream
from vpin_messages.stream import KEPT, Batch, Interest

COMMENT_SECONDS = 15.0
"""So often something is sent, at least a comment."""
PROLONG_SECONDS = 10.0
"""Between two words to the owner that readers are still there."""
GREETING_SECONDS = 10.0
"""For the owner to answer."""
BYTES_MAX = 2 * 1024 * 1024
"""That wait to be sent to one reader."""
READERS_MAX = 2_000
"""Of one process."""
ACCOUNT_READERS_MAX = 50
"""Of one account in one process."""
CHUNK = 64 * 1024
"""Bytes that are sent at a time."""

Tell = Callable[[int, int, bytes], None]
"""Sends (account, reader, interest) to the account's owner."""

_json = msgspec.json.Encoder().encode


class Reader:
    """One open stream; :meth:`chunks` is what is sent. Made by :meth:`Streams.open`."""

    def __init__(self, streams: Streams, number: int, account_id: int, session: str, devices: frozenset[int]) -> None:
        self.number = number
        self.account_id = account_id
        self.session = session
        self.epoch = 0
        self.last = 0  # number of the last event that was taken
        self.asking = True  # for the greeting
        self.is_new = True  # never greeted
        self.refused = False  # the account is gone
        self.closed = False
        self._resumes = False
        self._streams = streams
        self._devices = devices
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._news = asyncio.Event()

    def resume(self, epoch: int, last: int) -> None:
        """It has been here before, and has seen all up to that event."""
        self.epoch, self.last, self._resumes = epoch, last, True

    def close(self) -> None:
        self.closed = True
        self._news.set()

    async def greeted(self) -> None:
        """Return once the owner has answered; TimeoutError."""
        async with asyncio.timeout(GREETING_SECONDS):
            while self.is_new and not self.closed:
                self._news.clear()
                await self._news.wait()

    async def chunks(self, holds: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        """What is sent, until the reader is closed. `holds` is asked now and then: whether the session still does."""
        loop = asyncio.get_running_loop()
        due = loop.time() + COMMENT_SECONDS
        try:
            while not self.closed:
                self._news.clear()
                if self._waiting:
                    yield self._take()
                else:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout_at(due):
                            await self._news.wait()
                if loop.time() >= due:
                    due = loop.time() + COMMENT_SECONDS
                    if not await holds():
                        return
                    yield b": \n\n"
        finally:
            self._streams.leave(self)

    def greet(self, batch: Batch, events: list[tuple[int, bytes]]) -> None:
        """The owner's answer to its interest."""
        if not batch.epoch:
            self.refused = True
            self.close()
            return
        was_new, self.is_new, self.asking = self.is_new, False, False
        if not was_new and not batch.resumed:
            self._drop()
        if was_new:
            self._put(b"retry: 2000\n\n")
            self._put(_event("hello", batch.epoch, self.last if batch.resumed else batch.number, _place(batch)))
        if batch.resumed:
            self._take_events(batch, events)
            return
        self.epoch, self.last = batch.epoch, batch.number
        if self._resumes or not was_new:
            self._put(_event("reset", batch.epoch, batch.number, _place(batch)))

    def take(self, batch: Batch, events: list[tuple[int, bytes]]) -> None:
        """New events of the account; asks the owner when they do not go on from the last one."""
        if self.asking:
            return
        first = batch.events[0].number if batch.events else batch.number + 1
        if batch.epoch != self.epoch or first > self.last + 1:
            self.ask()
            return
        self._take_events(batch, events)

    def ask(self) -> None:
        """Ask the owner for what comes behind the last event; where its queue is full, some seconds later."""
        self.asking = True
        self._streams.tell(self, Interest(self.epoch, self.last))

    def _take_events(self, batch: Batch, events: list[tuple[int, bytes]]) -> None:
        for shown, (device, data) in zip(batch.events, events, strict=True):
            if shown.number > self.last and (not self._devices or device in self._devices):
                self._put(data)
        self.last = batch.number
        if len(self._waiting) > KEPT or self._bytes > BYTES_MAX:
            self._drop()
            self._put(_event("reset", batch.epoch, batch.number, _place(batch)))

    def _drop(self) -> None:
        self._waiting.clear()
        self._bytes = 0

    def _put(self, data: bytes) -> None:
        self._waiting.append(data)
        self._bytes += len(data)
        self._news.set()

    def _take(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while self._waiting and (not parts or size + len(self._waiting[0]) <= CHUNK):
            parts.append(self._waiting.popleft())
            size += len(parts[-1])
        self._bytes -= size
        return b"".join(parts)


class Streams:
    """All readers of this process. `tell` sends an interest to the owner of an account, `shard_of` is its shard."""

    def __init__(self, tell: Tell, shard_of: Callable[[int], int]) -> None:
        self._tell = tell
        self._shard_of = shard_of
        self._readers: dict[int, Reader] = {}
        self._accounts: dict[int, set[Reader]] = {}
        self._next = 0
        self._clock: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._readers)

    def is_full(self, account_id: int) -> bool:
        """No further reader is served."""
        return len(self._readers) >= READERS_MAX or len(self._accounts.get(account_id, ())) >= ACCOUNT_READERS_MAX

    async def start(self) -> None:
        self._clock = asyncio.create_task(self._prolong_for_ever(), name="live streams")

    async def stop(self) -> None:
        """End all streams."""
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)
        for reader in list(self._readers.values()):
            reader.close()

    async def open(
        self, account_id: int, session: str, devices: frozenset[int], seen: tuple[int, int] | None
    ) -> Reader | None:
        """A reader that the owner has greeted; None when the account is gone. `seen`: (epoch, number) of its last event.

        TimeoutError when the owner does not answer. No devices: all.
        """
        self._next = self._next % 0xFFFFFFFF + 1
        reader = Reader(self, self._next, account_id, session, devices)
        if seen:
            reader.resume(*seen)
        self._readers[reader.number] = reader
        self._accounts.setdefault(account_id, set()).add(reader)
        try:
            reader.ask()
            await reader.greeted()
        except BaseException:
            self.leave(reader)
            raise
        if reader.refused or reader.closed:
            self.leave(reader)
            return None
        return reader

    def leave(self, reader: Reader) -> None:
        """The stream is over."""
        if self._readers.pop(reader.number, None) is None:
            return
        readers = self._accounts[reader.account_id]
        readers.discard(reader)
        if not readers:
            del self._accounts[reader.account_id]
            self._tell(reader.account_id, 0, stream.encode(Interest(sends=False)))

    def end_sessions(self, account_id: int, ended: Callable[[str], bool]) -> None:
        """Close the streams of sessions that are over."""
        for reader in list(self._accounts.get(account_id, ())):
            if ended(reader.session):
                reader.close()

    def tell(self, reader: Reader, interest: Interest) -> None:
        self._tell(reader.account_id, reader.number, stream.encode(interest))

    def on_batch(self, number: int, payload: bytes) -> None:
        """A STREAM entry: the greeting of a reader, or with number 0 what is new in an account."""
        batch = stream.decode_batch(payload)
        if number:
            if (reader := self._readers.get(number)) is not None and reader.asking:
                reader.greet(batch, _events(batch))
            return
        readers = self._accounts.get(batch.account)
        if readers:
            events = _events(batch)
            for reader in readers:
                reader.take(batch, events)

    def on_new_owner(self, shard: int) -> None:
        """The owner of a shard does not know this process yet."""
        for account_id, readers in self._accounts.items():
            if self._shard_of(account_id) == shard:
                for reader in readers:
                    reader.ask()

    async def _prolong_for_ever(self) -> None:
        """One reader of each account asks now and then; those that wait for an answer ask again."""
        while True:
            await asyncio.sleep(PROLONG_SECONDS)
            for readers in list(self._accounts.values()):
                waiting = [reader for reader in readers if reader.asking]
                for reader in waiting or list(readers)[:1]:
                    reader.ask()


def _events(batch: Batch) -> list[tuple[int, bytes]]:
    """(device, bytes as they are sent) of each event: made once for all readers."""
    return [(shown.device, _event(shown.kind, batch.epoch, shown.number, shown.data)) for shown in batch.events]


def _event(kind: str, epoch: int, number: int, data: bytes) -> bytes:
    return b"id: %d-%d\nevent: %s\ndata: %s\n\n" % (epoch, number, kind.encode(), data)


def _place(batch: Batch) -> bytes:
    """Where the account stands: data of `hello` and `reset`."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return _json({"epoch": batch.epoch, "seq": batch.seq, "now": now})
