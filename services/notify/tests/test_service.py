"""The service between a real queue and a real mail server."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator

import pytest
from sink import Sink
from vpin_bus import Bus, Delivery, open_bus
from vpin_messages import jobs, slab
from vpin_messages.jobs import Answer, Job
from vpin_messages.queues import NOTIFY, shard_queue
from vpin_messages.slab import Up
from vpin_notify.app import NotifyService

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


@pytest.fixture(params=["memory", "rabbitmq"])
def bus_url(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else request.getfixturevalue("rabbitmq_url")


@pytest.fixture
async def bus(bus_url: str) -> AsyncIterator[Bus]:
    opened = open_bus(bus_url)
    await opened.open()
    yield opened
    await opened.close()


def job(**fields: object) -> Job:
    key = secrets.token_hex(8)
    known: dict[str, object] = {
        "key": key,
        "channel": "mail",
        "to": [f"{key}@example.com"],
        "subject": key,
        "text": "x",
    }
    return Job(**known | fields)  # type: ignore[arg-type]  # fields by name


async def test_a_mail_is_tried_again_until_it_is_taken_and_the_first_outcome_told(bus: Bus, sink: Sink) -> None:
    gateway, results = secrets.token_bytes(16), asyncio.Queue[tuple[int, bytes]]()

    def hear(delivery: Delivery) -> None:
        for entry in slab.up_entries(delivery.body):
            if entry.kind == Up.RESULT and entry.payload[:16] == gateway:
                results.put_nowait((entry.session, entry.payload[16:]))
        shard.ack(delivery.tag)

    shard = await bus.consume(shard_queue(1000), hear)
    service = NotifyService(sink.settings(), bus, delays=(0.01, 0.01))
    await service.start()
    sink.data = ["451 later"]
    await bus.publish(NOTIFY, jobs.encode(job(answer=Answer(1000, gateway, 5, 3))))
    assert await asyncio.wait_for(results.get(), 10) == (5, b"\0\x0f\0\x03")
    await sink.until(lambda: len(sink.mails) == 1)
    await bus.publish(NOTIFY, jobs.encode(job(answer=Answer(1000, gateway, 6, 4))))
    assert await asyncio.wait_for(results.get(), 10) == (6, b"\0\xc8\0\x04")
    await service.stop()
    await shard.cancel()
    assert len(sink.mails) == 2


async def test_mails_of_many_jobs_share_few_connections(bus: Bus, sink: Sink) -> None:
    service = NotifyService(sink.settings(), bus)
    await service.start()
    for _ in range(40):
        await bus.publish(NOTIFY, jobs.encode(job()))
    await sink.until(lambda: len(sink.mails) == 40)
    await service.stop()
    assert len(sink.connections) <= 4


KILLED = """
import asyncio, sys
from vpin_bus import open_bus
from vpin_notify.app import NotifyService
from vpin_runtime.settings import Settings

async def main():
    bus = open_bus(sys.argv[1])
    await bus.open()
    await NotifyService(Settings(smtp_host="127.0.0.1", smtp_port=int(sys.argv[2])), bus).start()
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_job_whose_process_is_killed_is_delivered_by_the_next(rabbitmq_url: str, sink: Sink) -> None:
    bus = open_bus(rabbitmq_url)
    await bus.open()
    await bus.publish(NOTIFY, jobs.encode(job()))
    sink.gate.clear()
    sink.data = ["451 too late"]  # for the one that nobody waits for any more
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, rabbitmq_url, str(sink.port))
    try:
        await sink.until(lambda: sink.begun == 1)
    finally:
        process.kill()
        await process.wait()
    sink.gate.set()
    service = NotifyService(sink.settings(), bus)
    await service.start()
    await sink.until(lambda: len(sink.mails) == 1)
    await service.stop()
    assert len(sink.mails) == 1
    assert await bus.depth(NOTIFY) == 0
    await bus.close()
