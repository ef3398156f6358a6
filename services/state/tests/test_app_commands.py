"""Commands of apps: bodies that are not what they should be, and limits at the limit and one beyond (spec 02, 2 and 15)."""

from __future__ import annotations

import json

import pytest
from state_world import World
from vpin_protocol import Command
from vpin_state import registry
from vpin_state.model import Dashboard

OK, QUOTA, ILLEGAL, NOT_ALLOWED, AWAY, BAD_BODY, NO_DATA, ENERGY = 200, 1, 2, 6, 7, 11, 17, 21
UNKNOWN_CODE = 19
REFUSALS = {QUOTA, ILLEGAL, NOT_ALLOWED, BAD_BODY, NO_DATA, ENERGY, UNKNOWN_CODE}
MAY_BE_SILENT = {Command.HARDWARE, Command.BLUETOOTH_RESEND}
WIDGET_MOST, PROJECT_MOST = 20 * 1024, 256 * 1024

HEADS = [
    b"",
    b"\0",
    b"\0\0\0",
    b"x",
    b" 1",
    b"1",
    b"+1",
    b"-1",
    b"99",
    b"99999999999999999999",
    b"\xff\xfe",
    b"\xf0\x9f",
]
TARGETS = [b"1-0", b"1-", b"1-x", b"1-99", b"1-100000", b"1-200000", b"1-*", b"99-0", b"1-0-0", b"1--1"]
RESTS = [
    *(
        b"",
        b"\0",
        b"x",
        b"1",
        b"-1",
        b"999",
        b"9" * 30,
        b"on",
        b"LIVE",
        b"v1",
        b"v999",
        b"q1",
        b"null",
        b"[]",
        b'"s"',
        b"1.5",
    ),
    *(
        b"{}",
        b"{",
        b'{"id":"x"}',
        b'{"id":1e99}',
        b'{"id":null}',
        b'{"id":[]}',
        b'{"id":1}',
        b'{"name":5}',
        b'{"widgets":5}',
    ),
    *(
        b'{"type":5}',
        b'{"id":NaN}',
        b'{"templates":[5]}',
        b'{"deviceIds":"x"}',
        b"[" * 3000,
        b'{"id":' * 3000,
        b"\xff\xfe",
    ),
    *(b"vw", b"vw\0001", b"vw\0300\0001", b"xw\0001\0001", b"vu", b"vu\0001", b"vu\0001\0001", b"pm\0001\0in"),
    *(
        b"1\0{}",
        b"1\0{",
        b"1\0null",
        b"1\0x",
        b"1\0001\0{}",
        b"1\0label\0x",
        b"1\0label",
        b"2\0LIVE\0x",
        b"2\0DAY\0-1",
        b"2\0NEVER",
    ),
]
WORDS = [
    b"no_token",
    b"no_token\0",
    b"no_token\0{",
    b"template",
    b"template\0001",
    b"template\0001\0001",
    b"template\0001\0001\0x",
]
BODIES = [
    *HEADS,
    *WORDS,
    *TARGETS,
    *(b"1\0" + rest for rest in RESTS),
    *(target + b"\0" + b"v1" for target in TARGETS),
    *RESTS,
]
WIDGETS = [
    {"type": kind, "id": number, "width": 1, "height": 1}
    for number, kind in enumerate(("DEVICE_TILES", "ENHANCED_GRAPH", "REPORT", "NOTIFICATION"), 1)
]


def furnished() -> World:
    """With a widget of each kind that a command asks for, and everything stored."""
    world = World()
    for widget in WIDGETS:
        assert world.app_status(Command.CREATE_WIDGET, 1, widget) == OK
    world.store()
    return world


def app_commands() -> list[int]:
    registry.load()
    return sorted(registry.app)


