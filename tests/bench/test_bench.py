"""The generator against the fake server: the figures are real, the faults are found."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.fake import Fake, running
from typer.testing import CliRunner

from vpin.bench import cli, throughput
from vpin.bench.client import BenchError, Target
from vpin.bench.connections import connections
from vpin.bench.latency import latency
from vpin.bench.processes import Watch
from vpin.bench.stream import Direction
from vpin.bench.web import http

pytestmark = pytest.mark.integration  # sockets and processes

NOBODY = Watch({})


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def target(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setattr(throughput, "WARM_UP_SECONDS", 0.05)
    monkeypatch.setattr(throughput, "DRAIN_SECONDS", 1.0)
    with running(fake, tmp_path) as target:
        yield target


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("in_flight", [0, 1, 50])
def test_throughput(target: Target, direction: Direction, in_flight: int):
    run = throughput.throughput(target, NOBODY, direction, pairs=3, in_flight=in_flight, seconds=0.2)
    measured = asyncio.run(run)
    assert measured.faults == []
    assert measured.figures["sent"] == measured.figures["received"] > 50
    assert measured.figures["frames/s"] > 100
    assert measured.cpu_us["generator"] > 0


def test_lost_frames_are_a_fault(target: Target, fake: Fake):
    fake.drop_every = 500
    measured = asyncio.run(throughput.throughput(target, NOBODY, pairs=1, seconds=0.1))
    assert any("came in place of" in fault for fault in measured.faults)
    assert any("received" in fault for fault in measured.faults)


def test_a_value_that_is_not_stored_is_a_fault(target: Target, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vpin.bench.stream.Stream.value", lambda self, number: "other")
    measured = asyncio.run(throughput.throughput(target, NOBODY, pairs=1, seconds=0.1))
    assert any("the last one sent other" in fault for fault in measured.faults)


@pytest.mark.parametrize("direction", Direction)
def test_latency(target: Target, direction: Direction):
    measured = asyncio.run(latency(target, NOBODY, direction, pairs=2, rate=50, seconds=0.5))
    assert measured.faults == []
    assert measured.figures["frames"] == 50
    assert 0 < measured.figures["p50 ms"] <= measured.figures["p99 ms"] <= measured.figures["max ms"]


def test_connections(target: Target):
    measured = asyncio.run(connections(target, Watch({"fake": os.getpid()}), 300, 50, accounts=2, devices=3))
    assert measured.faults == []
    assert measured.figures["connections"] == 300
    assert measured.figures["log-ins/s"] > 100
    assert "fake KiB each" in measured.figures


def test_refused_log_ins_are_a_fault(target: Target, fake: Fake):
    fake.swallow_login = True
    measured = asyncio.run(connections(target, NOBODY, 10, 5, accounts=1, devices=1))
    assert measured.faults == ["10 log-ins were refused"]


def test_http(target: Target):
    writes, reads = asyncio.run(http(target, NOBODY, clients=2, seconds=0.2))
    assert writes.faults == reads.faults == []
    assert writes.figures["writes/s"] > 50
    assert reads.figures["reads/s"] > 50
    assert 0 < reads.figures["p50 ms"] <= reads.figures["p99 ms"]


def test_processes_are_counted_with_their_children():
    burn = "sum(i * i for i in range(3_000_000)); input()"
    code = f"import subprocess, sys; {burn.split(';')[0]}; subprocess.run([sys.executable, '-c', {burn!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as parent:
        watch = Watch.parse([f"server={parent.pid}"])
        while watch.cpu_seconds()["server"] < 0.1:
            assert parent.poll() is None
        assert watch.resident_bytes()["server"] > 2**20
        parent.communicate(b"\n")
    with pytest.raises(BenchError, match="is gone"):
        watch.cpu_seconds()
    with pytest.raises(BenchError, match="name=pid"):
        Watch.parse(["server"])


def test_the_command_prints_and_writes(target: Target, tmp_path: Path):
    out = tmp_path / "results" / "x.json"
    address = ["--http", f"127.0.0.1:{target.http[1]}", "--tls", f"127.0.0.1:{target.app[1]}"]
    arguments = ["throughput", *address, "--pairs", "1", "--seconds", "0.2", "--pid", f"me={os.getpid()}"]
    result = CliRunner().invoke(cli.app, [*arguments, "--json", str(out)])
    assert result.exit_code == 0, result.output
    assert "frames/s" in result.output
    (written,) = json.loads(out.read_text())
    assert written["figures"]["sent"] == written["figures"]["received"]
    assert set(written["cpu_us"]) == {"me", "generator"}


def test_a_server_that_is_not_there_is_said_so():
    result = CliRunner().invoke(cli.app, ["latency", "--http", "127.0.0.1:1", "--tls", "127.0.0.1:1"])
    assert result.exit_code == 2
    assert "cannot connect to 127.0.0.1:1" in result.output
