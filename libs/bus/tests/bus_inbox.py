"""What the tests of the bus share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from vpin_bus import Consumer, Delivery

PATIENCE = 15.0


@dataclass
class Inbox:
    """A callback that keeps what comes, and can be awaited."""

    deliveries: list[Delivery] = field(default_factory=list)
    consumer: Consumer | None = None
    resets: int = 0
    ack: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        self._changed.set()
        if self.ack and self.consumer is not None:
            self.consumer.ack(delivery.tag)

    def reset(self) -> None:
        self.resets += 1
        self._changed.set()

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.body for delivery in self.deliveries]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def count(self, number: int) -> list[bytes]:
        await self.until(lambda: len(self.deliveries) >= number)
        return self.bodies


async def eventually(condition: Callable[[], bool]) -> None:
    """For what has no callback: polls."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.01)


def no_head(number: int) -> bytes:
    return b""
