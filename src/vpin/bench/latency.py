"""How long a frame takes at a fixed rate: from the write on one side to the read on the other."""

from __future__ import annotations

import asyncio
import gc
import time
from array import array
from collections import deque

from vpin.bench.accounts import Pair, close_pairs, make_pairs
from vpin.bench.client import Target
from vpin.bench.measurement import Measurement, Meter
from vpin.bench.processes import Watch
from vpin.bench.stream import Answers, Checker, Direction, Stream, drained

LAST_SECONDS = 5.0
"""For the frames that are under way at the end."""


class Probe:
    """One pair that sends a frame when it is told and notes how long each took."""

    def __init__(self, pair: Pair, stream: Stream, first: int, took: array[float], arrived: asyncio.Event) -> None:
        self.checker = Checker(stream, first)
        self.sent = 0
        self._stream = stream
        self._next = first
        self._took = took
        self._event = arrived
        self._times: deque[float] = deque()
        self._sender, receiver = (pair.device, pair.app) if stream.to_app else (pair.app, pair.device)
        self.answers = Answers(self._sender.decoder)
        self._sender.sink = self.answers.feed
        receiver.sink = self._arrived

    def send(self) -> None:
        self._times.append(time.perf_counter())
        self._sender.transport.write(self._stream.blocks[self._next])
        self._next = (self._next + 1) % len(self._stream.blocks)
        self.sent += 1

    def _arrived(self, data: bytes) -> None:
        now = time.perf_counter()
        before = self.checker.received
        self.checker.feed(data)
        for _ in range(self.checker.received - before):
            self._took.append(now - self._times.popleft())
        self._event.set()


async def latency(
    target: Target,
    watch: Watch,
    direction: Direction = Direction.DEVICE_APP,
    pairs: int = 20,
    rate: float = 20.0,
    seconds: float = 5.0,
) -> Measurement:
    """``rate``: frames a second of each pair."""
    made = await make_pairs(target, pairs)
    took: array[float] = array("d")
    stream = Stream(direction, made[0].device_id, frames_per_write=1)
    arrived = asyncio.Event()
    probes = [Probe(pair, stream, number * 7, took, arrived) for number, pair in enumerate(made)]
    gc.collect()
    gc.disable()  # the generator's own pauses are none of the server's
    try:
        meter = Meter(watch)
        await _send_all(probes, rate, seconds)
        await drained(lambda: any(p.checker.received < p.sent for p in probes), arrived, LAST_SECONDS)
        _, cpu, resident = meter.stop(sum(p.sent for p in probes))
    finally:
        gc.enable()
        await close_pairs(made)
    name = f"latency {direction.value}, {pairs} pairs × {rate:g}/s"
    return Measurement(name, quantiles(took), "frame", cpu, resident, _faults(probes))


async def _send_all(probes: list[Probe], rate: float, seconds: float) -> None:
    """Each probe at its rate, the probes spread evenly over the interval."""
    loop = asyncio.get_running_loop()
    total, gap = int(len(probes) * rate * seconds), 1.0 / (len(probes) * rate)
    start = loop.time()
    for number in range(total):
        wait = start + number * gap - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        probes[number % len(probes)].send()


def quantiles(took: array[float], of: str = "frames") -> dict[str, float]:
    """Of times in seconds, in milliseconds."""
    ordered = sorted(took)
    if not ordered:
        return {of: 0}
    last = len(ordered) - 1
    marks = {"p50 ms": 0.5, "p90 ms": 0.9, "p95 ms": 0.95, "p99 ms": 0.99, "max ms": 1.0}
    return {name: ordered[round(last * q)] * 1e3 for name, q in marks.items()} | {of: len(ordered)}


def _faults(probes: list[Probe]) -> list[str]:
    faults = [error for probe in probes for error in probe.checker.errors][:5]
    sent, received = sum(p.sent for p in probes), sum(p.checker.received for p in probes)
    if sent != received:
        faults.append(f"sent {sent}, received {received}")
    refused = sum((p.answers.statuses + p.checker.statuses).total() for p in probes)
    return [*faults, f"{refused} frames were refused"] if refused else faults