@pytest.mark.parametrize("command", app_commands(), ids=lambda command: Command(command).name)
def test_whatever_a_body_is_there_is_one_answer_and_a_refusal_changes_nothing(command):
    world = furnished()
    for body in BODIES:
        world.send(world.app, command, body)
        answers = [answer for answer in world.sent_to(world.app) if answer[1] == 5 and answer[0] in (0, command)]
        told = f"{body[:40]}: {answers}"
        waits_for_mail = bool(world.fx.jobs)
        assert len(answers) + waits_for_mail == 1 or (not answers and command in MAY_BE_SILENT), told
        number, _, status = answers[0] if answers else (1, 5, 0)
        if number == 0:
            assert status in (OK, AWAY) or status in REFUSALS, told
            assert status != UNKNOWN_CODE or command == Command.PROJECT_BY_CLONE_CODE, told
        if number == 0 and status in REFUSALS:
            assert not world.account.listed, f"{told}: something is to be stored"
            assert world.fx.sends == world.fx.entries == [], told
            world.clear()
        else:
            world = furnished()


@pytest.mark.parametrize("shared", [False, True])
def test_what_comes_before_a_log_in_and_what_has_no_meaning_is_swallowed(world, shared):
    world.dash.settings = {**world.dash.settings, "isShared": True}
    session = world.app_session(shared=world.dash if shared else None)
    registry.load()
    unknown = sorted(set(range(1, 100)) - set(registry.app) - {Command.PING})
    assert {1, 2, 4, 29, 32, 40, 81, 5, 10, 11, 12, 14, 15, 16, 17, 18, 52, 53, 54, 64, 72, 73, 75, 82, 99} <= set(
        unknown
    )
    for command in unknown:
        world.send(session, command, "1", "x", "y")
        assert world.fx.sends == world.fx.entries == world.fx.jobs == [], command


# -- limits


def sized(characters: int, **fields: object) -> str:
    """JSON of so many characters, with more bytes than that."""
    text = json.dumps({**fields, "name": "", "label": ""}, ensure_ascii=False)
    return text.replace('"label": ""', '"label": "%s"' % ("ä" * (characters - len(text))))


@pytest.mark.parametrize(
    ("command", "before", "fields", "most", "success"),
    [
        (Command.CREATE_WIDGET, ("1",), {"type": "LED", "id": 90, "width": 1, "height": 1}, WIDGET_MOST, OK),
        (Command.UPDATE_WIDGET, ("1",), {"type": "REPORT", "id": 3, "width": 1, "height": 1}, WIDGET_MOST, OK),
        (Command.UPDATE_SETTINGS, ("1",), {}, WIDGET_MOST, OK),
        (Command.CREATE_DASH, (), {"id": 90}, PROJECT_MOST, OK),
        (Command.CREATE_DASH, ("no_token",), {"id": 90}, PROJECT_MOST, OK),
        (Command.UPDATE_DASH, (), {"id": 1}, PROJECT_MOST, OK),
    ],
)
def test_json_has_so_many_characters_and_no_more(command, before, fields, most, success):
    assert furnished().app_status(command, *before, sized(most + 1, **fields)) == NOT_ALLOWED
    assert furnished().app_status(command, *before, sized(most, **fields)) == success


def test_an_app_has_so_many_characters_and_no_more(world):
    app = {"theme": "Blynk", "provisionType": "STATIC", "projectIds": []}
    text = sized(WIDGET_MOST, **app).replace('"name": ""', '"name": "x"')
    assert world.app_status(Command.CREATE_APP, text) == NOT_ALLOWED
    assert isinstance(world.app_status(Command.CREATE_APP, text.replace("ä", "", 1)), bytes)


BOARD = {"boardType": "ESP8266"}


