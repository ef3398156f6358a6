"""Boards of Blynk server 0.41 by MQTT, as their owner sees them (spec 01, 9; 09, 3)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from state_shell import Gateway
from state_shell import World as Shell
from state_world import NOW, World
from vpin_messages.entry import EntryAnswer, EntryRequest, Opening
from vpin_messages.slab import SETTLE, Down, Side, Up, down_entry
from vpin_protocol import Command, app_frame, hardware_frame, hardware_response
from vpin_state.handlers import presence
from vpin_state.mqtt_entry import REFUSALS, MqttEntry
from vpin_state.session import Session

EMAIL = "a@example.com"
APP, BOARD, NEWER, PLAIN = 1, 2, 3, 4
LOGIN_ID = 65535
RULE = {
    "isActive": True,
    "triggerPin": {"pin": 1, "pinType": "VIRTUAL"},
    "condition": {"type": "GT", "value": 1},
    "actions": [{"type": "SETPIN", "pin": {"pin": 9, "pinType": "VIRTUAL"}, "value": "on"}],
}


def mqtt_session(world: World) -> Session:
    session = world._session(Side.MQTT, world.device)
    world.device.sessions.append(session)
    return session


def test_its_writes_are_any_boards(world: World) -> None:
    session = mqtt_session(world)
    world.send(session, Command.HARDWARE, b"vw", 1, 2, 3, message_id=7)
    assert world.sent_to(world.app) == [(Command.HARDWARE, 7, b"1-0\0vw\x001\x002\x003")]
    assert world.device.bank.pin(ord("v"), 1).value == b"2\x003"
    assert not world.fx.sends


def test_reads_are_told_the_apps_while_the_dashboard_is_active(world: World) -> None:
    session = mqtt_session(world)
    world.send(session, Command.HARDWARE, b"ar", 1, message_id=LOGIN_ID)
    assert world.sent_to(world.app) == [(Command.HARDWARE, LOGIN_ID, b"1-0\0ar\x001")]
    for body in ((b"ar", 999), (b"xr", 1), (b"vu", 1), (b"pm", 1), (b"arrr",), (b"arx", 1)):
        world.send(session, Command.HARDWARE, *body)
    world.dash.active = False
    world.send(session, Command.HARDWARE, b"ar", 1)
    assert not world.sent_to(world.app)


def test_reads_of_other_boards_are_ignored(world: World) -> None:
    world.send(world.board, Command.HARDWARE, b"ar", 1)
    assert not world.fx.sends


def test_rules_are_not_run(world: World) -> None:
    world.app_status(Command.CREATE_WIDGET, 1, {"id": 5, "type": "EVENTOR", "deviceId": 0, "rules": [RULE]})
    world.send(world.board, Command.HARDWARE, b"vw", 1, 5)
    assert world.device.bank.pin(ord("v"), 9).value == b"on"
    world.device.bank.pin(ord("v"), 9).value = None
    world.send(world.board, Command.HARDWARE, b"vw", 1, 0)
    world.send(mqtt_session(world), Command.HARDWARE, b"vw", 1, 6)
    assert world.device.bank.pin(ord("v"), 9).value is None
    assert world.device.bank.pin(ord("v"), 1).value == b"6"


def test_nothing_is_sent_to_it_and_it_counts_as_there(world: World) -> None:
    world.device.sessions.clear()
    session = mqtt_session(world)
    world.send(world.app, Command.HARDWARE, b"1", b"vw", 1, 5)
    world.send(world.app, Command.HARDWARE, b"1", b"vw", 1, b"x" * 1000)
    world.send(world.app, Command.ACTIVATE, 1, message_id=5)
    assert (0, 5, 200) in (sent := world.sent_to(world.app))
    assert not [frame for frame in sent if frame[0] == 0 and frame[2] == 7]
    assert not world.sent_to(session)


def test_pin_modes_and_the_resend_are_not_sent(world: World) -> None:
    world.app_status(
        Command.CREATE_WIDGET, 1, {"id": 5, "type": "BUTTON", "deviceId": 0, "pinType": "DIGITAL", "pin": 4}
    )
    session = mqtt_session(world)
    world.fx.begin(session, LOGIN_ID)
    presence.device_connected(world.fx, session, Opening(LOGIN_ID, Command.LOGIN, "10.0.0.1"))
    assert world.sent_to(session) == [(0, LOGIN_ID, 200)]
    assert world.sent_to(world.app) == [(Command.HARDWARE_CONNECTED, LOGIN_ID, b"1-0")]
    assert (world.device.connect_time, world.device.last_logged_ip) == (NOW, "10.0.0.1")


def test_the_newest_connection_takes_over_from_older_ones_of_mqtt(world: World) -> None:
    older, newer = mqtt_session(world), mqtt_session(world)
    world.fx.begin(newer, LOGIN_ID)
    presence.device_connected(world.fx, newer, Opening(LOGIN_ID, Command.LOGIN))
    assert world.fx.entries == [(older, down_entry(Down.CLOSE, older.id, b"\x8e"))]
    assert not older.closing  # its will still counts


class Bus:
    """What the entry asks: tokens and accounts, and how often."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    async def look_up(self, tokens: set[str]) -> dict[str, object]:
        self.asked.append(tokens)
        return {}

    async def find_accounts(self, emails: list[str]) -> list[object]:
        self.asked.append(emails)
        return []


