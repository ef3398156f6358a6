"""What an app may say before it is logged in, and who is let in (spec 02, 3 and 10)."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from state_shell import Gateway, World
from vpin_messages import entry, slab
from vpin_messages.entry import EntryAnswer, EntryBatch, EntryRequest
from vpin_messages.slab import Side, Up
from vpin_protocol import Command, app_frame, app_response, hardware_response
from vpin_state.entry import Entry
from vpin_state.settings import EntrySettings
from vpin_store.rows import Changes

pytestmark = pytest.mark.anyio

EMAIL = "a@example.com"
OK, ILLEGAL, UNKNOWN, TAKEN, WRONG, NOT_ALLOWED, BAD_TOKEN, BAD_BODY = 200, 2, 3, 4, 5, 6, 9, 11
APP, GUEST, OTHER = 1, 2, 3
LONGEST = f"{'l' * 64}@{'d' * 63}.{'d' * 63}.{'d' * 58}.com"
"""255 characters."""
_numbers = itertools.count(100)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
async def gateway(world: World) -> Gateway:
    """One account is registered and logged in (session 1), with a project 1 that has a device."""
    gateway = await world.gateway()
    assert (await gateway.ask(APP, Side.APP, Command.REGISTER, EMAIL, "hash", "Blynk")).registered
    await gateway.log_in(APP, Side.APP, Command.LOGIN, EMAIL, "hash")
    dash = {"id": 1, "name": "p", "isActive": True, "devices": [{"id": 0, "boardType": "ESP8266"}]}
    await call(gateway, Command.CREATE_DASH, json.dumps(dash))
    return gateway


async def call(gateway: Gateway, command: int, *fields: object) -> bytes | int:
    """What answers the app that is logged in."""
    message_id = next(_numbers)
    gateway.send(APP, app_frame(command, message_id, "\0".join(map(str, fields)).encode()))
    return (await gateway.wait(lambda: [m for m in gateway.messages(APP) if m[1] == message_id]))[0][2]


async def text(gateway: Gateway, command: int, *fields: object) -> str:
    answer = await call(gateway, command, *fields)
    assert isinstance(answer, bytes), answer
    return answer.decode()


def status_of(answer: EntryAnswer) -> int:
    """What a client is told; 200 for a grant."""
    return OK if answer.grant else int.from_bytes(answer.frames[3:], "big")


async def status(gateway: Gateway, command: int, *fields: str, session: int = OTHER) -> int:
    answer = await gateway.ask(session, Side.APP, command, *fields)
    assert not answer.close
    return status_of(answer)


# -- register


REGISTRATIONS: list[tuple[tuple[str, ...], int]] = [
    ((), ILLEGAL),
    (("new@example.com",), ILLEGAL),
    (("new@example.com", "hash"), ILLEGAL),
    (("new@example.com", "hash", ""), ILLEGAL),
    (("new@example.com", "", "Blynk"), ILLEGAL),
    (("example.com", "hash", "Blynk"), ILLEGAL),
    (("new?@example.com", "hash", "Blynk"), ILLEGAL),
    (("new@example", "hash", "Blynk"), ILLEGAL),
    ((LONGEST.replace("com", "comm"), "hash", "Blynk"), ILLEGAL),
    ((LONGEST, "hash", "Blynk"), OK),
    ((f"  {EMAIL.upper()} ", "hash", "Blynk"), TAKEN),
    ((EMAIL, "hash", "blynkabcdefgh"), OK),
]


async def test_registering(gateway: Gateway) -> None:
    for fields, expected in REGISTRATIONS:
        answer = await gateway.ask(OTHER, Side.APP, Command.REGISTER, *fields)
        assert status_of(answer) == expected, fields
        assert answer.grant is None
        assert answer.registered == (expected == OK)


async def test_a_second_registration_of_a_connection_closes_it(gateway: Gateway) -> None:
    again = EntryRequest(OTHER, Side.APP, Command.REGISTER, 1, b"new@example.com\0hash\0Blynk", "", registered=True)
    body = entry.encode(EntryBatch(gateway.sender, [again]))
    gateway.entry.add(len(body).to_bytes(4, "big") + body)
    answer = await gateway.wait(lambda: gateway.answers.get(OTHER))
    assert answer == EntryAnswer(frames=app_response(1, NOT_ALLOWED), close=True)
    assert await status(gateway, Command.LOGIN, "new@example.com", "hash") == UNKNOWN


async def test_so_many_registrations_an_hour_and_no_more(world: World, gateway: Gateway) -> None:
    """Of the whole server: whichever process takes them, and over its restarts; the account of the fixture is one."""

    async def begin_again(limit: int) -> None:
        await world.entry.stop()
        world.entry = Entry(world.bus, world.store, world.owner, EntrySettings("host", limit, 100_000))
        await world.entry.start()

    async def register(name: str, session: int = OTHER) -> int:
        return await status(gateway, Command.REGISTER, f"{name}@example.com", "hash", "Blynk", session=session)

    await begin_again(4)
    assert await register("bad?") == ILLEGAL
    assert await register("b") == OK
    answers = await asyncio.gather(*(register(f"at-once-{n}", 20 + n) for n in range(5)))
    assert sorted(answers) == [NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED, OK, OK]
    await begin_again(4)
    assert await register("d") == NOT_ALLOWED
    assert await register("b") == TAKEN, "which wins"
    first = await world.store.find_account(EMAIL, "Blynk")
    assert first is not None
    await world.store.commit(Changes(accounts=[first._replace(created_at=first.created_at - 3_600_001)]))
    assert await register("d") == OK
    assert await register("e") == NOT_ALLOWED
    await begin_again(0)
    assert await register("e") == NOT_ALLOWED


async def test_a_new_account_has_its_energy_and_an_empty_profile(gateway: Gateway) -> None:
    await status(gateway, Command.REGISTER, "new@example.com", "hash", "Blynk")
    await gateway.log_in(OTHER, Side.APP, Command.LOGIN, "new@example.com", "hash")
    gateway.send(OTHER, app_frame(Command.GET_ENERGY, 7))
    (found,) = await gateway.wait(lambda: [m for m in gateway.messages(OTHER) if m[1] == 7])
    assert found[2] == b"100000"


# -- log-in


LOGINS: list[tuple[tuple[str, ...], int]] = [
    ((), ILLEGAL),
    ((EMAIL,), ILLEGAL),
    ((EMAIL, ""), ILLEGAL),
    ((EMAIL, "wrong"), WRONG),
    (("b@example.com", "hash"), UNKNOWN),
    ((f" {EMAIL}", "hash"), UNKNOWN),  # blanks are taken off at the registration only
    ((EMAIL.upper(), "hash"), OK),
    ((EMAIL, "hash", "Android"), OK),
    ((EMAIL, "hash", "Android", "2.27.1"), OK),
    ((EMAIL, "hash", "iOS", "2.27.1", "Blynk"), OK),
    ((EMAIL, "hash", "iOS", "2.27.1", "Other"), UNKNOWN),
    ((EMAIL, "hash", "iOS", "2.27.1", "facebook"), NOT_ALLOWED),
]


async def test_logging_in(gateway: Gateway) -> None:
    for command in (Command.LOGIN, Command.HARDWARE_LOGIN):
        for fields, expected in LOGINS:
            assert await status(gateway, command, *fields) == expected, fields


async def test_after_ten_failures_log_ins_are_slow_and_nobody_is_locked_out(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    slow: list[float] = []
    later = loop.call_later

    def at_once(seconds: float, callback: Any, *rest: Any, **context: Any) -> Any:
        if getattr(callback, "__name__", "") != "_send":
            return later(seconds, callback, *rest, **context)
        slow.append(seconds)
        return loop.call_soon(callback, *rest)

    monkeypatch.setattr(loop, "call_later", at_once)
    for _ in range(10):
        assert await status(gateway, Command.LOGIN, EMAIL, "wrong") == WRONG
    assert slow == []
    assert await status(gateway, Command.LOGIN, EMAIL.upper(), "wrong") == WRONG
    assert await status(gateway, Command.LOGIN, EMAIL, "hash") == OK
    assert slow == [1.0, 1.0]
    await status(gateway, Command.LOGIN, "b@example.com", "hash")
    await status(gateway, Command.GET_SERVER, EMAIL, "Blynk")
    assert slow == [1.0, 1.0], "others are not"


async def test_system_and_version_are_told_together_or_not_at_all(gateway: Gateway) -> None:
    async def said(*fields: str) -> tuple[str, str]:
        grant = (await gateway.ask(OTHER, Side.APP, Command.LOGIN, EMAIL, "hash", *fields)).grant
        assert grant is not None
        opening = entry.decode_opening(grant.opening)
        return opening.os, opening.version

    assert await said() == await said("Android") == ("", "")
    assert await said("Android", "2.27.1") == await said("Android", "2.27.1", "Blynk") == ("Android", "2.27.1")


async def test_an_account_without_a_password_says_so(world: World, gateway: Gateway) -> None:
    row = await world.store.find_account(EMAIL, "Blynk")
    assert row is not None
    await world.store.create_account(row._replace(id=0, email="f@example.com", password_hash="", is_facebook_user=True))
    assert await status(gateway, Command.LOGIN, "f@example.com", "hash") == 22


# -- get server


QUESTIONS: list[tuple[tuple[str, ...], int | None]] = [
    ((), ILLEGAL),
    ((EMAIL,), ILLEGAL),
    ((EMAIL, ""), ILLEGAL),
    ((EMAIL, "x" * 101), ILLEGAL),
    (("nobody", "x" * 101), ILLEGAL),  # which wins
    (("nobody", "Blynk"), BAD_BODY),
    ((EMAIL, "x" * 100), None),
    (("unknown@example.com", "Blynk"), None),
]


async def test_asking_for_the_server(gateway: Gateway) -> None:
    for side in (Side.APP, Side.WEB):
        for fields, expected in QUESTIONS:
            answer = await gateway.ask(OTHER, side, Command.GET_SERVER, *fields)
            frames = app_response(1, expected) if expected else app_frame(Command.GET_SERVER, 1, b"host")
            assert answer == EntryAnswer(frames=frames), fields


# -- guests


async def shared(gateway: Gateway) -> str:
    await call(gateway, Command.SHARING, 1, "on")
    return await text(gateway, Command.GET_SHARE_TOKEN, 1)


async def test_guests_need_the_token_its_owner_and_that_it_is_shared(gateway: Gateway) -> None:
    token = await shared(gateway)
    device = json.loads(await text(gateway, Command.GET_DEVICES, 1))[0]["token"]
    come = Command.SHARE_LOGIN
    assert await status(gateway, come, EMAIL) == ILLEGAL
    assert await status(gateway, come, EMAIL, "") == ILLEGAL
    assert await status(gateway, come, EMAIL, "x" * 32) == NOT_ALLOWED
    assert await status(gateway, come, EMAIL, device) == NOT_ALLOWED
    assert await status(gateway, come, "b@example.com", token) == NOT_ALLOWED
    assert await status(gateway, come, EMAIL.upper(), token) == OK
    assert await status(gateway, come, EMAIL, token, "Android", "2.27.1", "uid") == OK
    await call(gateway, Command.SHARING, 1, "off")
    assert await status(gateway, come, EMAIL, token) == NOT_ALLOWED
    await call(gateway, Command.UPDATE_SETTINGS, 1, '{"isShared":true}')
    assert await status(gateway, come, EMAIL, token) == OK, "the flag may be set otherwise, too"
    await call(gateway, Command.REFRESH_SHARE_TOKEN, 1)
    assert await status(gateway, come, EMAIL, token) == NOT_ALLOWED
    fresh = await text(gateway, Command.GET_SHARE_TOKEN, 1)
    await call(gateway, Command.DELETE_DASH, 1)
    assert await status(gateway, come, EMAIL, fresh) == NOT_ALLOWED


@pytest.mark.parametrize(
    ("command", "fields"),
    [(Command.REFRESH_SHARE_TOKEN, (1,)), (Command.SHARING, (1, "off")), (Command.DELETE_DASH, (1,))],
)
async def test_a_share_that_was_taken_back_meanwhile_lets_nobody_in(
    gateway: Gateway, command: int, fields: tuple[object, ...]
) -> None:
    token = await shared(gateway)
    answer = await gateway.ask(GUEST, Side.APP, Command.SHARE_LOGIN, EMAIL, token)
    assert answer.grant is not None
    await call(gateway, command, *fields)
    gateway.grants[GUEST] = (answer.grant, Side.APP)
    gateway.send(GUEST, b"", kind=Up.OPEN)
    await gateway.wait(lambda: GUEST in gateway.closed)
    assert gateway.responses(GUEST) == [(1, NOT_ALLOWED)]


def test_no_token_has_the_mark_of_a_full_session() -> None:
    """0 says that there is none; the checksum of this one would be that."""
    assert slab.credential("share-token-0000000000000194ygN8") != 0


# -- tokens are good for what they were made for


async def test_each_kind_of_token_opens_its_own_door_and_no_other(gateway: Gateway) -> None:
    """Device, share, provision, clone, flashed and reset tokens, and an app's id, for everybody who asks with them."""
    device = json.loads(await text(gateway, Command.GET_DEVICES, 1))[0]["token"]
    app = {"theme": "Blynk", "provisionType": "DYNAMIC", "name": "x", "projectIds": [1]}
    tokens = {
        "device": device,
        "share": await shared(gateway),
        "provision": json.loads(await text(gateway, Command.PROVISION_TOKEN, 1, '{"id":5,"boardType":"ESP8266"}'))[
            "token"
        ],
        "clone": await text(gateway, Command.GET_CLONE_CODE, 1),
        "app": json.loads(await text(gateway, Command.CREATE_APP, json.dumps(app)))["id"],
    }
    for kind, token in tokens.items():
        for door, answer in [
            ("share", await status(gateway, Command.SHARE_LOGIN, EMAIL, token)),
            ("reset", await status(gateway, Command.RESET_PASSWORD, "verify", token)),
            ("reset", await status(gateway, Command.RESET_PASSWORD, "reset", token, "stolen")),
        ]:
            assert answer == (OK if door == kind else NOT_ALLOWED), (kind, door)
        board = await gateway.ask(OTHER, Side.HARDWARE, Command.HARDWARE_LOGIN, token)
        if kind in ("device", "provision"):
            assert board.grant is not None, kind
        else:
            assert board.frames == hardware_response(1, BAD_TOKEN), kind
        for command in (Command.PROJECT_BY_TOKEN, Command.PROJECT_BY_CLONE_CODE):
            answer = await call(gateway, command, token)
            opens = kind == "clone" and command == Command.PROJECT_BY_CLONE_CODE
            assert isinstance(answer, bytes) == opens, (kind, command)
    assert await status(gateway, Command.LOGIN, EMAIL, "stolen") == WRONG
