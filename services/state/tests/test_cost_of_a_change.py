"""What a change in a large account costs the database: its own rows and nothing else of the account (issue 5)."""

from __future__ import annotations

import gc
import json
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path

import pytest
from state_shell import Gateway, World
from vpin_messages.slab import Side
from vpin_protocol import Command, app_frame
from vpin_state import memory
from vpin_store.rows import Changes
from vpin_store.statements import operations

pytestmark = pytest.mark.anyio

APP = 1
PLACE = {"x": 0, "y": 0, "width": 1, "height": 1}
WIDGETS = [{"type": "BUTTON", "id": n, "pinType": "VIRTUAL", "pin": n, "deviceId": 0, **PLACE} for n in range(50)]
DEVICES = [{"id": n, "name": f"b{n}", "boardType": "ESP8266"} for n in range(10)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


async def large_account(world: World) -> Gateway:
    gateway = await world.gateway()
    await gateway.ask(APP, Side.APP, Command.REGISTER, "a@example.com", "hash", "Blynk")
    await gateway.log_in(APP, Side.APP, Command.LOGIN, "a@example.com", "hash")
    for number in range(1, 21):
        dash = {"id": number, "parentId": 1, "createdAt": 1, "widgets": WIDGETS, "devices": DEVICES}
        await change(gateway, Command.CREATE_DASH, json.dumps(dash))
    return gateway


async def change(gateway: Gateway, command: int, body: str) -> None:
    """Send it, and wait for the 200 that follows the commit."""
    count = len(gateway.responses(APP))
    gateway.send(APP, app_frame(command, 9, body.encode()))
    await gateway.wait(lambda: len(gateway.responses(APP)) > count)
    assert gateway.responses(APP)[-1] == (9, 200)


async def cost(world: World, gateway: Gateway, command: int, body: str) -> tuple[dict[str, int], int, int]:
    """(rows by table without the numbers of slabs, statements, bytes of JSON) of the commits of one command."""
    commits: list[Changes] = []
    commit = world.store.commit

    async def watched(changes: Changes) -> None:
        commits.append(changes)
        await commit(changes)

    world.store.commit = watched  # type: ignore[method-assign]  to look at what goes through
    try:
        await change(gateway, command, body)
    finally:
        world.store.commit = commit  # type: ignore[method-assign]
    lists = [f.name for f in fields(Changes) if f.name not in ("applied", "shards", "owner", "at", "id")]
    rows = {name: count for name in lists if (count := sum(len(getattr(c, name)) for c in commits))}
    statements = sum(len(list(operations(changes))) for changes in commits)
    size = sum(len(row.body) for changes in commits for row in [*changes.widgets, *changes.dashboards])
    return rows, statements, size


async def test_a_changed_widget_is_one_row(world: World):
    gateway = await large_account(world)
    widget = json.dumps({**WIDGETS[7], "label": "new"})
    rows, statements, size = await cost(world, gateway, Command.UPDATE_WIDGET, f"3\0{widget}")
    assert rows == {"widgets": 1, "dashboards": 1}  # of the dashboard its time of change and settings
    assert statements <= 3  # and the slab's number
    assert size < 1000


async def test_a_written_value_is_one_row(world: World):
    gateway = await large_account(world)
    gateway.send(APP, app_frame(Command.HARDWARE, 8, b"3-0\0vw\0005\00012"))
    rows, *_ = await cost(world, gateway, Command.PING, "")
    assert rows.get("values", 0) <= 1
    assert not rows.keys() - {"values"}


async def test_a_moved_widget_leaves_its_neighbours_alone(world: World):
    gateway = await large_account(world)
    widget = json.dumps({"type": "LED", "id": 99, "pinType": "VIRTUAL", "pin": 99, **PLACE})
    rows, *_ = await cost(world, gateway, Command.CREATE_WIDGET, f"3\0{widget}")
    assert rows == {"widgets": 1, "dashboards": 1, "accounts": 1}  # the account pays with energy


async def test_forgotten_accounts_give_their_memory_back(world: World, monkeypatch: pytest.MonkeyPatch):
    await large_account(world)
    await world.stop_state()
    kept = world.owner.memory
    ids = set(kept.accounts)
    kept.accounts.clear()
    await kept.load(ids, 0, 0)
    before = gc.get_freeze_count()  # what was loaded is left alone by the garbage collector
    monkeypatch.setattr(memory, "FEW", 0)
    kept.forget(0)
    assert gc.get_freeze_count() < before - 1000
    await world.start_state()
