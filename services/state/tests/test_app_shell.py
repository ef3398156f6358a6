"""Apps against a running state service: what goes from one account to others, and what survives the process."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from state_shell import SHARDS, Gateway, World
from vpin_messages.slab import Side, Up, shard_of
from vpin_protocol import Command, app_frame

pytestmark = pytest.mark.anyio

OK, ILLEGAL, NOT_ALLOWED, SERVER_ERROR = 200, 2, 6, 19
PUBLISHER, USER, GUEST, BOARD = 1, 2, 3, 4
BOARDS = [{"id": 0, "boardType": "ESP8266"}]


def button(number: int, pin: int) -> dict[str, Any]:
    return {"type": "BUTTON", "id": number, "width": 1, "height": 1, "pinType": "VIRTUAL", "pin": pin}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


class Apps:
    """Apps of one gateway, by the numbers of their sessions."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.message_id = 100

    async def enter(self, session: int, email: str, app: str = "Blynk", *, new: bool = True) -> None:
        if new:
            assert (await self.gateway.ask(session, Side.APP, Command.REGISTER, email, "hash", app)).registered
        await self.gateway.log_in(session, Side.APP, Command.LOGIN, email, "hash", "Android", "2.27.1", app)

    async def call(self, session: int, command: int, *fields: object) -> Any:
        """The status, or the JSON, that answers; text where it is none."""
        self.message_id = number = self.message_id + 1
        parts = [json.dumps(field) if isinstance(field, dict) else str(field) for field in fields]
        self.gateway.send(session, app_frame(command, number, "\0".join(parts).encode()))
        (answer,) = await self.gateway.wait(lambda: [m for m in self.gateway.messages(session) if m[1] == number])
        if answer[0] == 0:
            return answer[2]
        text = zlib.decompress(answer[2]) if answer[2][:1] == b"\x78" else answer[2]
        return json.loads(text) if text[:1] in (b"{", b"[") else text.decode()


@pytest.fixture
async def apps(world: World) -> Apps:
    """A publisher with project 1, its face 2 and an app of that."""
    apps = Apps(await world.gateway())
    await apps.enter(PUBLISHER, "publisher@example.com")
    assert await apps.call(PUBLISHER, Command.CREATE_DASH, {"id": 1, "name": "parent", "widgets": [button(1, 1)]}) == OK
    face = {"id": 2, "name": "face", "parentId": 1, "widgets": [button(1, 1)], "devices": BOARDS}
    assert await apps.call(PUBLISHER, Command.CREATE_DASH, face) == OK
    return apps


async def publish(apps: Apps) -> str:
    app = {"theme": "Blynk", "provisionType": "DYNAMIC", "name": "mine", "projectIds": [2]}
    return (await apps.call(PUBLISHER, Command.CREATE_APP, app))["id"]


def another_shard(gateway: Gateway) -> bool:
    one, other = (shard_of(gateway.grants[session][0].account, SHARDS) for session in (PUBLISHER, USER))
    return one != other


async def test_a_new_face_reaches_the_users_of_the_app_and_they_load_it_anew(apps: Apps) -> None:
    gateway, app, email = apps.gateway, await publish(apps), ""
    for email in (f"user{n}@example.com" for n in range(9)):
        await apps.enter(USER, email, app)
        if another_shard(gateway):
            break
    (before,) = (await apps.call(USER, Command.LOAD_PROFILE))["dashBoards"]
    assert (before["id"], before["name"], before["parentId"], before["isActive"]) == (1, "face", 1, True)
    token = before["devices"][0]["token"]
    assert await apps.call(PUBLISHER, Command.DELETE_APP, app) == NOT_ALLOWED, "it has users"
    assert await apps.call(PUBLISHER, Command.CREATE_WIDGET, 1, button(2, 7)) == OK
    assert await apps.call(PUBLISHER, Command.UPDATE_FACE, 1) == OK
    await gateway.wait(lambda: USER in gateway.closed)
    await apps.enter(GUEST, email, app, new=False)
    (after,) = (await apps.call(GUEST, Command.LOAD_PROFILE))["dashBoards"]
    assert (after["name"], [w["pin"] for w in after["widgets"]]) == ("parent", [1, 7])
    assert after["devices"][0]["token"] == token
    assert [w["pin"] for w in (await apps.call(PUBLISHER, Command.LOAD_PROFILE, 2))["widgets"]] == [1, 7]


