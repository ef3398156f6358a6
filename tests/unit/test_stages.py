"""Order of start and stop of the embedded run's services."""

from __future__ import annotations

import asyncio

import pytest

from vpin import embedded
from vpin.embedded import Stages

pytestmark = pytest.mark.anyio


class Fake:
    """Notes what happens to it; `end` is awaited when it is stopped."""

    def __init__(self, name: str, events: list[str], end=None) -> None:
        self.name, self._events, self._end = name, events, end

    async def start(self) -> None:
        self._events.append(f"+{self.name}")

    async def stop(self) -> None:
        if self._end:
            await self._end()
        self._events.append(f"-{self.name}")

    def checks(self) -> dict[str, bool]:
        return {"bus": True}


async def hang() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise RuntimeError("no")


async def test_the_owner_starts_first_and_stops_last():
    events: list[str] = []
    stages = Stages("all", [Fake("state", events)], [Fake("hw", events), Fake("api", events)], [Fake("ports", events)])
    await stages.start()
    await stages.stop()
    assert events == ["+state", "+hw", "+api", "+ports", "-ports", "-hw", "-api", "-state"]


async def test_what_was_not_started_is_not_ready_and_not_stopped():
    events: list[str] = []
    stages = Stages("all", [Fake("state", events)], [Fake("hw", events)])
    assert stages.checks() == {"state.started": False, "hw.started": False}
    await stages.stop()
    assert events == []
    await stages.start()
    assert stages.checks() == {"state.bus": True, "hw.bus": True}


async def test_one_that_hangs_keeps_nobody_from_stopping(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedded, "STAGE_SECONDS", 0.01)
    events: list[str] = []
    stages = Stages("all", [Fake("state", events)], [Fake("hw", events, hang), Fake("api", events)])
    await stages.start()
    await stages.stop()
    assert events[3:] == ["-api", "-state"]


async def test_one_that_fails_keeps_nobody_from_stopping_and_is_told():
    events: list[str] = []
    stages = Stages("all", [Fake("state", events)], [Fake("hw", events, fail)])
    await stages.start()
    with pytest.raises(BaseExceptionGroup, match="failed to stop"):
        await stages.stop()
    assert events[2:] == ["-state"]
