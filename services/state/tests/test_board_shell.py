"""Boards against a running state service: provision tokens, reading once a second."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from state_shell import Gateway, World
from vpin_messages.slab import Side
from vpin_protocol import Command, app_frame
from vpin_state import clockwork

pytestmark = pytest.mark.anyio

APP, BOARD = 1, 2
GAUGE = {"id": 1, "type": "GAUGE", "x": 0, "y": 0, "width": 1, "height": 1, "deviceId": 0}
DASH = {"id": 1, "name": "test", "createdAt": 1, "isActive": True}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


async def at_home(world: World, **dash: object) -> Gateway:
    gateway = await world.gateway()
    await gateway.ask(APP, Side.APP, Command.REGISTER, "a@example.com", "hash", "Blynk")
    await gateway.log_in(APP, Side.APP, Command.LOGIN, "a@example.com", "hash")
    gateway.send(APP, app_frame(Command.CREATE_DASH, 5, json.dumps(DASH | dash).encode()))
    return gateway


async def call(gateway: Gateway, command: int, message_id: int, body: str) -> bytes:
    gateway.send(APP, app_frame(command, message_id, body.encode()))
    return (await gateway.wait(lambda: next((m for m in gateway.messages(APP) if m[1] == message_id), None)))[2]


async def test_a_board_joins_the_project_with_a_provision_token(world: World) -> None:
    gateway = await at_home(world)
    assert json.loads(await call(gateway, Command.GET_DEVICES, 6, "1")) == []
    made = json.loads(
        await call(gateway, Command.PROVISION_TOKEN, 7, '1\0{"id":3,"name":"pump","boardType":"ESP8266"}')
    )
    for number in (BOARD, BOARD + 1):  # it makes the device once, and is its token from then on
        await gateway.log_in(number, Side.HARDWARE, Command.HARDWARE_LOGIN, made["token"])
    (device,) = json.loads(await call(gateway, Command.GET_DEVICES, 8, "1"))
    assert (device["id"], device["name"], device["token"], device["status"]) == (3, "pump", made["token"], "ONLINE")
    await world.stop_state()
    await world.start_state()
    assert (await gateway.ask(9, Side.HARDWARE, Command.HARDWARE_LOGIN, made["token"])).grant is not None


async def test_a_provision_token_expires(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = await at_home(world)
    made = json.loads(
        await call(gateway, Command.PROVISION_TOKEN, 7, '1\0{"id":3,"name":"pump","boardType":"ESP8266"}')
    )
    now = time.time_ns()
    monkeypatch.setattr("vpin_state.entry.time.time_ns", lambda: now + 8 * 24 * 3600 * 10**9)
    assert (await gateway.ask(BOARD, Side.HARDWARE, Command.HARDWARE_LOGIN, made["token"])).grant is None


async def test_a_new_owner_goes_on_reading(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clockwork, "TICK_SECONDS", 0.05)
    await world.stop_state()
    await world.start_state()
    device = {"id": 0, "name": "b", "boardType": "ESP8266"}
    gauge = GAUGE | {"pin": 7, "pinType": "ANALOG", "frequency": 100}
    gateway = await at_home(world, devices=[device], widgets=[gauge])
    token = json.loads(await call(gateway, Command.GET_DEVICES, 6, "1"))[0]["token"]
    await gateway.log_in(BOARD, Side.HARDWARE, Command.HARDWARE_LOGIN, token)

    def reads() -> int:
        return gateway.messages(BOARD).count((Command.HARDWARE, 7778, b"ar\x007"))

    await gateway.wait(lambda: reads() >= 3)
    await world.kill_state()
    before = reads()
    await world.start_state()
    gateway.send(BOARD, b"")
    gateway.send(APP, b"")
    await gateway.wait(lambda: reads() >= before + 2)
