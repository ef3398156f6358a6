"""Frames a second from boards to apps or back, pipelined or some at a time, each frame accounted for."""

from __future__ import annotations

import asyncio

from vpin_protocol import Command

from vpin.bench.accounts import Pair, close_pairs, make_pairs, stored_value
from vpin.bench.client import BenchError, Link, Target
from vpin.bench.measurement import Measurement, Meter
from vpin.bench.processes import Watch
from vpin.bench.stream import IN_FLIGHT_BYTES, Answers, Checker, Direction, Stream, drained

WARM_UP_SECONDS = 1.0
DRAIN_SECONDS = 20.0
PING_SECONDS = 5.0
"""A board that only receives must say something within 10 s."""


class Lane:
    """One pair at work: keeps up to ``window`` frames between its sender and its receiver."""

    def __init__(self, pair: Pair, stream: Stream, window: int, first_block: int, arrived: asyncio.Event) -> None:
        self.pair = pair
        self.stream = stream
        self.sent = 0
        self.first = first_block * stream.frames_per_write
        self.checker = Checker(stream, self.first)
        sender, self.receiver = (pair.device, pair.app) if stream.to_app else (pair.app, pair.device)
        self.sender: Link = sender
        self.answers = Answers(sender.decoder)
        self._block = first_block
        self._event = arrived
        self._room = window - stream.frames_per_write
        self._running = False
        self._scheduled = False
        sender.sink = self.answers.feed
        self.receiver.sink = self._arrived

    def start(self) -> None:
        self._running = True
        self._pump()

    def stop(self) -> None:
        self._running = False

    def release(self) -> None:
        """The connections decode frames again."""
        self.sender.sink = self.receiver.sink = None

    @property
    def done(self) -> bool:
        return self.checker.received >= self.sent or self.receiver.lost is not None

    def _arrived(self, data: bytes) -> None:
        self.checker.feed(data)
        self._pump()
        self._event.set()

    def _pump(self) -> None:
        """One write; the next in the next turn of the loop, so that writes are not joined into larger ones."""
        if not self._running or self._scheduled or self.sent - self.checker.received > self._room:
            return
        stream = self.stream
        self.sender.transport.write(stream.blocks[self._block])
        self._block = (self._block + 1) % len(stream.blocks)
        self.sent += stream.frames_per_write
        if self.sent - self.checker.received <= self._room:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._again)

    def _again(self) -> None:
        self._scheduled = False
        self._pump()


async def throughput(
    target: Target,
    watch: Watch,
    direction: Direction = Direction.DEVICE_APP,
    pairs: int = 20,
    frames_per_write: int = 32,
    in_flight: int = 0,
    seconds: float = 5.0,
) -> Measurement:
    """``in_flight``: frames of a pair that may be on their way; 0 is as many as 64 KiB hold."""
    made = await make_pairs(target, pairs)
    try:
        return await _run(made, watch, direction, frames_per_write, in_flight, seconds)
    finally:
        await close_pairs(made)


async def _run(
    pairs: list[Pair], watch: Watch, direction: Direction, frames_per_write: int, in_flight: int, seconds: float
) -> Measurement:
    frames_per_write = min(frames_per_write, in_flight or frames_per_write)
    stream = Stream(direction, pairs[0].device_id, frames_per_write)
    window = max(in_flight or IN_FLIGHT_BYTES // stream.sent_size, frames_per_write)
    arrived = asyncio.Event()
    lanes = [Lane(pair, stream, window, number * 7 % len(stream.blocks), arrived) for number, pair in enumerate(pairs)]
    pinging = asyncio.create_task(_ping(pairs))
    try:
        for lane in lanes:
            lane.start()
        await asyncio.sleep(WARM_UP_SECONDS)
        meter, before = Meter(watch), sum(lane.checker.received for lane in lanes)
        await asyncio.sleep(seconds)
        frames = sum(lane.checker.received for lane in lanes) - before
        took, cpu, resident = meter.stop(frames)
        for lane in lanes:
            lane.stop()
        await drained(lambda: not all(lane.done for lane in lanes), arrived, DRAIN_SECONDS)
    finally:
        pinging.cancel()
    faults = [fault for lane in lanes for fault in _faults(lane)]
    for lane in lanes:
        lane.release()
    if not faults:
        faults = [fault for lane in lanes for fault in await _compare_stored(lane)]
    style = f"{in_flight} in flight" if in_flight else f"{frames_per_write} a write"
    figures = {
        "frames/s": frames / took,
        "sent": sum(lane.sent for lane in lanes),
        "received": sum(lane.checker.received for lane in lanes),
    }
    return Measurement(
        f"{direction.value}, {len(pairs)} pairs, {style}", figures, "frame", cpu, resident, _shorten(faults)
    )


async def _ping(pairs: list[Pair]) -> None:
    while True:
        await asyncio.sleep(PING_SECONDS)
        for pair in pairs:
            pair.device.send(Command.PING)


def _faults(lane: Lane) -> list[str]:
    faults: list[str] = []
    if lane.sent != lane.checker.received:
        faults.append(f"sent {lane.sent}, received {lane.checker.received}")
    faults += lane.checker.errors
    statuses = lane.checker.statuses + lane.answers.statuses
    faults += [f"{count} frames were answered with status {status}" for status, count in statuses.items()]
    faults += [str(link.lost) for link in (lane.sender, lane.receiver) if link.lost]
    return faults


async def _compare_stored(lane: Lane) -> list[str]:
    """The server must tell the last value that was sent."""
    wanted = lane.stream.value(lane.first + lane.sent - 1)
    try:
        stored = await stored_value(lane.pair)
    except BenchError as error:
        return [str(error)]
    return [] if stored == wanted else [f"the stored value is {stored}, the last one sent {wanted}"]


def _shorten(faults: list[str], most: int = 5) -> list[str]:
    return faults[:most] + ([f"and {len(faults) - most} more"] if len(faults) > most else [])
