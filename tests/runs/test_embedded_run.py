"""`vpin run` as users start it."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from infra.vpin import EmbeddedRun, clean_environment, metrics, readiness, status
from vpin_runtime.serve import Exit

pytestmark = pytest.mark.integration


@pytest.fixture
def run(tmp_path: Path) -> Iterator[EmbeddedRun]:
    run = EmbeddedRun(tmp_path, clean_environment())
    yield run
    run.kill()


def log(run: EmbeddedRun) -> str:
    return run.process.log.read_text()


def test_it_is_ready_says_where_it_is_and_stops_in_order(run: EmbeddedRun):
    run.start()
    assert status(f"http://{run.http}/api/v1/health") == 200
    assert all(readiness(run.ops).values())
    assert "process_resident_memory_bytes" in metrics(run.ops)
    assert run.tls in log(run)
    assert run.environment["VPIN_MQTT"] in log(run)
    assert f"http://{run.http}/docs" in log(run)
    began = time.monotonic()
    assert run.process.end() == Exit.STOPPED
    assert time.monotonic() - began < 10


def test_the_first_password_is_shown_once(run: EmbeddedRun):
    run.start()
    assert len(re.findall(r"first password \S{12,}", log(run))) == 1
    run.kill()
    run.start()
    assert len(re.findall("first password", log(run))) == 1


def test_a_taken_port_is_told(run: EmbeddedRun):
    host, _, port = run.http.rpartition(":")
    with socket.create_server((host, int(port))):
        run.process.start()
        assert run.process.wait(20) == Exit.ADDRESS_TAKEN
    assert "another program listens there" in log(run)
    assert "VPIN_HTTP" in log(run)


def test_the_memory_of_a_run_that_does_nothing_is_small(run: EmbeddedRun):
    run.start()
    resident = re.search(r"^process_resident_memory_bytes (\S+)", metrics(run.ops), re.MULTILINE)
    assert resident
    assert float(resident[1]) < 120 * 1024 * 1024