@pytest.mark.parametrize(
    ("command", "json", "status"),
    [
        (Command.CREATE_DEVICE, {"id": 9, "name": "x" * 50, **BOARD}, None),
        (Command.CREATE_DEVICE, {"id": 9, "name": "x" * 51, **BOARD}, ILLEGAL),
        (Command.CREATE_DEVICE, {"id": 9, "name": "x"}, ILLEGAL),
        (Command.CREATE_DEVICE, {"id": 0, **BOARD}, NOT_ALLOWED),
        (Command.CREATE_DEVICE, {"id": 9, "connectionType": "PIGEON", **BOARD}, BAD_BODY),
        (Command.UPDATE_DEVICE, {"id": 0, "name": "x" * 50, **BOARD}, OK),
        (Command.UPDATE_DEVICE, {"id": 0, "name": "x" * 51, **BOARD}, ILLEGAL),
        (Command.UPDATE_DEVICE, {"id": 9, **BOARD}, BAD_BODY),
        (Command.UPDATE_DEVICE, {"id": 9}, ILLEGAL),  # which wins
        (Command.PROVISION_TOKEN, {"id": 9, "name": "x" * 51, **BOARD}, ILLEGAL),
        (Command.PROVISION_TOKEN, {"id": 0, **BOARD}, NOT_ALLOWED),
        (Command.PROVISION_TOKEN, {"id": 9, **BOARD}, None),
        (Command.CREATE_TAG, {"id": 99_999, "name": "x"}, ILLEGAL),
        (Command.CREATE_TAG, {"id": 100_000, "name": "x"}, None),
        (Command.CREATE_TAG, {"id": 100_000, "name": ""}, ILLEGAL),
        (Command.CREATE_TAG, {"id": 100_000, "name": "x" * 40}, None),
        (Command.CREATE_TAG, {"id": 100_000, "name": "x" * 41}, ILLEGAL),
        (Command.CREATE_TAG, {"id": 100_000, "name": "x", "deviceIds": list(range(25))}, None),
        (Command.CREATE_TAG, {"id": 100_000, "name": "x", "deviceIds": list(range(26))}, ILLEGAL),
    ],
)
def test_names_and_ids_have_their_bounds(world, command, json, status):
    answer = world.app_status(command, 1, json)
    assert isinstance(answer, bytes) if status is None else answer == status


def test_a_hundred_tags_and_no_more(world):
    for number in range(100):
        assert isinstance(world.app_status(Command.CREATE_TAG, 1, {"id": 100_000 + number, "name": f"{number}"}), bytes)
    assert world.app_status(Command.CREATE_TAG, 1, {"id": 100_100, "name": "x"}) == NOT_ALLOWED


def test_which_check_of_a_new_project_wins(world):
    dear = {"id": 1, "widgets": [{"type": "DEVICE_TILES", "id": 1}]}
    world.account.change(energy=0)
    assert world.app_status(Command.CREATE_DASH, dear) == NOT_ALLOWED
    assert world.app_status(Command.CREATE_DASH, {**dear, "id": 2}) == ENERGY
    for number in range(2, 101):
        world.account.dashboards[number] = Dashboard(world.account, number, {})
    assert world.app_status(Command.CREATE_DASH, dear) == QUOTA
    assert world.app_status(Command.CREATE_DASH, "{") == BAD_BODY
    assert world.app_status(Command.CREATE_DASH, "null") == BAD_BODY
    assert world.app_status(Command.CREATE_DASH, "") == ILLEGAL


# -- energy


@pytest.mark.parametrize(
    ("command", "parts", "price"),
    [
        (Command.CREATE_WIDGET, (1, {"type": "LED", "id": 90, "width": 1, "height": 1}), 100),
        (Command.CREATE_WIDGET, (1, {"type": "TABS", "id": 90, "width": 1, "height": 1}), 0),
        (Command.CREATE_DASH, ({"id": 9, "widgets": [{"type": "LED", "id": 1}, {"type": "TABLE", "id": 2}]},), 900),
        (Command.CREATE_DASH, ({"id": 9, "parentId": 1, "widgets": [{"type": "LED", "id": 1}]},), 0),
        (Command.GET_SHARE_TOKEN, (1,), 1000),
        (Command.REFRESH_SHARE_TOKEN, (1,), 0),
        (Command.CREATE_TILE_TEMPLATE, (1, 1, {"id": 1, "mode": "PAGE", "widgets": [{"type": "LED", "id": 50}]}), 100),
    ],
)
def test_what_it_costs_is_enough_and_one_less_is_not(command, parts, price):
    world = furnished()
    world.account.change(energy=price)
    answer = world.app_status(command, *parts)
    assert isinstance(answer, bytes) or answer == OK
    assert world.account.row.energy == 0
    if price:
        world = furnished()
        world.account.change(energy=price - 1)
        before = world.profile()
        assert world.app_status(command, *parts) == ENERGY
        assert world.profile() == before
        assert world.account.row.energy == price - 1
        world.account.row = world.account.row._replace(app_name="another app")
        answer = world.app_status(command, *parts)
        assert isinstance(answer, bytes) or answer == OK, "users of exported apps may owe"
        assert world.account.row.energy == -1


