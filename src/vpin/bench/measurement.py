"""What a run found out: figures by name, and what the server's processes took for it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vpin.bench.processes import Watch


@dataclass
class Measurement:
    """``figures`` carry their unit in the name; ``cpu_us`` is microseconds of processor time for each ``per``."""

    name: str
    figures: dict[str, float]
    per: str = "frame"
    cpu_us: dict[str, float] = field(default_factory=dict)
    resident_mib: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


class Meter:
    """Processor time between two moments, of the watched processes and of the generator itself."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._cpu = self._now()
        self._started = time.perf_counter()

    def stop(self, units: int) -> tuple[float, dict[str, float], dict[str, float]]:
        """(seconds gone, microseconds of processor time per unit by process, resident MiB by process)."""
        seconds = time.perf_counter() - self._started
        used = {name: (after - self._cpu[name]) * 1e6 / max(units, 1) for name, after in self._now().items()}
        return seconds, used, {name: size / 2**20 for name, size in self._watch.resident_bytes().items()}

    def _now(self) -> dict[str, float]:
        own = os.times()
        return {**self._watch.cpu_seconds(), "generator": own.user + own.system}


def show(measurements: Sequence[Measurement]) -> None:
    """A table for people."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table("run", "result", "processor time, µs", "resident, MiB")
    for m in measurements:
        table.add_row(
            m.name,
            "\n".join(f"{name} {_number(value)}" for name, value in m.figures.items()),
            "\n".join(f"{name} {value:.2f} / {m.per}" for name, value in m.cpu_us.items()),
            "\n".join(f"{name} {value:.0f}" for name, value in m.resident_mib.items()),
        )
    console.print(table)
    for m in measurements:
        for fault in m.faults:
            console.print(f"[red]FAULT[/red] {m.name}: {fault}", highlight=False, markup=True)


def write_json(path: Path, measurements: Sequence[Measurement]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(m) for m in measurements], indent=2) + "\n")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
