"""History: boards write pins of graphs at a steady rate; does the server keep up, and is every point in its database?"""

from __future__ import annotations

import asyncio
import json
import time
from itertools import cycle
from statistics import median

from vpin_protocol import Command, Status, hardware_frame, join
from vpin_store import Store, open_store
from vpin_store.history import Step

from vpin.bench.accounts import APP_NAME, DASH, Account, close_accounts, make_accounts
from vpin.bench.client import BenchError, Link, Target, close, connect_device
from vpin.bench.measurement import Measurement, Meter
from vpin.bench.processes import Watch

BURST_SECONDS = 0.01
BURST_FRAMES = 16
"""Frames of one write of a board."""
FENCE_SECONDS = 0.5
ROLL_UP_SECONDS = 90.0
"""Once a minute the server rolls up."""
GROWN = 2.0
"""Seconds by which commits may be later at the end of the run than at its beginning."""


async def history(
    target: Target, watch: Watch, database: str, accounts: int, boards: int, pins: int, rate: int, seconds: float
) -> Measurement:
    """`rate`: points a second of all boards together. `database`: where the server has its history."""
    made = await make_accounts(target, accounts, boards)
    links: list[Link] = []
    try:
        for account in made:
            await _draw(account, pins)
            links += [await connect_device(target, token) for token in account.tokens]
        async with open_store(database) as store:
            return await _run(made, links, watch, store, pins, rate, seconds)
    finally:
        await close(links)
        await close_accounts(made)


async def _draw(account: Account, pins: int) -> None:
    """A graph of all pins for each board: so they have history."""
    for number, device in enumerate(account.devices):
        streams = [{"targetId": device, "pin": {"pinType": "VIRTUAL", "pin": pin}} for pin in range(pins)]
        graph = {"type": "ENHANCED_GRAPH", "id": 100 + number, "x": 0, "y": 0, "width": 8, "height": 3}
        graph |= {"selectedPeriods": ["DAY"], "dataStreams": streams}
        await account.app.ok(Command.CREATE_WIDGET, DASH, json.dumps(graph))


async def _run(
    accounts: list[Account], links: list[Link], watch: Watch, store: Store, pins: int, rate: int, seconds: float
) -> Measurement:
    waits: list[float] = []
    fencing = asyncio.create_task(_fence(accounts[0].app, waits))
    meter = Meter(watch)
    sent, behind = await _send(links, pins, rate, seconds)
    took, cpu, resident = meter.stop(sent)
    fencing.cancel()
    await asyncio.gather(fencing, return_exceptions=True)
    started = time.perf_counter()
    await _commit(accounts[0].app)
    last = time.perf_counter() - started
    faults = [str(link.lost) for link in links if link.lost]  # by now: later they are silent for too long
    stored = await _stored(store, accounts, sent)
    third = max(len(waits) // 3, 1)
    first = median(waits[:third] or [0.0])
    if last > first + GROWN:
        faults.append(f"the queue grows: a commit took {first:.2f} s at the beginning, {last:.2f} s at the end")
    if stored != sent:
        faults.append(f"{sent} points were sent, {stored} are in the database")
    figures = {
        "points/s": sent / took,
        "points": sent,
        "in the database": stored,
        "commit p50 at first, ms": first * 1000,
        "commit p50 at last, ms": median(waits[-third:] or [0.0]) * 1000,
        "commit behind the last point, ms": last * 1000,
        "unsent at most, KiB": behind / 1024,
    }
    name = f"history, {len(links)} boards, {len(links) * pins} pins, {rate:,} points/s wanted"
    return Measurement(name, figures, "point", cpu, resident, faults)


async def _send(links: list[Link], pins: int, rate: int, seconds: float) -> tuple[int, int]:
    """(points sent, bytes that the server had not taken at the worst moment)."""
    frames = [
        hardware_frame(Command.HARDWARE, 1, join("vw", n % pins, f"{n % 997}.5")) for n in range(BURST_FRAMES * 64)
    ]
    blocks = cycle(b"".join(frames[at : at + BURST_FRAMES]) for at in range(0, len(frames), BURST_FRAMES))
    boards = cycle(links)
    sent = behind = 0
    started = time.perf_counter()
    while (gone := time.perf_counter() - started) < seconds:
        while sent < gone * rate:
            board = next(boards)
            board.transport.write(next(blocks))
            behind = max(behind, board.transport.get_write_buffer_size())
            sent += BURST_FRAMES
        await asyncio.sleep(BURST_SECONDS)
    for board in links:
        await board.ok(Command.PING)
    return sent, behind


async def _fence(app: Link, waits: list[float]) -> None:
    """How long a change takes that is answered once it is committed, again and again."""
    while True:
        started = time.perf_counter()
        await _commit(app)
        waits.append(time.perf_counter() - started)
        await asyncio.sleep(FENCE_SECONDS)


async def _commit(app: Link) -> None:
    await app.ok(Command.ACTIVATE, DASH, accept=(Status.OK, Status.DEVICE_NOT_IN_NETWORK))


async def _stored(store: Store, accounts: list[Account], wanted: int) -> int:
    """Points in the days of the accounts' pins, once all `wanted` are there or a roll-up must have been."""
    ids = [found.id for account in accounts if (found := await store.find_account(account.email, APP_NAME))]
    if len(ids) < len(accounts):
        raise BenchError("this is not the database of the server: it does not know the accounts")
    until = time.monotonic() + ROLL_UP_SECONDS
    while True:
        stored = 0
        for account in ids:
            for pin in await store.history.streams([account]):
                stored += sum(day.count for day in await store.history.rollups(pin, Step.DAY, 0, 1 << 60, 10))
        if stored >= wanted or time.monotonic() > until:
            return stored
        await asyncio.sleep(1)
