"""Timers and campaigns in a running state service: who is in memory after a restart, and what every owner knows."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from state_shell import SHARDS, Gateway, World
from vpin_messages.slab import Side, Up, up_entry
from vpin_protocol import Command, app_frame
from vpin_store.rows import CampaignRow, Changes

pytestmark = pytest.mark.anyio

APP = 1
DASH = {"id": 1, "name": "test", "createdAt": 1, "isActive": True, "devices": [{"id": 0, "boardType": "ESP8266"}]}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


async def home(world: World) -> Gateway:
    gateway = await world.gateway()
    assert (await gateway.ask(APP, Side.APP, Command.REGISTER, "a@example.com", "hash", "Blynk")).registered
    await gateway.log_in(APP, Side.APP, Command.LOGIN, "a@example.com", "hash")
    await ask(gateway, Command.CREATE_DASH, 5, json.dumps(DASH))
    return gateway


async def ask(gateway: Gateway, command: int, number: int, *parts: str) -> None:
    """Send a message of the app and wait for its 200."""
    gateway.send(APP, app_frame(command, number, "\0".join(parts).encode()))
    await gateway.wait(lambda: (number, 200) in gateway.responses(APP))


def timer(ahead: int) -> str:
    second = int(time.time() + ahead) % 86_400
    pin = {"type": "TIMER", "id": 2, "width": 1, "height": 1, "pinType": "VIRTUAL", "pin": 12}
    return json.dumps({**pin, "startTime": second, "startValue": "on"})


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(8):
        while not condition():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.02)


async def timed(world: World) -> bool:
    return bool(await world.store.timed_accounts())


async def test_a_timer_rings_after_a_restart_though_nobody_came(world: World) -> None:
    gateway = await home(world)
    await ask(gateway, Command.CREATE_WIDGET, 6, "1", timer(4))
    await world.kill_state()
    await world.start_state()
    gateway.beat()  # a shard is claimed with its first delivery

    def rung() -> bool:
        (account,) = list(world.owner.accounts.values()) or [None]
        return account is not None and account.dashboards[1].bank(0).pin(ord("v"), 12).value == b"on"

    await until(rung)


async def test_accounts_are_timed_while_they_have_something_to_do(world: World) -> None:
    gateway = await home(world)
    assert not await timed(world), "an account that was just made has been looked at"
    await ask(gateway, Command.CREATE_WIDGET, 6, "1", timer(1000))
    assert await timed(world), "the answer comes after the commit that says so"
    await ask(gateway, Command.UPDATE_WIDGET, 7, "1", timer(1000).replace('"on"', '""'))
    assert not await timed(world)
    await ask(gateway, Command.UPDATE_WIDGET, 8, "1", timer(1000))
    await ask(gateway, Command.DELETE_DASH, 9, "1")
    assert not await timed(world)


async def test_an_account_that_was_imported_is_looked_at_once(world: World) -> None:
    await home(world)
    await world.stop_state()
    (row,) = await world.store.list_accounts(10)
    assert not row.timed
    await world.store.commit(Changes(accounts=[row._replace(timed=True)]))
    await world.start_state()
    gateway = await world.gateway()
    gateway.beat()
    async with asyncio.timeout(5):
        while await timed(world):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.02)


async def test_campaigns_are_read_when_told_and_at_a_claim(world: World) -> None:
    gateway = await home(world)
    assert world.owner.campaigns.rows == []
    row = CampaignRow("x.bin", 0, "", "new", 1, "admin")
    await world.store.firmware.start_campaign(row)
    for outlet in gateway.up:
        outlet.add(up_entry(Up.CAMPAIGNS, 77))
    await until(lambda: world.owner.campaigns.rows == [row])
    await world.kill_state()
    await world.start_state()
    gateway.beat()
    await until(lambda: world.owner.campaigns.rows == [row])
    await world.store.firmware.stop_campaigns()
    for outlet in gateway.up:
        outlet.add(up_entry(Up.CAMPAIGNS, 78))
    await until(lambda: world.owner.campaigns.rows == [])
    assert len(gateway.up) == SHARDS
