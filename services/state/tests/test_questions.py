"""What handlers ask and hand over, by the shell: real database, real bus (memory), several accounts and shards."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from state_shell import SHARDS, Gateway, World
from vpin_messages.slab import Side, shard_of
from vpin_protocol import Command, app_frame
from vpin_store import StoreUnavailable

pytestmark = pytest.mark.anyio

OWNER, USERS = 1, range(2, 6)
OK, SERVER_ERROR = 200, 19
BUTTON = {"type": "BUTTON", "id": 1, "width": 1, "height": 1, "pinType": "VIRTUAL", "pin": 1}
FACE = {"id": 2, "name": "face", "parentId": 1, "devices": [{"id": 0, "boardType": "ESP8266"}], "widgets": [BUTTON]}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
async def gateway(world: World) -> Gateway:
    gateway = await world.gateway()
    await gateway.ask(OWNER, Side.APP, Command.REGISTER, "a@example.com", "hash", "Blynk")
    await gateway.log_in(OWNER, Side.APP, Command.LOGIN, "a@example.com", "hash")
    return gateway


class Apps:
    """Message ids, one after the other."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.last = 100

    async def ask(self, session: int, command: int, *parts: object) -> Any:
        """Body or status of the answer."""
        self.last += 1
        number = self.last
        texts = (json.dumps(part) if isinstance(part, dict) else str(part) for part in parts)
        self.gateway.send(session, app_frame(command, number, "\0".join(texts).encode()))
        found = await self.gateway.wait(
            lambda: next((m for m in self.gateway.messages(session) if m[1] == number and m[0] in (0, command)), None)
        )
        return found[2]

    async def profile(self, session: int) -> Any:
        return json.loads(zlib.decompress(await self.ask(session, Command.LOAD_PROFILE)))


async def test_users_of_an_app_get_its_project_its_tokens_and_its_new_faces(world: World, gateway: Gateway) -> None:
    apps = Apps(gateway)
    assert await apps.ask(OWNER, Command.CREATE_DASH, {"id": 1, "name": "first"}) == OK
    assert await apps.ask(OWNER, Command.CREATE_DASH, FACE) == OK
    app = {"theme": "Blynk", "provisionType": "DYNAMIC", "name": "Mine", "projectIds": [2]}
    app_id = json.loads(await apps.ask(OWNER, Command.CREATE_APP, app))["id"]
    for user in USERS:
        await gateway.ask(user, Side.APP, Command.REGISTER, f"{user}@example.com", "hash", app_id)
        await gateway.log_in(user, Side.APP, Command.LOGIN, f"{user}@example.com", "hash", "Android", "2.0.0", app_id)
        (dash,) = (await apps.profile(user))["dashBoards"]
        assert dash["name"] == "face"
        await gateway.log_in(100 + user, Side.HARDWARE, Command.HARDWARE_LOGIN, dash["devices"][0]["token"])
    assert {shard_of(gateway.grants[user][0].account, SHARDS) for user in USERS} == set(range(SHARDS))
    absent = gateway.grants[2][0].account
    del world.owner.accounts[absent]
    assert await apps.ask(OWNER, Command.DELETE_APP, app_id) != OK
    assert await apps.ask(OWNER, Command.UPDATE_FACE, 1) == OK
    await gateway.wait(lambda: gateway.closed >= set(USERS) - {2})
    for user in USERS:
        await gateway.log_in(10 + user, Side.APP, Command.LOGIN, f"{user}@example.com", "hash", "", "x", app_id)
        (dash,) = (await apps.profile(10 + user))["dashBoards"]
        assert (dash["name"], dash.get("widgets"), len(dash["devices"])) == ("first", None, 1)


async def test_a_clone_code_outlives_the_process(world: World, gateway: Gateway) -> None:
    apps = Apps(gateway)
    await apps.ask(OWNER, Command.CREATE_DASH, FACE)
    code = (await apps.ask(OWNER, Command.GET_CLONE_CODE, 2)).decode()
    await world.kill_state()
    await world.start_state()
    gateway.beat()
    made = json.loads(zlib.decompress(await apps.ask(OWNER, Command.PROJECT_BY_CLONE_CODE, code, "new")))
    assert (made["id"], made["name"]) == (3, "face")


async def test_while_the_database_is_away_a_question_is_answered_19(
    world: World, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(tokens: list[str]) -> Any:
        raise StoreUnavailable("away")

    apps = Apps(gateway)
    monkeypatch.setattr(world.store.tokens, "find", away)
    assert await apps.ask(OWNER, Command.PROJECT_BY_TOKEN, "x") == SERVER_ERROR
    monkeypatch.undo()
    assert await apps.ask(OWNER, Command.PROJECT_BY_TOKEN, "x") == 6


async def test_a_share_log_in_needs_the_switch_and_may_be_tried_again(world: World, gateway: Gateway) -> None:
    apps = Apps(gateway)
    await apps.ask(OWNER, Command.CREATE_DASH, {"id": 1, "name": "first"})
    token = (await apps.ask(OWNER, Command.GET_SHARE_TOKEN, 1)).decode()
    refused = await gateway.ask(50, Side.APP, Command.SHARE_LOGIN, "a@example.com", token)
    assert refused.grant is None
    assert not refused.close
    assert await apps.ask(OWNER, Command.SHARING, 1, "on") == OK
    assert (await gateway.ask(50, Side.APP, Command.SHARE_LOGIN, "b@example.com", token)).grant is None
    await gateway.log_in(50, Side.APP, Command.SHARE_LOGIN, "A@example.com", token)
    profile = await apps.profile(50)
    assert [dash["name"] for dash in profile["dashBoards"]] == ["first"]
