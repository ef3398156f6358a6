"""Processes killed hard, again and again at random moments, while values are written over HTTP.

Whatever was answered with 200 must be there after each kill. `VPIN_KILLS` sets how often each process is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

WRITERS = 4
PATIENCE = 20.0  # seconds for a killed process to be back
PAUSE = 0.02  # seconds before a client tries again
LATEST = 0.06  # seconds from an answer to the kill, at most


def kills(default: int) -> int:
    """How often to kill a process."""
    return int(os.environ.get("VPIN_KILLS", default))


class Writer:
    """Writes running numbers to a pin, one after the other, whatever happens to the server."""

    def __init__(self, address: str, token: str, pin: int) -> None:
        self.host, _, port = address.partition(":")
        self.port = int(port)
        self.path = f"/{token}/%s/V{pin}"
        self.value = 0
        self.acknowledged = 0  # the last number that was answered with 200
        self.answered = asyncio.Event()

    async def run(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(self.host, self.port)
                try:
                    while True:
                        self.value += 1
                        writer.write(request(self.path % "update" + f"?value={self.value}"))
                        status, _ = await answer(reader)
                        if status == 200:
                            self.acknowledged = self.value
                            self.answered.set()
                finally:
                    writer.close()
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(PAUSE)

    async def read(self) -> int:
        """The number that the server has, as soon as it says it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                reader, writer = await asyncio.open_connection(self.host, self.port)
                try:
                    writer.write(request(self.path % "get"))
                    status, body = await answer(reader)
                finally:
                    writer.close()
                if status == 200:
                    return int(json.loads(body)[0])
            except (OSError, asyncio.IncompleteReadError):
                pass
            assert time.monotonic() < deadline, "the server does not come back"
            await asyncio.sleep(PAUSE)


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of an answer with a content-length."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return int(head[9:12]), await reader.readexactly(length)


class Writers:
    """Several at work; use it as a context."""

    def __init__(self, address: str, token: str) -> None:
        self.writers = [Writer(address, token, pin) for pin in range(WRITERS)]

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(writer.run()) for writer in self.writers]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def survive(self, kill: Callable[[], None], start: Callable[[], None], times: int) -> None:
        """Kill and start, so often: each time while all write, at a random moment; nothing acknowledged may be lost."""
        for number in range(times):
            for writer in self.writers:
                writer.answered.clear()
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(writer.answered.wait() for writer in self.writers))
            await asyncio.sleep(random.uniform(0, LATEST))
            await asyncio.to_thread(kill)
            await asyncio.sleep(0)  # answers that have come are read
            acknowledged = [writer.acknowledged for writer in self.writers]
            await asyncio.to_thread(start)
            for writer, least in zip(self.writers, acknowledged, strict=True):
                found = await writer.read()
                assert found >= least, f"kill {number}: {least} was acknowledged, {found} is there"