def request(user: str, password: str, address: str = "10.0.0.1") -> EntryRequest:
    return EntryRequest(1, Side.MQTT, Command.LOGIN, LOGIN_ID, f"{user}\0{password}".encode(), address)


def test_a_refusal_says_nothing_looks_at_both_and_waits_after_a_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("vpin_state.mqtt_entry.time.monotonic", lambda: now[0])
    found = Bus()
    door = MqttEntry(found, found.look_up)  # type: ignore[arg-type]  # as much of them as it uses

    async def refused(user: str, password: str, address: str = "10.0.0.1") -> float:
        answer, delay = await door.answer(request(user, password, address))
        assert answer == EntryAnswer(hardware_response(LOGIN_ID, 9), close=True)
        return delay

    async def play() -> None:
        for user, password in (("", ""), ("device", "t" * 32), (EMAIL, "x"), (" A@Example.com ", "t" * 32)):
            assert await refused(user, password) == 0
        assert found.asked[-2:] == [{"t" * 32}, [EMAIL]]
        assert len(found.asked) == 8
        assert {await refused(EMAIL, "x") for _ in range(96)} == {0.0}
        assert await refused(EMAIL, "x") == 1.0
        assert await refused(EMAIL, "x", "10.0.0.2") == 0.0
        now[0] += 61
        assert await refused(EMAIL, "x") == 0.0

    asyncio.run(play())


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    shell = Shell(tmp_path)
    await shell.start()
    yield shell
    await shell.stop()


@pytest.fixture
async def gateway(shell: Shell) -> Gateway:
    """An account's app is logged in; its project 1 has device 0."""
    gateway = await shell.gateway()
    assert (await gateway.ask(APP, Side.APP, Command.REGISTER, EMAIL, "hash", "Blynk")).registered
    await gateway.log_in(APP, Side.APP, Command.LOGIN, EMAIL, "hash")
    dash = {"id": 1, "name": "p", "isActive": True, "devices": [{"id": 0, "boardType": "ESP8266"}]}
    gateway.send(APP, app_frame(Command.CREATE_DASH, 2, json.dumps(dash).encode()))
    gateway.send(APP, app_frame(Command.ACTIVATE, 3, b"1"))
    gateway.send(APP, app_frame(Command.GET_DEVICES, 4, b"1"))
    await gateway.wait(lambda: [m for m in gateway.messages(APP) if m[1] == 4])
    return gateway


def token(gateway: Gateway) -> str:
    (devices,) = (json.loads(m[2]) for m in gateway.messages(APP) if m[:2] == (Command.GET_DEVICES, 4))
    return devices[0]["token"]


