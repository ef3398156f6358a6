"""python -m fuzz [--count N] [--seed N]: a private `vpin run`, attacked; ends with 1 when it shows a fault (`make fuzz`)."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from infra.vpin import EmbeddedRun, clean_environment

from fuzz.attack import Report, attack, prepare, resident, settled, unexpected
from vpin.bench.client import Target, close

WARM = 0.1
"""Part of the frames that is sent before memory is measured."""
MORE_MEMORY = 1.10
SLOWER = 2.0
GRACE = 0.005
"""Seconds that a wait may be longer whatever it was: the machine has other work."""
SETTLE_SECONDS = 30.0
WAITS = 100
"""Pings that are compared with."""


async def fuzz(server: EmbeddedRun, count: int, seed: int) -> list[str]:
    """Attack the server; what is wrong with it."""
    pid = server.process.pid
    target = Target(_address(server.http), _address(server.tls), _address(server.http))
    account = await prepare(target)
    warm = await attack(target, account, int(count * WARM), seed)
    calm = Report()
    while len(calm.waits) < WAITS:
        part = await attack(target, account, int(count * WARM), seed, hostile=False)
        calm.waits += part.waits
        calm.faults += part.faults
    before = resident(pid)
    report = await attack(target, account, count, seed + 1000)
    after = await settled(pid, before * MORE_MEMORY, SETTLE_SECONDS)
    await close([account.app])
    faults = [*warm.faults, *calm.faults, *report.faults]
    faults += [f"log: {line[:300]}" for line in unexpected(server.process.log)[:5]]
    if after > before * MORE_MEMORY:
        faults.append(f"resident memory grew from {before >> 20} to {after >> 20} MiB")
    for share in (0.5, 0.99):
        usual, felt = calm.wait_at(share), report.wait_at(share)
        say(f"others' ping, {share:.0%}: {usual * 1000:.2f} ms beside honest boards, {felt * 1000:.2f} beside hostile")
        if felt > usual * SLOWER + GRACE:
            faults.append(f"others wait {felt * 1000:.1f} ms in place of {usual * 1000:.1f} ms ({share:.0%})")
    say(f"{report.frames:,} frames, {report.connections:,} connections, memory {before >> 20} → {after >> 20} MiB")
    return faults


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="frames")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vpin-fuzz-") as folder:
        server = EmbeddedRun(Path(folder), clean_environment(VPIN_MESSAGE_QUOTA="0"))
        server.start()
        try:
            faults = asyncio.run(fuzz(server, options.count, options.seed))
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
