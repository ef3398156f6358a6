"""Gzip and zip as streams: whatever the size of what is packed, only a chunk of it is in memory.

Chunks are packed in a thread: some 100 KiB take milliseconds, for which boards must not wait.
"""

from __future__ import annotations

import asyncio
import zipfile
import zlib
from collections.abc import AsyncIterator

GZIP = 31  # window of 32 KiB with a gzip header
BLOCK = 32 * 1024
"""Bytes that are sent at once."""


async def gzipped(texts: AsyncIterator[str]) -> AsyncIterator[bytes]:
    """The texts, as ASCII, in one gzip stream."""
    packer = zlib.compressobj(6, zlib.DEFLATED, GZIP)
    ready = bytearray()
    async for text in texts:
        ready += await asyncio.to_thread(packer.compress, text.encode("ascii"))
        if len(ready) >= BLOCK:
            yield bytes(ready)
            ready.clear()
    yield bytes(ready) + packer.flush()


async def zipped(entries: AsyncIterator[tuple[str, AsyncIterator[bytes]]]) -> AsyncIterator[bytes]:
    """A zip archive of entries (name, content), each read to its end before the next."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        async for name, content in entries:
            with archive.open(name, "w") as entry:
                async for data in content:
                    await asyncio.to_thread(entry.write, data)
                    if len(sink.written) >= BLOCK:
                        yield sink.take()
    yield sink.take()


class _Sink:
    """Where a zip archive is written to that nobody can go back in."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: bytes) -> int:
        self.written += data
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def take(self) -> bytes:
        taken = bytes(self.written)
        self.written.clear()
        return taken
