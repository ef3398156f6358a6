"""What `make bench` runs: the load generator on the embedded run and on the five processes behind RabbitMQ.

Each round starts the system anew with an empty data folder, waits until it is ready, and runs `vpin bench all`. The
table has the median of the rounds beside what the project wants to reach; all that was measured is in bench-results/.
"""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import psutil
import typer
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from infra.suite import Suite  # noqa: E402  found by the line above
from infra.vpin import EmbeddedRun, clean_environment  # noqa: E402

VPIN = Path(sys.executable).with_name("vpin")
SERVICES = ("gateway-hw", "gateway-app", "state", "notify", "api")
RESULTS = ROOT / "bench-results"


class System(StrEnum):
    EMBEDDED = "embedded"
    SUITE = "suite"


@dataclass
class Round:
    """What one round, or the median of some, found out. Names of figures are `run: figure`."""

    figures: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, dict[str, float]] = field(default_factory=dict)  # microseconds by run and process
    faults: list[str] = field(default_factory=list)


class Goal(NamedTuple):
    """A figure that the project wants to reach, on the embedded run and on the suite."""

    figure: str
    at_least: bool
    embedded: float
    suite: float


GOALS = [
    Goal("device-app, 20 pairs, 32 a write: frames/s", True, 300_000, 250_000),
    Goal("device-app, 20 pairs, 32 a write: µs of vpin's processes per frame", False, 3.5, 8),
    Goal("app-device, 20 pairs, 32 a write: frames/s", True, 250_000, 150_000),
    Goal("device-app, 100 pairs, 1 in flight: frames/s", True, 35_000, 15_000),
    Goal("latency device-app, 20 pairs × 20/s: p50 ms", False, 0.3, 3.5),
    Goal("latency device-app, 20 pairs × 20/s: p99 ms", False, 1, 12),
    Goal("10000 boards log in and stay: log-ins/s", True, 4000, 1500),
    Goal("10000 boards log in and stay: KiB each", False, 10, 10),
    Goal("start: seconds until ready", False, 2, 10),
    Goal("start: resident MiB", False, 120, 500),
]


def main(
    only: Annotated[System | None, typer.Option(help="Measure this system alone.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each system; the table has the median.")] = 3,
    seconds: Annotated[float, typer.Option(help="Length of each run.")] = 5.0,
    shards: Annotated[
        int,
        typer.Option(min=1, help="VPIN_SHARDS: one state process needs few; each is a queue with slabs of its own."),
    ] = 4,
) -> None:
    """Measure vpin on this machine, which should have nothing else to do."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # inherited by what is started
    RESULTS.mkdir(exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 150)
    medians: dict[System, Round] = {}
    for system in [only] if only else list(System):
        done = []
        for number in range(1, rounds + 1):
            console.print(f"{system.value}: round {number} of {rounds}")
            done.append(measure(system, number, seconds, shards))
        medians[system] = median(done)
    text = json.dumps({system: asdict(found) for system, found in medians.items()}, indent=2, ensure_ascii=False)
    (RESULTS / "medians.json").write_text(text + "\n")
    console.print(figures_table({system: found.figures for system, found in medians.items()}))
    for system, found in medians.items():
        console.print(cpu_table(system, found.cpu))
        for fault in found.faults:
            console.print(f"FAULT {system.value}, {fault}", style="red", markup=False)
    raise typer.Exit(1 if any(found.faults for found in medians.values()) else 0)


def median(rounds: list[Round]) -> Round:
    """The median of each figure, and the faults of all rounds."""

    def middle(found: list[dict[str, float]]) -> dict[str, float]:
        names = dict.fromkeys(name for figures in found for name in figures)
        return {name: statistics.median(figures[name] for figures in found if name in figures) for name in names}

    runs = dict.fromkeys(run for r in rounds for run in r.cpu)
    return Round(
        middle([r.figures for r in rounds]),
        {run: middle([r.cpu[run] for r in rounds if run in r.cpu]) for run in runs},
        [f"round {number}: {fault}" for number, r in enumerate(rounds, 1) for fault in r.faults],
    )


def measure(system: System, number: int, seconds: float, shards: int) -> Round:
    """One round on a system that is started for it."""
    with running(system, shards) as started:
        found = Round(started.figures)
        run_bench(found, system, number, started, "connections")
        run_bench(found, system, number, started, "all", "--idle", "0", "--seconds", str(seconds))
    return found


def run_bench(found: Round, system: System, number: int, started: Started, mode: str, *options: str) -> None:
    """`vpin bench`, its results added to those of the round."""
    out = RESULTS / f"{system.value}-{number}-{mode}.json"
    watched = [argument for name, pid in started.pids.items() for argument in ("--pid", f"{name}={pid}")]
    command = [str(VPIN), "bench", mode, *started.addresses, *options, "--json", str(out), *watched]
    outcome = subprocess.run(  # noqa: S603  our own program
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if outcome.returncode not in (0, 1):
        found.faults.append(f"{mode}: {outcome.stdout.strip()}")
        return
    for measurement in json.loads(out.read_text()):
        add(found, measurement)


def add(found: Round, measurement: dict[str, Any]) -> None:
    """One run of the generator: its figures, and processor time of the processes and of vpin's together."""
    name, cpu = measurement["name"], measurement["cpu_us"]
    found.faults += [f"{name}: {fault}" for fault in measurement["faults"]]
    for figure, value in measurement["figures"].items():
        if figure.endswith("KiB each"):
            process = figure.removesuffix(" KiB each")
            figure = "KiB each" if process in ("vpin", "gateway-hw") else figure
        found.figures[f"{name}: {figure}"] = value
    own = [value for process, value in cpu.items() if process == "vpin" or process in SERVICES]
    found.figures[f"{name}: µs of vpin's processes per {measurement['per']}"] = sum(own)
    found.cpu[f"{name}, each {measurement['per']}"] = cpu


