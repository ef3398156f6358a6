"""Five services, and one of them, the broker or the database is taken away (issue: faults it must survive)."""

from __future__ import annotations

import asyncio
import contextlib
import time

import psutil
import pytest
from faults.clients import DASH, App, Board
from infra.suite import Suite
from infra.vpin import readiness
from vpin_protocol import Command, Status, join

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

PINS = 4
ACCOUNTS, BOARDS, WRITES = 10, 5, 2000  # 100,000 writes of 50 boards


@pytest.fixture
async def homes(suite: Suite) -> list[tuple[App, list[Board]]]:
    """Accounts with an app and their boards."""
    found: list[tuple[App, list[Board]]] = []
    for _ in range(ACCOUNTS):
        app = await App.connect(suite.tls)
        found.append((app, [await Board.connect(suite.http, token) for token in await app.project(BOARDS)]))
    return found


@pytest.fixture
async def home(suite: Suite) -> tuple[App, Board, str]:
    """An app, its board, and the board's token."""
    app = await App.connect(suite.tls)
    (token,) = await app.project(1)
    return app, await Board.connect(suite.http, token), token


async def write_all(boards: list[Board], started: asyncio.Event) -> None:
    """Every board writes its values, ten at a time; sets `started` when a third is out."""
    for k in range(0, WRITES, 10):
        for board in boards:
            board.writer.write(b"".join(board.frame((k + i) % PINS, k + i) for i in range(10)))
        await asyncio.gather(*(board.writer.drain() for board in boards))
        if k > WRITES // 3:
            started.set()
        await asyncio.sleep(0)


async def test_state_killed_in_a_stream_of_writes(suite: Suite, homes: list[tuple[App, list[Board]]]) -> None:
    boards = [board for _, found in homes for board in found]
    started = asyncio.Event()
    writing = asyncio.create_task(write_all(boards, started))
    await started.wait()
    await asyncio.to_thread(suite.processes["state"].kill)
    await asyncio.to_thread(suite.start_services)
    await writing
    await asyncio.gather(*(board.fence() for board in boards))
    last = {pin: str(max(k for k in range(WRITES) if k % PINS == pin)).encode() for pin in range(PINS)}
    for app, found in homes:
        for device in range(len(found)):
            assert await app.stored(device) == last
    assert not any(board.gone for board in boards)
    app, found = homes[0]
    app.send(Command.HARDWARE, f"{DASH}-0", "vw", 9, "goes on")
    await found[0].wait(lambda: any(f.body == join("vw", 9, "goes on") for f in found[0].frames))


async def test_a_gateway_killed(suite: Suite, home: tuple[App, Board, str]) -> None:
    app, board, token = home
    began = time.monotonic()
    for name in ("gateway-hw-0", "gateway-hw-1"):  # whichever has the board
        process = suite.processes[name]
        await asyncio.to_thread(process.kill)
        with contextlib.suppress(TimeoutError):
            await board.wait(lambda: board.gone, 0.5)
        if board.gone:
            break
        await asyncio.to_thread(suite.start_services)
        began = time.monotonic()
    assert board.gone
    await app.wait(lambda: any(f.command == Command.DEVICE_OFFLINE for f in app.frames), 10)
    assert time.monotonic() - began < 10
    again = await Board.connect(suite.http, token)  # by the other gateway
    app.send(Command.HARDWARE, f"{DASH}-0", "vw", 1, "steered")
    await again.wait(lambda: any(f.body == join("vw", 1, "steered") for f in again.frames))
    await asyncio.to_thread(suite.start_services)


async def test_broker_restarted(suite: Suite, home: tuple[App, Board, str]) -> None:
    app, board, _ = home
    gateways = [psutil.Process(suite.processes[n].pid) for n in ("gateway-hw-0", "gateway-hw-1")]
    before = max(gateway.memory_info().rss for gateway in gateways)
    stop = asyncio.Event()
    sent = 0

    async def write_on() -> None:
        """As fast as the gateway reads."""
        nonlocal sent
        while not stop.is_set():
            board.writer.write(b"".join(board.frame(2, sent + i) for i in range(100)))
            sent += 100
            await board.writer.drain()
            await asyncio.sleep(0)

    writing = asyncio.create_task(write_on())
    await app.wait(lambda: len(app.values(0, 2)) > 2000)
    await asyncio.to_thread(suite.rabbitmq.stop)
    await asyncio.sleep(3)  # the outage: long enough to fill every buffer on the way
    assert max(gateway.memory_info().rss for gateway in gateways) < before + 64 * 1024 * 1024
    stalled = sent
    await asyncio.sleep(1)
    assert sent == stalled  # the gateway reads no more
    await asyncio.to_thread(suite.rabbitmq.start)
    stop.set()
    await writing
    await board.fence(60)
    await app.wait(lambda: len(app.values(0, 2)) >= sent, 60)
    assert app.values(0, 2) == [str(i).encode() for i in range(sent)]
    assert not board.gone
    assert not app.gone


async def test_database_away(suite: Suite, home: tuple[App, Board, str]) -> None:
    app, board, _ = home
    await asyncio.to_thread(suite.postgres.stop)
    change = app.send(Command.UPDATE_SETTINGS, DASH, '{"name":"made while the database was away"}')
    written = 0
    began = time.monotonic()
    while time.monotonic() - began < 20:
        board.writer.write(board.frame(3, written))
        written += 1
        await board.fence(5)
    assert not readiness(suite.ops["state"])["database"]
    assert not [f for f in app.frames if f.message_id == change]
    await asyncio.to_thread(suite.postgres.start)
    assert (await app.answer(change)).status == Status.OK
    await app.wait(lambda: len(app.values(0, 3)) == written)
    assert not board.gone
    await asyncio.to_thread(suite.processes["state"].kill)
    await asyncio.to_thread(suite.start_services)
    assert (await app.stored(0))[3] == str(written - 1).encode()