def test_a_project_gives_back_what_all_its_widgets_cost(world):
    before = world.account.row.energy
    tiles = {"type": "DEVICE_TILES", "id": 1, "templates": [{"id": 1, "widgets": [{"type": "LED", "id": 5}]}]}
    assert world.app_status(Command.CREATE_DASH, {"id": 9, "widgets": [tiles, {"type": "REPORT", "id": 2}]}) == OK
    assert world.app_status(Command.CREATE_WIDGET, 9, {"type": "TABLE", "id": 3, "width": 1, "height": 1}) == OK
    assert world.app_status(Command.CREATE_WIDGET, 9, 1, 1, {"type": "LED", "id": 6, "width": 1, "height": 1}) == OK
    report = {"id": 1, "reportType": {"type": "ONE_TIME", "rangeMillis": 86_400_000}, "recipients": "a@example.com"}
    report["reportSources"] = [{"type": "DEVICE", "deviceIds": [0]}]
    assert isinstance(world.app_status(Command.CREATE_REPORT, 9, report), bytes)
    assert world.account.row.energy == before - 1700 - 100 - 800 - 100 - 2900
    assert world.app_status(Command.DELETE_DASH, 9) == OK
    assert world.account.row.energy == before


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((), NOT_ALLOWED),
        ((5,), NOT_ALLOWED),
        ((5, ""), NOT_ALLOWED),
        ((0, "GPA.1"), NOT_ALLOWED),
        ((-5, "GPA.1"), NOT_ALLOWED),
        (("x", "GPA.1"), ILLEGAL),
        ((5, "com.blynk.energy.1"), NOT_ALLOWED),
        ((5, f"{'a' * 19}.{'b' * 16}"), NOT_ALLOWED),
        ((5, f"{'a' * 19}.{'b' * 17}"), OK),
        ((5, f"{'a' * 18}.{'b' * 16}"), OK),
        ((5, "x.com.blynk.energy"), OK),
        (((1 << 31) - 1, "x"), OK),
        ((1 << 31, "x"), ILLEGAL),
    ],
)
def test_buying_energy(world, parts, status):
    before = world.account.row.energy
    assert world.app_status(Command.ADD_ENERGY, *parts) == status
    after = min(before + int(parts[0]), (1 << 31) - 1) if status == OK else before
    assert world.account.row.energy == after
    assert world.app_status(Command.GET_ENERGY) == b"%d" % after


# -- boards whose project, device or token is gone


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        (Command.DELETE_DASH, (1,)),
        (Command.DELETE_DEVICE, (1, 0)),
        (Command.REFRESH_TOKEN, (1,)),
        (Command.REFRESH_TOKEN, (1, 0)),
    ],
)
def test_a_board_is_closed_when_its_token_is_worth_nothing_any_more(world, command, parts):
    old = world.device.token
    second, other = world.board_session(world.device), world.board_session(world.add_device(1))
    world.store()
    answer = world.app_status(command, *parts)
    assert isinstance(answer, bytes) or answer == OK
    assert world.board.closing
    assert second.closing
    assert other.closing == (command == Command.DELETE_DASH)
    assert old in world.account.dirty.deleted_tokens
    assert not world.device.online
