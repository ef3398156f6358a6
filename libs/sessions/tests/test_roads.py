"""The roads up and down: batches of log-ins, slabs that repeat or are broken, metrics."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY, generate_latest
from vpin_bus import Delivery, open_bus
from vpin_messages.entry import EntryRequest, decode_batch
from vpin_messages.queues import ENTRY
from vpin_messages.slab import Down, down_entry, head, new_sender
from vpin_runtime.settings import Settings
from vpin_sessions import Gateway, idle_limits, new_tally
from vpin_sessions.downlink import Downlink
from vpin_sessions.metrics import COUNTERS, GAUGES, Tally
from vpin_sessions.uplink import Uplinks

pytestmark = pytest.mark.anyio

SETTINGS = Settings(data=Path("/nonexistent"), shards=2)


class Heard:
    """A session that only remembers."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.write = self.written.append
        self.closed = False
        self.limit = -1

    def dismiss(self, payload: bytes) -> None:
        self.closed = not payload

    def set_limit(self, seconds: int) -> None:
        self.limit = seconds

    def answered(self, answer: object) -> None:
        raise AssertionError("no answer was sent")


def downlink() -> tuple[Downlink, Gateway, Heard]:
    gateway = Gateway("test", SETTINGS, open_bus("memory://"))
    session: Any = Heard()
    gateway.sessions[7] = session
    return Downlink(gateway), gateway, session


async def test_down_entries_reach_their_sessions(anyio_backend):
    down, gateway, session = downlink()
    slab = head(new_sender(), 1) + b"".join(
        [
            down_entry(Down.FRAMES, 7, b"one"),
            down_entry(Down.FRAMES, 8, b"nobody"),
            down_entry(Down.IDLE, 7, b"\0\0\0\x5c"),
            down_entry(Down.FRAMES, 7, b"two"),
            down_entry(Down.CLOSE, 7),
            down_entry(Down.CLOSE, 8),
        ]
    )
    down.deliver(Delivery(slab, 1, redelivered=False))
    assert session.written == [b"one", b"two"]
    assert (session.limit, session.closed) == (92, True)
    assert gateway.tally.bytes_out == len(slab) - 25


async def test_a_slab_counts_once(anyio_backend):
    down, gateway, session = downlink()
    one, other = new_sender(), new_sender()
    for sender, number in ((one, 1), (one, 2), (one, 1), (one, 2), (other, 1), (one, 3), (other, 1)):
        slab = head(sender, number) + down_entry(Down.FRAMES, 7, b"%d" % number)
        down.deliver(Delivery(slab, 1, redelivered=True))
    assert session.written == [b"1", b"2", b"1", b"3"]
    assert gateway.tally.slabs_repeated == 3


@pytest.mark.parametrize(
    "slab",
    [
        b"",
        b"\2" + bytes(40),
        head(bytes(16), 1) + b"\1",
        head(bytes(16), 1) + down_entry(Down.FRAMES, 7, b"cut")[:-1],
        head(bytes(16), 1) + down_entry(Down.ENTRY, 7, b"\xff"),
    ],
)
async def test_a_broken_slab_is_dropped(anyio_backend, slab):
    down, gateway, session = downlink()
    down.deliver(Delivery(slab, 1, redelivered=False))
    assert session.written == []
    assert gateway.tally.slabs_broken == 1


async def test_requests_of_one_turn_share_a_batch_and_batches_have_a_length(anyio_backend):
    bus = open_bus("memory://")
    await bus.open()
    got: list[bytes] = []
    consumer = await bus.consume(ENTRY, lambda delivery: got.append(delivery.body))
    uplinks = Uplinks(bus, bytes(16), 2, lambda _shard, _on: None)
    requests = [EntryRequest(n, 0, 29, 1, b"token", "1.2.3.4") for n in range(5)]
    for request in requests[:3]:
        uplinks.ask(request)
    await asyncio.sleep(0)
    for request in requests[3:]:
        uplinks.ask(request)
    await asyncio.sleep(0.05)
    stream, batches = b"".join(got), []
    while stream:
        size = int.from_bytes(stream[:4], "big")
        batches.append(decode_batch(stream[4 : 4 + size]))
        stream = stream[4 + size :]
    assert [batch.requests for batch in batches] == [requests[:3], requests[3:]]
    assert {batch.gateway for batch in batches} == {bytes(16)}
    uplinks.close()
    await consumer.cancel()
    await bus.close()


def test_idle_limits_follow_the_settings():
    assert list(idle_limits(SETTINGS).values()) == [23.0, 300.0, 300.0, float("inf")]
    off = SETTINGS.model_copy(update={"hardware_idle_timeout": 0, "app_idle_timeout": 0})
    assert set(idle_limits(off).values()) == {float("inf")}


def test_every_number_is_shown():
    tally = new_tally("a-test")
    tally.frames_in = 41
    shown = generate_latest(REGISTRY).decode()
    assert 'vpin_gateway_frames_in_total{gateway="a-test"} 41.0' in shown
    assert 'vpin_gateway_connections{gateway="a-test"} 0.0' in shown
    assert set(Tally.__slots__) == GAUGES.keys() | COUNTERS.keys()
