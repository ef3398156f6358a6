"""Outlets of one connection take turns, and a confirm that does not come holds the others up for a moment only."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from vpin_bus import Queue
from vpin_bus.amqp.outlet import AmqpOutlet
from vpin_bus.amqp.publishing import AT_ONCE, STALL, Publisher
from vpin_bus.outlet import Turn

pytestmark = pytest.mark.anyio


class Wire:
    """Counts what is written."""

    frame_max = 131_072

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


def connection(outlets: int) -> tuple[Any, Wire, list[AmqpOutlet]]:
    """(channel, wire, connected outlets)."""
    wire = Wire()
    channel: Any = SimpleNamespace(wire=wire, number=1)
    publisher = Publisher(channel)
    turn = Turn(asyncio.get_running_loop())

    def nothing(outlet: AmqpOutlet) -> None: ...

    def outlet(name: str) -> AmqpOutlet:
        calls = {"on_absent": nothing, "on_tail": nothing, "on_close": nothing}
        return AmqpOutlet(Queue(name, single_active=True), turn, lambda n: b"", 1 << 20, 1 << 10, None, **calls)

    made = [outlet(f"q{i}") for i in range(outlets)]
    for one in made:
        one.connected(publisher)
    return channel, wire, made


async def test_who_stands_in_line_publishes_all_it_got_when_its_turn_comes() -> None:
    channel, wire, (*first, last) = connection(AT_ONCE + 1)
    for outlet in first:
        outlet.add(b"a")
    last.add(b"b")
    await asyncio.sleep(0)
    assert len(wire.written) == AT_ONCE
    last.add(b"c")
    await asyncio.sleep(0)
    assert len(wire.written) == AT_ONCE
    channel.on_confirm(1, False, True)
    assert len(wire.written) == AT_ONCE + 1
    assert b"bc" in wire.written[-1]


async def test_a_confirm_that_does_not_come_stops_nobody_else() -> None:
    _, wire, outlets = connection(AT_ONCE + 2)
    for outlet in outlets:
        outlet.add(b"x")
    await asyncio.sleep(0)
    assert len(wire.written) == AT_ONCE
    async with asyncio.timeout(20 * STALL):
        while len(wire.written) < AT_ONCE + 2:  # noqa: ASYNC110  nobody tells when something is written
            await asyncio.sleep(STALL / 5)


async def test_a_closed_outlet_gives_its_turn_away() -> None:
    channel, wire, outlets = connection(AT_ONCE + 2)
    for outlet in outlets:
        outlet.add(b"x")
    await asyncio.sleep(0)
    outlets[AT_ONCE].close()
    channel.on_confirm(1, False, True)
    assert len(wire.written) == AT_ONCE + 1
