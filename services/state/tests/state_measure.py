"""Processor time of the hot walk, from slab to outlets, without bus and database: python services/state/tests/state_measure.py

Compare runs with each other on one machine: the best of some rounds, in nanoseconds a frame.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any, cast

import structlog
from state_world import Outlet
from state_world import World as Home
from vpin_bus import Bus, Delivery, Queue
from vpin_messages import slab
from vpin_messages.slab import Side, Up, up_entry
from vpin_protocol import Command, app_frame, hardware_frame
from vpin_state import registry
from vpin_state.config import Config
from vpin_state.owner import Owner
from vpin_store import Store

ROUNDS = 15
FRAMES = 20_000
SENDER = b"g" * 16


class Swallow:
    """A bus whose outlets swallow what they are given; `deliver` is the consumer's callback."""

    deliver: Callable[[Delivery], None]

    async def consume(self, _queue: Queue, on_delivery: Callable[[Delivery], None], **_options: Any) -> None:
        self.deliver = on_delivery

    def outlet(self, *_: Any, **__: Any) -> Outlet:
        return Outlet()


async def shard_with(home: Home) -> Callable[[Delivery], None]:
    """The way into an active shard whose one account is the home's, its app (session 1) and board (2) logged in."""
    bus = Swallow()
    owner = Owner(cast(Bus, bus), cast(Store, None), Config(), [0], 1, 20)
    owner.accounts[home.account.id] = home.account
    home.account.on_dirty = owner.memory.dirty
    shard = owner.shards[0]
    shard.active = True
    shard.gateway(SENDER).sessions.update({1: home.app, 2: home.board})
    home.app.instance = home.board.instance = shard.gateway(SENDER)
    await shard.start()
    return bus.deliver


def slabs(home: Home, board: bool, frames: list[bytes], entry: int, size: int) -> list[bytes]:
    """Bodies of slabs of `size` entries of `entry` frames each."""
    session, side = (home.board.id, Side.HARDWARE) if board else (home.app.id, Side.APP)
    found: list[bytes] = []
    per_slab = entry * size
    for number, at in enumerate(range(0, len(frames), per_slab), 1):
        entries = [
            up_entry(Up.FRAMES, session, b"".join(frames[i : i + entry]), side=side, account=home.account.id, dash=1)
            for i in range(at, min(at + per_slab, len(frames)), entry)
        ]
        found.append(slab.head(SENDER, number) + b"".join(entries))
    return found


async def measure(name: str, make: Callable[[int], bytes], entry: int, size: int, *, board: bool = True) -> None:
    """Print the time of one frame in slabs of `size` entries of `entry` frames. V2 has history."""
    home, best = Home(), float("inf")
    home.dash.add_widget({"id": 1, "type": "GAUGE", "deviceId": 0, "pinType": "VIRTUAL", "pin": 1})
    recorded = {"targetId": 0, "pin": {"pinType": "VIRTUAL", "pin": 2}}
    home.dash.add_widget({"id": 2, "type": "ENHANCED_GRAPH", "selectedPeriods": ["DAY"], "dataStreams": [recorded]})
    frames = [make(i) for i in range(FRAMES)]
    for _ in range(ROUNDS):
        deliver = await shard_with(home)
        home.account.dirty.pins.clear()
        home.account.dirty.points.clear()
        deliveries = [Delivery(body, tag, False) for tag, body in enumerate(slabs(home, board, frames, entry, size), 1)]
        began = time.process_time_ns()
        for delivery in deliveries:
            deliver(delivery)
        best = min(best, (time.process_time_ns() - began) / FRAMES)
    sys.stdout.write(f"{name:<34} {entry:>3} to an entry, {size:>3} to a slab: {best:7.0f} ns a frame\n")


def board_writes(number: int) -> bytes:
    return hardware_frame(Command.HARDWARE, number, b"vw\0001\x0023.4")


def recorded_writes(number: int) -> bytes:
    return hardware_frame(Command.HARDWARE, number, b"vw\0002\x0023.4")


def app_writes(number: int) -> bytes:
    return app_frame(Command.HARDWARE, number, b"1-0\0vw\0001\x0023.4")


async def main() -> None:
    registry.load()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    for entry, size in ((1, 1), (1, 100), (20, 10)):
        await measure("board writes, an app hears", board_writes, entry, size)
        await measure("board writes with history", recorded_writes, entry, size)
        await measure("board pings", lambda i: hardware_frame(Command.PING, i), entry, size)
        await measure("app writes, a board hears", app_writes, entry, size, board=False)


if __name__ == "__main__":
    asyncio.run(main())
