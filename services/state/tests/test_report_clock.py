"""Reports that run by the clock, by the shell: a run that nobody was there for is made up for (spec 05, 4.2)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from state_shell import Gateway, World
from test_questions import OK, OWNER, Apps
from vpin_messages.slab import Side
from vpin_protocol import Command
from vpin_state.model import Account

pytestmark = pytest.mark.anyio

DAY_MS = 86_400_000
WIDGET = {"type": "REPORT", "id": 5, "width": 1, "height": 1}
SOURCE = {"type": "DEVICE", "deviceIds": [0], "dataStreams": [{"pin": 1, "pinType": "VIRTUAL", "isSelected": True}]}
DAILY = {"type": "DAILY", "atTime": 0, "durationType": "INFINITE", "startTs": 0, "endTs": 0}
REPORT = {"id": 1, "reportSources": [SOURCE], "reportType": DAILY, "recipients": "b@example.com", "isActive": True}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


def in_memory(world: World, account: int) -> Account:
    found = world.owner.accounts[account]
    assert found is not None
    return found


def reports(world: World, account: int) -> list[dict[str, Any]]:
    """Of an account that is in memory."""
    found = world.owner.accounts.get(account)
    return found.dashboards[1].widgets[0].json["reports"] if found else []


async def test_a_report_whose_time_has_passed_runs_when_its_owner_is_back(world: World) -> None:
    gateway = await world.gateway()
    await gateway.ask(OWNER, Side.APP, Command.REGISTER, "a@example.com", "hash", "Blynk")
    await gateway.log_in(OWNER, Side.APP, Command.LOGIN, "a@example.com", "hash")
    apps = Apps(gateway)
    assert await apps.ask(OWNER, Command.CREATE_DASH, {"id": 1, "name": "first", "widgets": []}) == OK
    assert await apps.ask(OWNER, Command.CREATE_WIDGET, 1, WIDGET) == OK
    due = json.loads(await apps.ask(OWNER, Command.CREATE_REPORT, 1, REPORT))["nextReportAt"]
    account = gateway.grants[OWNER][0].account
    widget = in_memory(world, account).dashboards[1].widgets[0]
    widget.json = {**widget.json, "reports": [{**widget.json["reports"][0], "nextReportAt": due - 3 * DAY_MS}]}
    widget.changed()
    assert await apps.ask(OWNER, Command.ADD_ENERGY, 1, "a-b-c") == OK  # answered after the commit that holds it
    await world.kill_state()
    await world.start_state()
    ran = await _patiently(gateway, lambda: [r for r in reports(world, account) if r["lastReportAt"]])
    assert (ran[0]["lastRunResult"], ran[0]["nextReportAt"]) == ("NO_DATA", due)
    world.owner.memory.evict(in_memory(world, account).shard)
    assert in_memory(world, account).idle_since == 0  # it stays: it has something to do


async def _patiently(gateway: Gateway, condition: Any) -> Any:
    """The owner's second comes by itself; a heartbeat is answered after it."""
    with anyio.fail_after(10):
        while not (found := condition()):
            gateway.beat()
            await anyio.sleep(0.05)
    return found