class Started(NamedTuple):
    """A running system: where it listens, what to watch, how long it took."""

    addresses: list[str]
    pids: dict[str, int]
    figures: dict[str, float]


@contextmanager
def running(system: System, shards: int) -> Iterator[Started]:
    """The system with an empty folder."""
    folder = Path(tempfile.mkdtemp(prefix="vpin-bench-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    environment = clean_environment(
        VPIN_MESSAGE_QUOTA="0", VPIN_REGISTRATIONS_PER_HOUR="1000000", VPIN_LOG_LEVEL="warning", VPIN_SHARDS=str(shards)
    )
    server = EmbeddedRun(folder, environment) if system is System.EMBEDDED else Suite(folder, environment)
    try:
        server.start()
        yield look(server, time.time())
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def look(server: EmbeddedRun | Suite, ready: float) -> Started:
    pids = {name: process.pid for name, process in server.processes.items()}
    services = [psutil.Process(pid) for pid in pids.values()]
    figures = {  # without the start of the broker and the database, which are not ours
        "start: seconds until ready": ready - min(service.create_time() for service in services),
        "start: resident MiB": sum(service.memory_info().rss for service in services) / 2**20,
    }
    addresses = ["--http", server.http, "--tls", server.tls]
    if isinstance(server, Suite):  # boards and apps go straight to the gateways: the edge is not one of the five
        listing = server.describe()
        pids |= {name: part["pid"] for name, part in listing["parts"].items()}
        hardware = listening(pids["gateway-hw"], server.ops["gateway-hw"])
        addresses += ["--hardware", hardware, "--proxy-protocol", "--app", server.app_tls["gateway-app"]]
    return Started(addresses, pids, figures)


def listening(pid: int, ops: str) -> str:
    """Where the process listens besides the address of its metrics."""
    for connection in psutil.Process(pid).net_connections("tcp"):
        address = f"{connection.laddr[0]}:{connection.laddr[1]}"
        if connection.status == psutil.CONN_LISTEN and address != ops:
            return address
    raise RuntimeError(f"process {pid} listens nowhere")


def figures_table(medians: dict[System, dict[str, float]]) -> Table:
    """The goals first, then everything else."""
    result = Table("figure (median)", *(column for system in medians for column in (system.value, "goal")))
    goals = {goal.figure: goal for goal in GOALS}
    measured = dict.fromkeys(name for figures in medians.values() for name in figures)
    first = [name for name in goals if name in measured]
    for name in [*first, *(name for name in measured if name not in goals)]:
        cells: list[str] = []
        for system, figures in medians.items():
            value, goal = figures.get(name), goals.get(name)
            cells += [show(value), show_goal(goal, system, value) if goal else ""]
        result.add_row(name, *cells, end_section=name == first[-1])
    return result


def cpu_table(system: System, runs: dict[str, dict[str, float]]) -> Table:
    """Processor time of each process."""
    processes = dict.fromkeys(process for cpu in runs.values() for process in cpu)
    result = Table("processor time, µs", *processes, title=system.value)
    for run, cpu in runs.items():
        result.add_row(run, *(show(cpu.get(process)) for process in processes))
    return result


def show(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show_goal(goal: Goal, system: System, value: float | None) -> str:
    bar = goal.embedded if system is System.EMBEDDED else goal.suite
    mark = ""
    if value is not None:
        mark = " [green]yes[/]" if (value >= bar if goal.at_least else value <= bar) else " [red]NO[/]"
    return f"{'≥' if goal.at_least else '≤'} {show(bar)}{mark}"


if __name__ == "__main__":
    typer.run(main)