async def log_in(gateway: Gateway, session: int) -> None:
    await gateway.log_in(session, Side.MQTT, Command.LOGIN, f" {EMAIL.upper()} ", token(gateway))


@pytest.mark.anyio
async def test_it_logs_in_with_the_mail_address_of_its_owner_and_its_token(shell: Shell, gateway: Gateway) -> None:
    for user, password in ((EMAIL, "x" * 32), ("b@example.com", token(gateway)), ("device", token(gateway)), ("", "")):
        answer = await gateway.ask(BOARD, Side.MQTT, Command.LOGIN, user, password)
        assert answer == EntryAnswer(hardware_response(1, 9), close=True)
    await log_in(gateway, BOARD)
    assert gateway.responses(BOARD) == [(1, 200)]
    await gateway.wait(lambda: (Command.HARDWARE_CONNECTED, 1, b"1-0") in gateway.messages(APP))
    gateway.send(BOARD, b"", Up.CLOSED)
    await gateway.wait(lambda: (Command.DEVICE_OFFLINE, 0, b"1-0") in gateway.messages(APP))


@pytest.mark.anyio
async def test_a_refusal_that_waits_holds_up_nobody(
    shell: Shell, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpin_state.mqtt_entry.DELAY", 0.3)
    for _ in range(REFUSALS):
        await gateway.ask(BOARD, Side.MQTT, Command.LOGIN, EMAIL, "x")
    late = asyncio.create_task(gateway.ask(BOARD, Side.MQTT, Command.LOGIN, EMAIL, "x"))
    await log_in(gateway, NEWER)
    assert not late.done()
    assert await late == EntryAnswer(hardware_response(1, 9), close=True)


@pytest.mark.anyio
async def test_what_settles_is_answered_behind_the_commit(shell: Shell, gateway: Gateway) -> None:
    await log_in(gateway, BOARD)
    gateway.send(BOARD, hardware_frame(Command.HARDWARE, 7, b"vw\x001\x005") + hardware_frame(SETTLE, 8))
    gateway.send(BOARD, hardware_frame(Command.PING, 9))
    await gateway.wait(lambda: (9, 200) in gateway.responses(BOARD))
    assert gateway.responses(BOARD) == [(1, 200), (8, 200), (9, 200)]
    (account,) = (await shell.store.load_accounts([gateway.grants[BOARD][0].account])).values()
    assert b"5" in [row.value for row in account.values]


@pytest.mark.anyio
async def test_a_new_owner_knows_from_its_first_frame_that_it_speaks_mqtt(shell: Shell, gateway: Gateway) -> None:
    await log_in(gateway, BOARD)
    await shell.stop_state()
    await shell.start_state()
    gateway.send(BOARD, hardware_frame(Command.PING, 9))
    await gateway.wait(lambda: (9, 200) in gateway.responses(BOARD))
    account = shell.owner.accounts[gateway.grants[BOARD][0].account]
    assert account is not None
    (session,) = account.dashboards[1].devices[0].sessions
    assert (session.mqtt, session.side) == (True, Side.HARDWARE)


@pytest.mark.anyio
async def test_apps_see_no_offline_when_another_takes_over(shell: Shell, gateway: Gateway) -> None:
    await log_in(gateway, BOARD)
    await log_in(gateway, NEWER)
    await gateway.wait(lambda: BOARD in gateway.closed)
    gateway.send(BOARD, hardware_frame(Command.HARDWARE, 65535, b"vw\x001\0will"))
    gateway.send(BOARD, b"", Up.CLOSED)
    gateway.send(NEWER, hardware_frame(Command.PING, 9))
    await gateway.wait(lambda: (9, 200) in gateway.responses(NEWER))
    await gateway.wait(lambda: (Command.HARDWARE, 65535, b"1-0\0vw\x001\0will") in gateway.messages(APP))
    assert not [m for m in gateway.messages(APP) if m[0] == Command.DEVICE_OFFLINE]
