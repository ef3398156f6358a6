"""What the bus costs: python libs/bus/tests/measure.py memory:// memory:///tmp/folder amqp://guest:guest@127.0.0.1:5672/

Prints, per URL: the way of one entry through an idle bus, and wall and processor time per slab of this process (publish,
confirm, delivery, acknowledgement) when every delivery sends the next slab.
"""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop
from vpin_bus import Delivery, Queue, open_bus

HOPS = 500


async def measure(url: str) -> None:
    bus = open_bus(url)
    await bus.open()
    queue = Queue("vpin.measure", single_active=True, max_messages=20_000)
    slabs = 20_000 if url.startswith("memory") else 5_000
    entry = b"x" * 60
    arrived = asyncio.Event()
    hops: list[float] = []
    sent = left = 0

    def receive(delivery: Delivery) -> None:
        nonlocal left
        if left:
            left -= 1
            outlet.add(entry)
            if left % 50 == 0:
                consumer.ack(delivery.tag)
        else:
            hops.append(time.perf_counter() - sent)
            consumer.ack(delivery.tag)
            arrived.set()

    consumer = await bus.consume(queue, receive)
    outlet = bus.outlet(queue, lambda number: number.to_bytes(25, "big"))
    used = time.process_time()
    for _ in range(HOPS):
        await outlet.drained()
        arrived.clear()
        sent = time.perf_counter()
        outlet.add(entry)
        await arrived.wait()
    hops.sort()
    used = (time.process_time() - used) / HOPS
    sys.stdout.write(f"{url}: hop p50 {hops[HOPS // 2] * 1e6:.0f} µs, p99 {hops[HOPS * 99 // 100] * 1e6:.0f} µs,")
    sys.stdout.write(f" {used * 1e6:.0f} µs of processor time;")
    await outlet.drained()
    arrived.clear()
    left, started, used = slabs, time.perf_counter(), time.process_time()
    outlet.add(entry)
    await arrived.wait()
    wall, used = (time.perf_counter() - started) / slabs, (time.process_time() - used) / slabs
    sys.stdout.write(f" in a row {wall * 1e6:.1f} µs a slab, {used * 1e6:.1f} µs of processor time\n")
    await outlet.drained()
    await consumer.cancel()
    await bus.close()


if __name__ == "__main__":
    for address in sys.argv[1:]:
        uvloop.run(measure(address))