async def test_a_clone_code_outlives_project_and_process_and_is_for_users_of_any_app(world: World, apps: Apps) -> None:
    code = await apps.call(PUBLISHER, Command.GET_CLONE_CODE, 1)
    assert len(code) == 32
    assert await apps.call(PUBLISHER, Command.DELETE_DASH, 1) == OK
    await world.stop_state()
    await world.start_state()
    await apps.enter(USER, "user@example.com", "AnotherApp")
    assert (await apps.call(USER, Command.PROJECT_BY_CLONE_CODE, code))["name"] == "parent"
    made = await apps.call(USER, Command.PROJECT_BY_CLONE_CODE, code, "new")
    assert (made["id"], made["name"]) == (1, "parent")
    assert await apps.call(USER, Command.PROJECT_BY_CLONE_CODE, code[:-1] + "?", "new") == SERVER_ERROR


async def test_of_two_tokens_for_one_device_the_first_that_is_used_counts(apps: Apps) -> None:
    gateway = apps.gateway
    first, second = [
        (await apps.call(PUBLISHER, Command.PROVISION_TOKEN, 1, {"id": 5, "boardType": "ESP8266", "name": name}))[
            "token"
        ]
        for name in ("one", "two")
    ]
    assert await apps.call(PUBLISHER, Command.GET_DEVICES, 1) == []
    await gateway.log_in(BOARD, Side.HARDWARE, Command.HARDWARE_LOGIN, second)
    assert (Command.HARDWARE_CONNECTED, 1, b"1-5") in gateway.messages(PUBLISHER)
    answer = await gateway.ask(BOARD + 1, Side.HARDWARE, Command.HARDWARE_LOGIN, first)
    assert answer.grant is not None  # the owner knows better
    gateway.grants[BOARD + 1] = (answer.grant, Side.HARDWARE)
    gateway.send(BOARD + 1, b"", kind=Up.OPEN)
    await gateway.wait(lambda: BOARD + 1 in gateway.closed)
    assert gateway.responses(BOARD + 1) == [(1, 9)]
    (device,) = await apps.call(PUBLISHER, Command.GET_DEVICES, 1)
    assert (device["name"], device["token"], device["status"]) == ("two", second, "ONLINE")
    assert await apps.call(PUBLISHER, Command.PROVISION_TOKEN, 1, {"id": 5, "boardType": "ESP8266"}) == NOT_ALLOWED


async def test_a_provision_token_dies_with_its_project(apps: Apps) -> None:
    """Also where another project has its id by then."""
    gateway = apps.gateway
    made = await apps.call(PUBLISHER, Command.PROVISION_TOKEN, 1, {"id": 5, "boardType": "ESP8266"})
    assert await apps.call(PUBLISHER, Command.DELETE_DASH, 1) == OK
    assert await apps.call(PUBLISHER, Command.CREATE_DASH, {"id": 1, "name": "another", "createdAt": 5}) == OK
    answer = await gateway.ask(BOARD, Side.HARDWARE, Command.HARDWARE_LOGIN, made["token"])
    assert answer.grant is not None
    gateway.grants[BOARD] = (answer.grant, Side.HARDWARE)
    gateway.send(BOARD, b"", kind=Up.OPEN)
    await gateway.wait(lambda: BOARD in gateway.closed)
    assert gateway.responses(BOARD) == [(1, 9)]
    assert await apps.call(PUBLISHER, Command.GET_DEVICES, 1) == []


async def test_every_session_of_the_account_is_told_and_ends_for_itself(apps: Apps) -> None:
    gateway = apps.gateway
    await apps.enter(USER, "publisher@example.com", new=False)
    token = await apps.call(PUBLISHER, Command.GET_SHARE_TOKEN, 2)
    await apps.call(PUBLISHER, Command.SHARING, 2, "on")
    await gateway.log_in(GUEST, Side.APP, Command.SHARE_LOGIN, "publisher@example.com", token)
    await apps.call(PUBLISHER, Command.ACTIVATE, 2)
    await gateway.wait(lambda: [m for m in gateway.messages(GUEST) if m[0] == Command.ACTIVATE])
    assert [m[2] for m in gateway.messages(USER) if m[0] == Command.ACTIVATE] == [b"2"]
    assert await apps.call(USER, Command.LOGOUT) == OK
    await gateway.wait(lambda: USER in gateway.closed)
    fresh = await apps.call(PUBLISHER, Command.REFRESH_SHARE_TOKEN, 2)
    await gateway.wait(lambda: GUEST in gateway.closed)
    assert gateway.messages(GUEST)[-1][::2] == (0, NOT_ALLOWED)
    assert fresh != token
    assert PUBLISHER not in gateway.closed
    assert await apps.call(PUBLISHER, Command.GET_ENERGY) == str(100_000 - 200 - 1000)
