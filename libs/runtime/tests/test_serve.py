"""A service as a process: signals, exit codes, ops port. The processes under test are real."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from infra.process import free_port
from vpin_runtime.serve import Exit

pytestmark = pytest.mark.integration

PROGRAM = """
import asyncio, sys
from vpin_runtime.serve import run_service
from vpin_runtime.settings import Settings, SettingsError

class Fake:
    name = "fake"
    async def start(self):
        {start}
    async def stop(self):
        print("stopping", flush=True)
        {stop}
    def checks(self):
        return {{"bus": True}}

async def wire(stack):
    return Fake()

sys.exit(run_service("fake", Settings(ops="127.0.0.1:{port}", log_json=True), wire))
"""


@pytest.fixture
def launch() -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    started: list[subprocess.Popen[str]] = []

    def launch(start: str = "pass", stop: str = "pass", port: int = 0) -> tuple[subprocess.Popen[str], int]:
        port = port or free_port()
        code = PROGRAM.format(start=start, stop=stop, port=port)
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(child)
        return child, port

    yield launch
    for child in started:
        child.kill()
        child.communicate()


def ready(port: int) -> int:
    """Status of /readyz, once the port is open."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(launch, number: signal.Signals):
    child, port = launch()
    assert ready(port) == 200
    child.send_signal(number)
    out, _ = child.communicate(timeout=10)
    assert (out, child.returncode) == ("stopping\n", Exit.STOPPED)


def test_a_second_signal_stops_it_at_once(launch):
    child, port = launch(stop="await asyncio.sleep(60)")
    assert ready(port) == 200
    child.send_signal(signal.SIGTERM)
    assert child.stdout.readline() == "stopping\n"
    child.send_signal(signal.SIGTERM)
    assert child.wait(5) == 128 + signal.SIGTERM


def test_it_is_alive_but_not_ready_while_it_waits_for_its_broker_and_can_be_stopped_then(launch):
    child, port = launch(start="await asyncio.sleep(60)")
    assert ready(port) == 503
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=10)
    assert child.returncode == Exit.STOPPED


def test_a_taken_port_is_told(launch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        child, _ = launch(port=taken.getsockname()[1])
        _, err = child.communicate(timeout=20)
    assert child.returncode == Exit.ADDRESS_TAKEN
    assert "another program listens there" in err


def test_a_failing_start_is_an_error(launch):
    child, _ = launch(start="raise RuntimeError('no such shard')")
    out, err = child.communicate(timeout=20)
    assert child.returncode == Exit.FAILED
    assert "no such shard" in err
    assert out == "stopping\n"


def test_settings_that_can_not_be_used_are_told(launch):
    child, _ = launch(start="raise SettingsError('set VPIN_X')")
    _, err = child.communicate(timeout=20)
    assert child.returncode == Exit.BAD_SETTINGS
    assert "set VPIN_X" in err
    assert "Traceback" not in err
