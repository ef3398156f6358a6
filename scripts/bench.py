"""What `make bench` runs: the load generator on the embedded run and on the five processes behind RabbitMQ.

Each round starts the system anew with an empty data folder, waits until it is ready, and runs `vpin bench all`. The
table has the median of the rounds beside what the project wants to reach; all that was measured is in bench-results/.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import psutil
import typer
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from infra.process import HOST, Process, free_port, wait_until  # noqa: E402  found by the line above

VPIN = Path(sys.executable).with_name("vpin")
SERVICES = ("gateway-hw", "gateway-app", "state", "notify", "api")
PARTS = {"beam.smp": "rabbitmq", "postgres": "postgresql", "haproxy": "haproxy"}
RESULTS = ROOT / "bench-results"
START_SECONDS = 120


class System(StrEnum):
    EMBEDDED = "embedded"
    SUITE = "suite"


COMMANDS = {System.EMBEDDED: [str(VPIN), "run"], System.SUITE: ["make", "--no-print-directory", "suite"]}


@dataclass
class Round:
    """What one round found out. Names of figures are `run: figure`."""

    figures: dict[str, float] = field(default_factory=dict)
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
) -> None:
    """Measure vpin on this machine, which should have nothing else to do."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # inherited by what is started
    RESULTS.mkdir(exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 150)
    medians: dict[System, dict[str, float]] = {}
    faults: list[str] = []
    for system in [only] if only else list(System):
        done = []
        for number in range(1, rounds + 1):
            console.print(f"{system.value}: round {number} of {rounds}")
            done.append(measure(system, number, seconds))
            faults += [f"{system.value}, round {number}: {fault}" for fault in done[-1].faults]
        names = dict.fromkeys(name for r in done for name in r.figures)
        medians[system] = {n: statistics.median(r.figures[n] for r in done if n in r.figures) for n in names}
    (RESULTS / "medians.json").write_text(json.dumps(medians, indent=2, ensure_ascii=False) + "\n")
    console.print(table(medians))
    for fault in faults:
        console.print(f"FAULT {fault}", style="red", markup=False)
    raise typer.Exit(1 if faults else 0)


def measure(system: System, number: int, seconds: float) -> Round:
    """One round on a system that is started for it."""
    out = RESULTS / f"{system.value}-{number}.json"
    with running(system) as (addresses, pids, started):
        watched = [argument for name, pid in pids.items() for argument in ("--pid", f"{name}={pid}")]
        command = [str(VPIN), "bench", "all", *addresses, "--seconds", str(seconds), "--json", str(out), *watched]
        outcome = subprocess.run(  # noqa: S603  our own program
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    if outcome.returncode not in (0, 1):
        return Round(started, [outcome.stdout.strip()])
    found = Round(started)
    for measurement in json.loads(out.read_text()):
        add(found, measurement)
    return found


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
    for process, value in cpu.items():
        found.figures[f"{name}: µs of {process} per {measurement['per']}"] = value


@contextmanager
def running(system: System) -> Iterator[tuple[list[str], dict[str, int], dict[str, float]]]:
    """(addresses for the generator, processes to watch, figures of the start) while the system runs."""
    folder = Path(tempfile.mkdtemp(prefix="vpin-bench-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    ports = {name: free_port() for name in ("HTTP", "TLS", "MQTT", "OPS")}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VPIN_")}
    environment |= {f"VPIN_{name}": f"{HOST}:{port}" for name, port in ports.items()}
    environment |= {
        "VPIN_DATA": str(folder / "data"),
        "VPIN_MESSAGE_QUOTA": "0",
        "VPIN_REGISTRATIONS_PER_HOUR": "1000000",
        "VPIN_LOG_LEVEL": "warning",
    }
    process = Process(system.value, COMMANDS[system], folder / "log", environment, cwd=ROOT)
    begun = time.time()
    process.start()
    try:
        wait_until(lambda: healthy(ports["HTTP"]), START_SECONDS, system.value, process.failure)
        ready = time.time()
        pids = {"vpin": process.pid} if system is System.EMBEDDED else service_pids(process.pid)
        services = [psutil.Process(pid) for name, pid in pids.items() if name == "vpin" or name in SERVICES]
        if system is System.SUITE:  # from the first of our services: the broker's own start is none of ours
            begun = min(service.create_time() for service in services)
        started = {
            "start: seconds until ready": ready - begun,
            "start: resident MiB": sum(service.memory_info().rss for service in services) / 2**20,
        }
        addresses = ["--http", f"{HOST}:{ports['HTTP']}", "--tls", f"{HOST}:{ports['TLS']}"]
        yield addresses, pids, started
    finally:
        process.stop(seconds=60)
        shutil.rmtree(folder, ignore_errors=True)


def service_pids(suite: int) -> dict[str, int]:
    """The five services of a suite, and the broker, the database and the edge when they are its children."""
    found: dict[str, int] = {}
    for process in psutil.Process(suite).children(recursive=True):
        words = process.cmdline()
        for before, word in pairwise(words):
            if word in SERVICES and Path(before).name.startswith("vpin"):
                found.setdefault(word, process.pid)
        part = PARTS.get(process.name())
        if part:
            found.setdefault(part, process.pid)  # parents come before their children
    missing = [name for name in SERVICES if name not in found]
    if missing:
        raise RuntimeError(f"the suite runs without {', '.join(missing)}")
    return found


def healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/api/v1/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def table(medians: dict[System, dict[str, float]]) -> Table:
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
