"""``vpin bench``: the load generator on the command line. Ends with 1 when a run found a fault, 2 when it failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from vpin.bench.client import PROXY_HEADER, BenchError, Target
from vpin.bench.connections import connections
from vpin.bench.history import history
from vpin.bench.large import Size, large
from vpin.bench.latency import latency
from vpin.bench.measurement import Measurement, show, write_json
from vpin.bench.processes import Watch
from vpin.bench.stream import Direction
from vpin.bench.throughput import throughput
from vpin.bench.web import CLIENTS, http


def _examples(*lines: str) -> str:
    """The end of a command's help."""
    return "Examples:\n\n" + "\n\n".join(lines)


app = typer.Typer(
    name="bench",
    help="Measure a server that speaks the device protocol. It makes accounts of its own there; "
    "start the server without a message quota (VPIN_MESSAGE_QUOTA=0).",
    no_args_is_help=True,
)

Http = Annotated[str, typer.Option(help="Plain port: boards and HTTP.")]
Tls = Annotated[str, typer.Option(help="TLS port: apps.")]
Hardware = Annotated[str, typer.Option(help="Boards go here instead, e.g. straight to a gateway.")]
Proxy = Annotated[bool, typer.Option("--proxy-protocol", help="--hardware expects an edge in front of it.")]
App = Annotated[str, typer.Option(help="Apps go here instead (TLS).")]
Pid = Annotated[list[str], typer.Option(help="NAME=PID of a server process to watch; repeatable.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the results to this file.")]
Pairs = Annotated[int, typer.Option(min=1, help="Accounts, each with one app and one board.")]
Seconds = Annotated[float, typer.Option(min=0.1, help="Length of a run.")]
Way = Annotated[Direction, typer.Option(help="Who sends.")]
FramesPerWrite = Annotated[int, typer.Option(min=1, max=4096, help="Frames in one write.")]
InFlight = Annotated[int, typer.Option(min=0, help="Frames of a pair on their way; 1: one at a time, 0: 64 KiB full.")]
Rate = Annotated[float, typer.Option(min=0.1, help="Frames a second of each pair.")]
Clients = Annotated[int, typer.Option(min=1, help="Keep-alive clients, each with an account of its own.")]
Idle = Annotated[int, typer.Option(min=0, help="Board connections to open and keep; 0: leave that run out.")]
Connections = Annotated[int, typer.Option("--idle", min=2, help="Board connections to open and keep.")]
AtATime = Annotated[int, typer.Option(min=1, help="Log-ins under way at a time.")]

HTTP, TLS = "127.0.0.1:8080", "127.0.0.1:9443"


@app.command(
    "throughput",
    epilog=_examples(
        "vpin bench throughput",
        "vpin bench throughput --direction app-device --pid server=1234",
        "vpin bench throughput --pairs 100 --in-flight 1",
    ),
)
def run_throughput(
    http: Http = HTTP,
    tls: Tls = TLS,
    hardware: Hardware = "",
    proxy_protocol: Proxy = False,
    app: App = "",
    direction: Way = Direction.DEVICE_APP,
    pairs: Pairs = 20,
    frames_per_write: FramesPerWrite = 32,
    in_flight: InFlight = 0,
    seconds: Seconds = 5.0,
    pid: Pid = [],  # noqa: B006  typer makes a new list for each call
    json: Json = None,
) -> None:
    """Frames a second; every frame must arrive, in order, and the last value must be stored."""

    async def run(target: Target, watch: Watch) -> list[Measurement]:
        return [await throughput(target, watch, direction, pairs, frames_per_write, in_flight, seconds)]

    _run(run, _target(http, tls, hardware, app, proxy_protocol), pid, json)


@app.command("latency", epilog=_examples("vpin bench latency --rate 20 --json latency.json"))
def run_latency(
    http: Http = HTTP,
    tls: Tls = TLS,
    hardware: Hardware = "",
    proxy_protocol: Proxy = False,
    app: App = "",
    direction: Way = Direction.DEVICE_APP,
    pairs: Pairs = 20,
    rate: Rate = 20.0,
    seconds: Seconds = 5.0,
    pid: Pid = [],  # noqa: B006
    json: Json = None,
) -> None:
    """Time from a write on one side to the read on the other, at a fixed rate."""

    async def run(target: Target, watch: Watch) -> list[Measurement]:
        return [await latency(target, watch, direction, pairs, rate, seconds)]

    _run(run, _target(http, tls, hardware, app, proxy_protocol), pid, json)


@app.command("connections", epilog=_examples("vpin bench connections --idle 10000 --pid server=1234"))
def run_connections(
    http: Http = HTTP,
    tls: Tls = TLS,
    hardware: Hardware = "",
    proxy_protocol: Proxy = False,
    app: App = "",
    idle: Connections = 10_000,
    at_a_time: AtATime = 100,
    pid: Pid = [],  # noqa: B006
    json: Json = None,
) -> None:
    """Log-ins of boards a second, and memory of a watched process for each idle connection."""

    async def run(target: Target, watch: Watch) -> list[Measurement]:
        return [await connections(target, watch, idle, at_a_time)]

    _run(run, _target(http, tls, hardware, app, proxy_protocol), pid, json)


@app.command("http", epilog=_examples("vpin bench http --http 192.0.2.1:8080 --tls 192.0.2.1:9443"))
def run_http(
    http: Http = HTTP,
    tls: Tls = TLS,
    app: App = "",
    clients: Clients = CLIENTS,
    seconds: Seconds = 5.0,
    pid: Pid = [],  # noqa: B006
    json: Json = None,
) -> None:
    """Reads and writes of pins over HTTP, each client on one connection."""

    async def run(target: Target, watch: Watch) -> list[Measurement]:
        return await _http(target, watch, clients, seconds)

    _run(run, _target(http, tls, "", app), pid, json)


