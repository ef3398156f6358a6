"""`make suite`: five services behind the edge, and what its command does on SIGTERM."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from infra.process import Process, wait_until
from infra.vpin import clean_environment, free_address, readiness, status

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

TESTS = Path(__file__).parents[1]


def test_the_suite_serves_and_leaves_nothing_behind(tmp_path: Path):
    addresses = {name: free_address() for name in ("VPIN_HTTP", "VPIN_TLS", "VPIN_MQTT")}
    environment = clean_environment(**addresses, VPIN_DATA=str(tmp_path / "data"), PYTHONPATH=str(TESTS))
    command = [sys.executable, "-m", "infra.suite", "--gateway-hw", "2", "--state", "2"]
    suite = Process("suite", command, tmp_path / "suite.log", environment)
    suite.start()
    try:
        listing = tmp_path / "data" / "suite.json"
        wait_until(listing.exists, 120, "make suite", suite)
        assert status(f"http://{addresses['VPIN_HTTP']}/api/v1/health") == 200
        described = json.loads(listing.read_text())
        services = described["services"]
        assert set(services) == {"gateway-hw-0", "gateway-hw-1", "gateway-app", "api", "state-0", "state-1", "notify"}
        for part in services.values():
            assert all(readiness(part["ops"]).values())
        assert status(f"http://{described['parts']['haproxy']['ops']}/metrics") == 200
        _smoke(addresses)
        children = psutil.Process(suite.pid).children(recursive=True)
        assert {part["pid"] for part in services.values()} <= {child.pid for child in children}
        suite.send(signal.SIGTERM)
        assert suite.wait(60) == 0
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not alive
    finally:
        suite.stop(seconds=60)


def _smoke(addresses: dict[str, str]) -> None:
    """The shortest way through the whole server, by the shared conformance suite."""
    cases = TESTS.parents[1] / "shared" / "conformance" / "test_smoke.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", cases],
        env=clean_environment(**addresses, PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
