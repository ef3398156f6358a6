"""``kill -9``: what was confirmed and not acknowledged is delivered to the next process."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from bus_inbox import Inbox
from vpin_bus import Queue, open_bus

pytestmark = pytest.mark.anyio

CHILD = Path(__file__).parent / "crash_child.py"


async def killed_after(line: str, *arguments: str) -> list[str]:
    """What the child said until it said `line` and a little more, then was killed."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert child.stdout is not None
    said: list[str] = []
    try:
        async with asyncio.timeout(30):
            while line not in said:
                text = (await child.stdout.readline()).decode().strip()
                assert text, f"the child ended after {said[-3:]}"
                said.append(text)
    finally:
        child.kill()
        rest = await child.stdout.read()
        await child.wait()
    return said + rest.decode().split("\n")[:-1]


async def test_the_journal_survives_kill_9(tmp_path: Path, unique: str) -> None:
    url = f"memory://{tmp_path}/bus"
    said = await killed_after("confirmed 150", url, unique)
    confirmed = max(int(line.split()[1]) for line in said if line.startswith("confirmed"))
    bus = open_bus(url)
    await bus.open()
    inbox = Inbox()
    await bus.consume(Queue(unique, max_messages=100_000, dead_letter=unique + ".dead"), inbox)
    await inbox.until(lambda: b"%d" % confirmed in inbox.bodies and b"1000020" in inbox.bodies)
    assert all(delivery.redelivered for delivery in inbox.deliveries)
    numbers = [int(body) for body in inbox.bodies if body != b"1000020"]
    assert numbers == sorted(numbers)
    assert set(range(21, confirmed + 1)) <= set(numbers)
    assert 20 not in numbers
    assert len(numbers) <= confirmed + 2 - 18  # acknowledgements ride on the next message: a few come again
    await bus.close()


async def test_two_processes_cannot_share_a_journal(tmp_path: Path) -> None:
    url = f"memory://{tmp_path}/bus"
    first, second = open_bus(url), open_bus(url)
    await first.open()
    with pytest.raises(BlockingIOError):
        await second.open()
    await first.close()
    await second.open()
    await second.close()


async def test_a_delayed_message_survives_an_orderly_stop(tmp_path: Path, unique: str) -> None:
    url, queue = f"memory://{tmp_path}/bus", Queue(unique, dead_letter=unique + ".dead")
    bus = open_bus(url)
    await bus.open()
    inbox = Inbox()
    consumer = await bus.consume(queue, inbox)
    await bus.publish(queue, b"job")
    await inbox.count(1)
    consumer.retry(inbox.deliveries[0].tag, b"job again", 0.3)
    await bus.close()
    bus = open_bus(url)
    await bus.open()
    later = Inbox()
    await bus.consume(queue, later)
    assert await later.count(1) == [b"job again"]
    await bus.close()


@pytest.mark.integration
async def test_rabbitmq_delivers_again_what_a_killed_consumer_had(rabbitmq_url: str, unique: str) -> None:
    queue = Queue(unique, max_messages=100_000, dead_letter=unique + ".dead")
    bus = open_bus(rabbitmq_url)
    await bus.open()
    for number in range(60):
        await bus.publish(queue, b"%d" % number)
    await killed_after("got 59", rabbitmq_url, unique, "consume only")
    inbox = Inbox()
    await bus.consume(queue, inbox)
    await inbox.until(lambda: b"59" in inbox.bodies)
    numbers = [int(body) for body in inbox.bodies if body != b"1000020"]
    assert numbers == sorted(numbers)
    assert set(range(21, 60)) <= set(numbers) <= set(range(20, 60))
    assert all(delivery.redelivered for delivery in inbox.deliveries if delivery.body != b"1000020")
    await bus.close()