@app.command(
    "accounts",
    epilog=_examples(
        "vpin bench accounts --pid state=1234",
        "vpin bench accounts --kept accounts.json    (then restart the server, and the same again: cold)",
    ),
)
def run_accounts(
    http: Http = HTTP,
    tls: Tls = TLS,
    app: App = "",
    kept: Annotated[Path | None, typer.Option(help="Keep the accounts in this file; open those that it has.")] = None,
    accounts: Annotated[int, typer.Option(min=1, help="Accounts to make.")] = 100,
    dashboards: Annotated[int, typer.Option(min=1, help="Of each account.")] = 20,
    widgets: Annotated[int, typer.Option(min=0, help="Of each dashboard.")] = 50,
    devices: Annotated[int, typer.Option(min=0, help="Of each dashboard.")] = 10,
    values: Annotated[int, typer.Option(min=0, max=100, help="Pins with a value of each device.")] = 10,
    at_a_time: Annotated[int, typer.Option(min=1, help="Openings under way in the last run.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="How often each account is opened again.")] = 3,
    pid: Pid = [],  # noqa: B006
    json: Json = None,
) -> None:
    """Open large accounts (log-in and profile); memory of a watched process that holds all of them.

    Start the server with VPIN_INITIAL_ENERGY=1000000000: so many widgets are dear.
    """
    size = Size(dashboards, widgets, devices, values)

    async def run(target: Target, watch: Watch) -> list[Measurement]:
        return await large(target, watch, kept, accounts, size, at_a_time, rounds)

    _run(run, _target(http, tls, "", app), pid, json)


@app.command(
    "history",
    epilog=_examples(
        "vpin bench history --database postgresql://vpin:vpin@127.0.0.1/vpin --rate 50000 --pid state=1234"
    ),
)
def run_history(
    database: Annotated[str, typer.Option(help="Database of the server: whether all points are there is looked up.")],
    http: Http = HTTP,
    tls: Tls = TLS,
    hardware: Hardware = "",
    proxy_protocol: Proxy = False,
    app: App = "",
    accounts: Annotated[int, typer.Option(min=1, help="Accounts to make.")] = 20,
    boards: Annotated[int, typer.Option(min=1, max=50, help="Boards of each.")] = 5,
    pins: Annotated[int, typer.Option(min=1, max=32, help="Pins of each board, all with history.")] = 10,
    rate: Annotated[int, typer.Option(min=1, help="Points a second of all boards together.")] = 50_000,
    seconds: Seconds = 60.0,
    pid: Pid = [],  # noqa: B006
    json: Json = None,
) -> None:
    """Points into the history; every point must arrive there, and the queue must not grow."""

    async def run(target: Target, watch: Watch) -> list[Measurement]:
        return [await history(target, watch, database, accounts, boards, pins, rate, seconds)]

    _run(run, _target(http, tls, hardware, app, proxy_protocol), pid, json)


@app.command("all", epilog=_examples("vpin bench all --pid server=1234 --json bench.json"))
def run_all(
    http: Http = HTTP,
    tls: Tls = TLS,
    hardware: Hardware = "",
    proxy_protocol: Proxy = False,
    app: App = "",
    pairs: Pairs = 20,
    seconds: Seconds = 5.0,
    idle: Idle = 10_000,
    pid: Pid = [],  # noqa: B006
    json: Json = None,
) -> None:
    """Everything, one run after the other; `one at a time` with five times as many pairs."""

    async def run(target: Target, watch: Watch) -> list[Measurement]:
        return [
            # first, while the server's memory has no holes to fill
            *([await connections(target, watch, idle)] if idle > 1 else []),
            await throughput(target, watch, Direction.DEVICE_APP, pairs, seconds=seconds),
            await throughput(target, watch, Direction.APP_DEVICE, pairs, seconds=seconds),
            await throughput(target, watch, Direction.DEVICE_APP, 5 * pairs, in_flight=1, seconds=seconds),
            await throughput(target, watch, Direction.APP_DEVICE, 5 * pairs, in_flight=1, seconds=seconds),
            await latency(target, watch, Direction.DEVICE_APP, pairs, seconds=seconds),
            await latency(target, watch, Direction.APP_DEVICE, pairs, seconds=seconds),
            *await _http(target, watch, CLIENTS, seconds),
        ]

    _run(run, _target(http, tls, hardware, app, proxy_protocol), pid, json)


_http = http  # commands have an option of that name


def _run(
    run: Callable[[Target, Watch], Awaitable[list[Measurement]]], target: Target, pids: list[str], json: Path | None
) -> None:
    try:
        watch = Watch.parse(pids)

        async def main() -> list[Measurement]:
            return await run(target, watch)

        measurements = uvloop.run(main())
    except BenchError as error:
        Console(stderr=True).print(f"vpin bench: {error}", highlight=False)
        raise typer.Exit(2) from None
    show(measurements)
    if json is not None:
        write_json(json, measurements)
    if any(m.faults for m in measurements):
        raise typer.Exit(1)


def _target(http: str, tls: str, hardware: str, app: str, proxy_protocol: bool = False) -> Target:
    preface = PROXY_HEADER if proxy_protocol else b""
    return Target(_address(http), _address(app or tls), _address(hardware or http), preface)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal():
        raise typer.BadParameter(f"{text!r}: give host:port")
    return host.strip("[]") or "127.0.0.1", int(port)
