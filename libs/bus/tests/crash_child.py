"""A process to be killed: python crash_child.py URL QUEUE.

It publishes numbered messages and consumes them; with a third argument it only consumes. It prints ``confirmed N`` after
each confirm and ``got N`` for each delivery, and acknowledges every delivery below 20.
"""

from __future__ import annotations

import asyncio
import os
import sys

from vpin_bus import Consumer, Delivery, Queue, open_bus


def say(text: str) -> None:
    os.write(1, text.encode() + b"\n")


async def main(url: str, name: str, publishes: bool) -> None:
    bus = open_bus(url)
    await bus.open()
    queue = Queue(name, max_messages=100_000, dead_letter=name + ".dead")
    consumer: Consumer

    def receive(delivery: Delivery) -> None:
        number = int(delivery.body)
        say(f"got {number}")
        if number == 20:
            consumer.retry(delivery.tag, b"1000020", 1.0)
        elif number < 20:
            consumer.ack_one(delivery.tag)

    consumer = await bus.consume(queue, receive, prefetch=200)
    number = 0
    while publishes:
        await bus.publish(queue, b"%d" % number)
        say(f"confirmed {number}")
        number += 1
        await asyncio.sleep(0.001)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], sys.argv[2], publishes=len(sys.argv) < 4))
