"""The model over a restart of a running state service: what was changed in memory is what is loaded again."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from state_shell import Gateway, World
from vpin_messages.slab import Side
from vpin_protocol import Command, app_frame

pytestmark = pytest.mark.anyio

APP = 1
LED = {"type": "LED", "width": 1, "height": 1}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


async def ask(gateway: Gateway, message_id: int, command: int, body: str) -> Any:
    gateway.send(APP, app_frame(command, message_id, body.encode()))
    return (await gateway.wait(lambda: next((m for m in gateway.messages(APP) if m[1] == message_id), None)))[2]


async def widgets(gateway: Gateway, message_id: int) -> list[int]:
    project = json.loads(zlib.decompress(await ask(gateway, message_id, Command.LOAD_PROFILE, "1")))
    return [widget["id"] for widget in project["widgets"]]


async def test_widgets_keep_their_order(world: World) -> None:
    gateway = await world.gateway()
    await gateway.ask(APP, Side.APP, Command.REGISTER, "a@example.com", "hash", "Blynk")
    await gateway.log_in(APP, Side.APP, Command.LOGIN, "a@example.com", "hash")
    project = {"id": 1, "widgets": [LED | {"id": number} for number in (1, 2, 3)]}
    assert await ask(gateway, 11, Command.CREATE_DASH, json.dumps(project)) == 200
    for number in (1, 2):
        assert await ask(gateway, 20 + number, Command.DELETE_WIDGET, f"1\0{number}") == 200
    assert await ask(gateway, 31, Command.CREATE_WIDGET, "1\0" + json.dumps(LED | {"id": 4})) == 200
    assert await widgets(gateway, 41) == [3, 4]
    await world.stop_state()
    await world.start_state()
    await gateway.log_in(APP, Side.APP, Command.LOGIN, "a@example.com", "hash")
    assert await widgets(gateway, 42) == [3, 4]
