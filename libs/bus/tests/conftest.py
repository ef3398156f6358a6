"""The same contract for every implementation: in memory, in memory with a journal, RabbitMQ."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from vpin_bus import Bus, open_bus

sys.path.insert(0, str(Path(__file__).parent))  # bus_inbox


@pytest.fixture
def unique() -> str:
    """A queue name of the test's own."""
    return f"test.{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=["memory", "journal", pytest.param("amqp", marks=pytest.mark.integration)])
def bus_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "amqp":
        return request.getfixturevalue("rabbitmq_url")
    return "memory://" if request.param == "memory" else f"memory://{tmp_path}/bus"


@pytest.fixture
async def bus(bus_url: str) -> AsyncIterator[Bus]:
    bus = open_bus(bus_url)
    await bus.open()
    yield bus
    await bus.close()
