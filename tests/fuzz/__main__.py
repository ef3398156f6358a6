"""python -m fuzz [--run embedded|suite] [--count N] [--rate N]: a server of its own, attacked by boards (`make fuzz`).

Ends with 1 when something is wrong: a connection that whole frames have closed, a ping without an answer, an exception in a
log, memory that stays larger by a tenth, or others who wait for twice as long.

Others' waits are compared with those beside the same number of frames a second, over as many connections, in the same
batches, all of them plain writes: generator, sockets and forwarding take the machine's time in both, so what differs is what
the attack does to the server. Both come in turns, since the machine has other work at one time and at another. Without any
load waits are shorter still; that is told too.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from infra.suite import Suite
from infra.vpin import EmbeddedRun, clean_environment

from fuzz.attack import Report, Scene, attack, prepare, resident, settled, unexpected
from vpin.bench.client import Target

RATE = 20_000
WARM = 0.1
"""Part of the frames that is sent before memory is measured."""
TURN = 100_000
"""Hostile frames at a time; plain writes come between."""
CALM = 0.25
"""Plain writes for each hostile frame."""
MORE_MEMORY = 1.10
SLOWER = 2.0
GRACE = 0.002
"""Seconds that a wait may be longer whatever it was: the machine has other work."""
SETTLE_SECONDS = 30.0
WAITS = 200
"""Pings beside plain writes, at least."""


async def fuzz(server: EmbeddedRun | Suite, count: int, seed: int, rate: int = RATE) -> list[str]:
    """Attack the server; what is wrong with it."""
    pids = {name: process.pid for name, process in server.processes.items()}
    target = Target(_address(server.http), _address(server.tls), _address(server.http))
    scene = await prepare(target)
    idle = await attack(target, scene, 0, seed, rate)
    warm = await attack(target, scene, int(count * WARM), seed, rate)
    before = {name: resident(pid) for name, pid in pids.items()}
    report, calm = Report(), Report()
    turns = max(1, count // TURN)
    for turn in range(1, turns + 1):
        calm += await _calm(target, scene, int(count * CALM) // turns, seed, rate, WAITS // turns)
        report += await attack(target, scene, count // turns, seed + 1000 * turn, rate)
    after = {name: await settled(pid, before[name] * MORE_MEMORY, SETTLE_SECONDS) for name, pid in pids.items()}
    await scene.leave()
    say(f"{report.frames:,} frames in {report.seconds:.0f} s, {report.connections:,} connections")
    faults = [*warm.faults, *calm.faults, *report.faults]
    for process in server.processes.values():
        faults += [f"log of {process.name}: {line[:300]}" for line in unexpected(process.log)[:5]]
    for name in pids:
        say(f"memory of {name}: {before[name] >> 20} MiB warm, {after[name] >> 20} afterwards")
        if after[name] > before[name] * MORE_MEMORY:
            faults.append(f"memory of {name} grew from {before[name] >> 20} to {after[name] >> 20} MiB")
    for share in (0.5, 0.99):
        usual, felt = calm.wait_at(share), report.wait_at(share)
        say(
            f"others' ping, {share:.0%}: {idle.wait_at(share) * 1000:.2f} ms alone, "
            f"{usual * 1000:.2f} beside plain writes, {felt * 1000:.2f} beside hostile frames"
        )
        if felt > usual * SLOWER + GRACE:
            faults.append(f"others wait {felt * 1000:.1f} ms in place of {usual * 1000:.1f} ms ({share:.0%})")
    return faults


async def _calm(target: Target, scene: Scene, count: int, seed: int, rate: int, waits: int) -> Report:
    """Plain writes, until there are pings enough."""
    report = Report()
    while len(report.waits) <= waits:
        report += await attack(target, scene, count, seed, rate, hostile=False)
    return report


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description="Hostile boards against a server of its own.")
    parser.add_argument("--run", choices=("embedded", "suite"), default="embedded", help="one process, or five")
    parser.add_argument("--count", type=int, default=1_000_000, help="frames")
    parser.add_argument("--rate", type=int, default=RATE, help="frames a second; 0: as many as are answered")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vpin-fuzz-") as folder:
        server = (Suite if options.run == "suite" else EmbeddedRun)(
            Path(folder), clean_environment(VPIN_MESSAGE_QUOTA="0")
        )
        try:
            server.start()
            faults = asyncio.run(fuzz(server, options.count, options.seed, options.rate))
        finally:
            server.stop()
    for fault in faults:
        say(f"fault: {fault}")
    return 1 if faults else 0


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    raise SystemExit(main())
