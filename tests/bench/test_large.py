"""Large accounts on the embedded run: what a hundred of them take in memory, how long one takes to open (issue 5).

Bounds of processor time are some four times what was measured; `vpin bench accounts` gives the figures themselves.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from infra.vpin import EmbeddedRun, clean_environment

from vpin.bench.client import Target
from vpin.bench.large import Size, large
from vpin.bench.processes import Watch

pytestmark = pytest.mark.integration

ACCOUNTS, SOME = 25, 5
SIZE = Size(dashboards=20, widgets=50, devices=10, values=10)


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def test_a_hundred_large_accounts_fit_and_open_quickly(tmp_path: Path):
    settings = {"VPIN_MESSAGE_QUOTA": "0", "VPIN_INITIAL_ENERGY": "1000000000", "VPIN_LOG_LEVEL": "warning"}
    server = EmbeddedRun(tmp_path, clean_environment(**settings))
    target = Target(address(server.http), address(server.tls), address(server.http))
    kept = tmp_path / "kept.json"
    server.start()
    try:
        asyncio.run(large(target, Watch({}), kept, ACCOUNTS, SIZE, 1, 1))
        assert kept.stat().st_mode & 0o777 == 0o600
        server.stop()
        server.start()
        watch = Watch({"vpin": server.process.pid})
        some = tmp_path / "some.json"
        some.write_text(json.dumps(json.loads(kept.read_text())[:SOME]))
        asyncio.run(large(target, watch, some, SOME, SIZE, 4, 1))
        before = watch.resident_bytes()["vpin"] / 2**20
        cold, warm, together = asyncio.run(large(target, watch, kept, ACCOUNTS, SIZE, 4, 3))
    finally:
        server.stop()
    each = (warm.resident_mib["vpin"] - before) / (ACCOUNTS - SOME)
    assert before + each * (100 - SOME) < 400, f"{before:.0f} MiB with {SOME} accounts, {each:.2f} MiB with each more"
    assert warm.cpu_us["vpin"] < 40_000
    assert cold.cpu_us["vpin"] < 200_000
    assert warm.figures["p50 ms"] < 250  # times say little where other things run
    assert cold.figures["p50 ms"] < 1000
    assert together.figures["p95 ms"] < 2000
