"""``vpin bench``: the load generator on the command line. Ends with 1 when a run found a fault, 2 when it failed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vpin.bench.client import Target
from vpin.bench.connections import connections
from vpin.bench.history import history
from vpin.bench.large import Size, large
from vpin.bench.latency import latency
from vpin.bench.measurement import Measurement
from vpin.bench.modes import mode
from vpin.bench.processes import Watch
from vpin.bench.stream import Direction
from vpin.bench.throughput import throughput
from vpin.bench.web import CLIENTS, http
from vpin.command_line import examples

app = typer.Typer(
    name="bench",
    help="Measure a server that speaks the device protocol. It makes accounts of its own there; "
    "start the server without a message quota (VPIN_MESSAGE_QUOTA=0).",
    epilog=examples("vpin bench throughput", "vpin bench all --pid server=1234 --json results.json"),
    no_args_is_help=True,
)

Pairs = Annotated[int, typer.Option(min=1, help="Accounts, each with one app and one board.")]
Seconds = Annotated[float, typer.Option(min=0.1, help="Length of a run.")]
Way = Annotated[Direction, typer.Option(help="Who sends.")]


@mode(
    app,
    "throughput",
    "vpin bench throughput",
    "vpin bench throughput --direction app-device --pid server=1234",
    "vpin bench throughput --pairs 100 --in-flight 1",
)
async def run_throughput(
    target: Target,
    watch: Watch,
    direction: Way = Direction.DEVICE_APP,
    pairs: Pairs = 20,
    frames_per_write: Annotated[int, typer.Option(min=1, max=4096, help="Frames in one write.")] = 32,
    in_flight: Annotated[
        int, typer.Option(min=0, help="Frames of a pair on their way; 1: one at a time, 0: 64 KiB full.")
    ] = 0,
    seconds: Seconds = 5.0,
) -> list[Measurement]:
    """Frames a second; every frame must arrive, in order, and the last value must be stored."""
    return [await throughput(target, watch, direction, pairs, frames_per_write, in_flight, seconds)]


@mode(app, "latency", "vpin bench latency --rate 20 --json latency.json")
async def run_latency(
    target: Target,
    watch: Watch,
    direction: Way = Direction.DEVICE_APP,
    pairs: Pairs = 20,
    rate: Annotated[float, typer.Option(min=0.1, help="Frames a second of each pair.")] = 20.0,
    seconds: Seconds = 5.0,
) -> list[Measurement]:
    """Time from a write on one side to the read on the other, at a fixed rate."""
    return [await latency(target, watch, direction, pairs, rate, seconds)]


@mode(app, "connections", "vpin bench connections --idle 10000 --pid server=1234")
async def run_connections(
    target: Target,
    watch: Watch,
    idle: Annotated[int, typer.Option(min=2, help="Board connections to open and keep.")] = 10_000,
    at_a_time: Annotated[int, typer.Option(min=1, help="Log-ins under way at a time.")] = 100,
) -> list[Measurement]:
    """Log-ins of boards a second, and memory of a watched process for each idle connection."""
    return [await connections(target, watch, idle, at_a_time)]


@mode(app, "http", "vpin bench http --http 192.0.2.1:8080 --tls 192.0.2.1:9443", boards=False)
async def run_http(
    target: Target,
    watch: Watch,
    clients: Annotated[int, typer.Option(min=1, help="Keep-alive clients, each with an account of its own.")] = CLIENTS,
    seconds: Seconds = 5.0,
) -> list[Measurement]:
    """Reads and writes of pins over HTTP, each client on one connection."""
    return await http(target, watch, clients, seconds)


@mode(
    app,
    "accounts",
    "vpin bench accounts --pid state=1234",
    "vpin bench accounts --kept accounts.json    (then restart the server, and the same again: cold)",
    boards=False,
)
async def run_accounts(
    target: Target,
    watch: Watch,
    kept: Annotated[Path | None, typer.Option(help="Keep the accounts in this file; open those that it has.")] = None,
    accounts: Annotated[int, typer.Option(min=1, help="Accounts to make.")] = 100,
    dashboards: Annotated[int, typer.Option(min=1, help="Of each account.")] = 20,
    widgets: Annotated[int, typer.Option(min=0, help="Of each dashboard.")] = 50,
    devices: Annotated[int, typer.Option(min=0, help="Of each dashboard.")] = 10,
    values: Annotated[int, typer.Option(min=0, max=100, help="Pins with a value of each device.")] = 10,
    at_a_time: Annotated[int, typer.Option(min=1, help="Openings under way in the last run.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="How often each account is opened again.")] = 3,
) -> list[Measurement]:
    """Open large accounts (log-in and profile); memory of a watched process that holds all of them.

    Start the server with VPIN_INITIAL_ENERGY=1000000000: so many widgets are dear.
    """
    size = Size(dashboards, widgets, devices, values)
    return await large(target, watch, kept, accounts, size, at_a_time, rounds)


@mode(
    app,
    "history",
    "vpin bench history --database postgresql://vpin:vpin@127.0.0.1/vpin --rate 50000 --pid state=1234",
)
async def run_history(
    target: Target,
    watch: Watch,
    database: Annotated[str, typer.Option(help="Database of the server: whether all points are there is looked up.")],
    accounts: Annotated[int, typer.Option(min=1, help="Accounts to make.")] = 20,
    boards: Annotated[int, typer.Option(min=1, max=50, help="Boards of each.")] = 5,
    pins: Annotated[int, typer.Option(min=1, max=32, help="Pins of each board, all with history.")] = 10,
    rate: Annotated[int, typer.Option(min=1, help="Points a second of all boards together.")] = 50_000,
    seconds: Seconds = 60.0,
) -> list[Measurement]:
    """Points into the history; every point must arrive there, and the queue must not grow."""
    return [await history(target, watch, database, accounts, boards, pins, rate, seconds)]


@mode(app, "all", "vpin bench all --pid server=1234 --json bench.json")
async def run_all(
    target: Target,
    watch: Watch,
    pairs: Pairs = 20,
    seconds: Seconds = 5.0,
    idle: Annotated[
        int, typer.Option(min=0, help="Board connections to open and keep; 0: leave that run out.")
    ] = 10_000,
) -> list[Measurement]:
    """Everything, one run after the other; `one at a time` with five times as many pairs."""
    return [
        # first, while the server's memory has no holes to fill
        *([await connections(target, watch, idle)] if idle > 1 else []),
        await throughput(target, watch, Direction.DEVICE_APP, pairs, seconds=seconds),
        await throughput(target, watch, Direction.APP_DEVICE, pairs, seconds=seconds),
        await throughput(target, watch, Direction.DEVICE_APP, 5 * pairs, in_flight=1, seconds=seconds),
        await throughput(target, watch, Direction.APP_DEVICE, 5 * pairs, in_flight=1, seconds=seconds),
        await latency(target, watch, Direction.DEVICE_APP, pairs, seconds=seconds),
        await latency(target, watch, Direction.APP_DEVICE, pairs, seconds=seconds),
        *await http(target, watch, CLIENTS, seconds),
    ]
