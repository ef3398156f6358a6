"""No account reaches another: every command, with the other's ids, tokens and codes, is refused, changes and tells nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from state_world import NOW
from vpin_messages.slab import SETTLE, Side
from vpin_protocol import Command
from vpin_state import registry, sessions
from vpin_state.effects import Effects
from vpin_state.profile import dashboard_json, profile_json
from vpin_store.rows import StreamKey

OK, ILLEGAL, NOT_ALLOWED = 200, 2, 6
DASH, DEVICE, WIDGET, TILES, TEMPLATE, REPORT, TAG, SELECTOR = 77, 5, 31, 32, 33, 34, 100_001, 200_001
UID = "phone of the owner"
OWN = {Command.PING, Command.LOGOUT, Command.GET_ENERGY, Command.ADD_ENERGY, Command.REDEEM, Command.CREATE_DASH}
OWN |= {Command.CREATE_APP}
"""They are about one's own account, whatever they name: see `test_what_is_ones_own_affair_reaches_nobody_else`."""
SWALLOWED = {Command.HARDWARE}
"""May be dropped without an answer."""


def widget(kind: str, widget_id: int, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "id": widget_id, "width": 1, "height": 1, **fields}


@pytest.fixture
def victim(world):
    """An account with one of everything in project 77, which is shared, a guest, and a board that is there."""
    board = {"id": DEVICE, "boardType": "ESP8266", "name": "secret board"}
    project = {"id": DASH, "name": "secret project", "isActive": True, "isShared": True, "isAppConnectedOn": True}
    pin = {"deviceId": DEVICE, "pinType": "VIRTUAL", "pin": 1}
    stream = {"targetId": DEVICE, "pin": {"pin": 1, "pinType": "VIRTUAL"}}
    widgets = [
        widget("BUTTON", WIDGET, **pin),
        widget("DEVICE_TILES", TILES),
        widget("REPORT", 35),
        widget("ENHANCED_GRAPH", 36, dataStreams=[stream]),
        widget("NOTIFICATION", 37, androidTokens={UID: "push token"}),
        widget("DEVICE_SELECTOR", SELECTOR, deviceIds=[DEVICE]),
    ]
    ask = world.app_status
    assert ask(Command.CREATE_DASH, {**project, "devices": [board], "widgets": widgets}) == OK
    assert ask(Command.CREATE_TILE_TEMPLATE, DASH, TILES, {"id": TEMPLATE, "mode": "PAGE"}) == OK
    ask(Command.CREATE_TAG, DASH, {"id": TAG, "name": "t", "deviceIds": [DEVICE]})
    report = {
        "id": REPORT,
        "recipients": "a@example.com",
        "reportType": {"type": "ONE_TIME", "rangeMillis": 86_400_000},
    }
    ask(Command.CREATE_REPORT, DASH, report | {"reportSources": [{"type": "DEVICE", "deviceIds": [DEVICE]}]})
    ask(Command.GET_SHARE_TOKEN, DASH)
    world.app_id = world.json(
        Command.CREATE_APP, {"theme": "Blynk", "provisionType": "STATIC", "name": "secret app", "projectIds": [DASH]}
    )["id"]
    made = world.json(Command.PROVISION_TOKEN, DASH, {"id": 6, "boardType": "ESP8266"})
    world.account.set_reset("reset-token".ljust(32, "r"), NOW + 60_000)
    world.account.set_token("download-of-a-report.zip", "download", DASH, -1, expires_at=NOW + 60_000, body=b"{}")
    world.secret_dash = world.account.dashboards[DASH]
    world.secrets = [
        world.secret_dash.devices[DEVICE].token,
        world.secret_dash.settings["sharedToken"],
        world.app_id,
        made["token"],
        *world.account.resets,
        "download-of-a-report.zip",
    ]
    world.secret_board = world.board_session(world.secret_dash.devices[DEVICE])
    world.send(world.secret_board, Command.HARDWARE, "vw", 1, "7")
    world.guest = world.app_session(shared=world.secret_dash)
    stream = StreamKey(1, DASH, DEVICE, ord("v"), 1)
    world.past.record(stream, NOW - 3_600_000, 7.0)
    world.clear()
    world.store()
    return world


@pytest.fixture
def stranger(victim, other):
    """Another account, that sees the same database."""
    other.tokens = victim.tokens
    other.published = {(1, DASH): victim.secret_dash}
    other.users = {victim.app_id: [1]}
    other.past = victim.past
    return other


@pytest.fixture
def untouched(victim):
    """Asserts that nothing of the victim was changed, not even to what it was, and that nobody there was told or closed."""
    before, past = everything(victim), str(victim.past.kept)

    def check(fx: Effects, told: str) -> None:
        assert not victim.account.listed, f"{told}: something is to be stored"
        assert everything(victim) == before, told
        assert str(victim.past.kept) == past, told
        assert not any(session.closing for session in victim.instance.sessions.values()), told
        theirs = {session for session, _ in (*fx.sends, *fx.entries) if session.account is victim.account}
        assert theirs == set(), told
        assert fx.jobs == fx.events == fx.scheduled == fx.told == fx.outcomes == [], told

    return check


def bodies(victim) -> dict[int, list[tuple[object, ...]]]:
    """What a stranger may try, by command."""
    secrets = victim.secrets
    d, target = DASH, f"{DASH}-{DEVICE}"
    app = {"id": victim.app_id, "theme": "Blynk", "provisionType": "STATIC", "name": "mine", "projectIds": [d]}
    report = {
        "id": REPORT,
        "recipients": "b@example.com",
        "reportType": {"type": "ONE_TIME", "rangeMillis": 86_400_000},
    }
    report["reportSources"] = [{"type": "DEVICE", "deviceIds": [DEVICE]}]
    found: dict[int, list[tuple[object, ...]]] = {
        Command.ACTIVATE: [(d,)],
        Command.DEACTIVATE: [(d,)],
        Command.REFRESH_TOKEN: [(d,), (d, DEVICE), (1, DEVICE)],
        Command.EMAIL: [
            (d,),
            (d, DEVICE),
            (1, DEVICE),
            ("template", d, TILES, TEMPLATE),
            ("template", 1, TILES, TEMPLATE),
        ],
        Command.SET_PROPERTY: [(d, WIDGET, "label", "x"), (1, WIDGET, "label", "x")],
        Command.HARDWARE: [(target, "vw", 1, "x"), (f"{d}-{TAG}", "vw", 1, "x"), (d, "vu", SELECTOR, DEVICE)],
        Command.UPDATE_DASH: [({"id": d, "name": "mine"},)],
        Command.UPDATE_SETTINGS: [(d, {"name": "mine"})],
        Command.DELETE_DASH: [(d,)],
        Command.LOAD_PROFILE: [(d,), *[(s, d, "a@example.com") for s in secrets]],
        Command.APP_SYNC: [(d,), (target,)],
        Command.SHARING: [(d, "on"), (d, "off")],
        Command.ADD_PUSH_TOKEN: [(d, "uid", "token")],
        Command.EXPORT_GRAPH: [(d, 36), (1, 36)],
        Command.GET_SHARE_TOKEN: [(d,)],
        Command.REFRESH_SHARE_TOKEN: [(d,)],
        Command.CREATE_WIDGET: [(d, widget("LED", 90)), (d, TILES, TEMPLATE, widget("LED", 90))],
        Command.UPDATE_WIDGET: [(d, widget("BUTTON", WIDGET)), (1, widget("BUTTON", WIDGET))],
        Command.DELETE_WIDGET: [(d, WIDGET), (1, WIDGET)],
        Command.GET_WIDGET: [(d, WIDGET), (1, WIDGET)],
        Command.ASSIGN_TOKEN: [(dash_id, s) for dash_id in (1, d) for s in secrets],
        Command.CREATE_DEVICE: [(d, {"id": 9, "boardType": "ESP8266"})],
        Command.UPDATE_DEVICE: [
            (d, {"id": DEVICE, "boardType": "ESP8266"}),
            (1, {"id": DEVICE, "boardType": "ESP8266"}),
        ],
        Command.DELETE_DEVICE: [(d, DEVICE), (1, DEVICE)],
        Command.GET_DEVICES: [(d,)],
        Command.GET_DEVICE: [(d, DEVICE), (1, DEVICE)],
        Command.CREATE_TAG: [(d, {"id": 100_002, "name": "x"})],
        Command.UPDATE_TAG: [(d, {"id": TAG, "name": "x"}), (1, {"id": TAG, "name": "x"})],
        Command.DELETE_TAG: [(d, TAG), (1, TAG)],
        Command.GET_TAGS: [(d,)],
        Command.UPDATE_FACE: [(d,)],
        Command.UPDATE_APP: [(app,)],
        Command.DELETE_APP: [(victim.app_id,)],
        Command.PROJECT_BY_TOKEN: [(s,) for s in secrets],
        Command.EMAIL_QR: [(d, victim.app_id), (1, victim.app_id)],
        Command.GET_GRAPH: [(d, 36, "LIVE"), (target, 36, "LIVE"), (1, 36, "LIVE")],
        Command.DELETE_GRAPH: [(d, 36), (1, 36)],
        Command.GET_CLONE_CODE: [(d,)],
        Command.PROJECT_BY_CLONE_CODE: [*[(s,) for s in secrets], *[(s, "new") for s in secrets]],
        Command.BLUETOOTH_RESEND: [(target, "vw", 1, "stolen")],
        Command.CREATE_TILE_TEMPLATE: [(d, TILES, {"id": 91, "mode": "PAGE"}), (1, TILES, {"id": 91, "mode": "PAGE"})],
        Command.UPDATE_TILE_TEMPLATE: [(d, TILES, {"id": TEMPLATE, "mode": "PAGE"})],
        Command.DELETE_TILE_TEMPLATE: [(d, TILES, TEMPLATE), (1, TILES, TEMPLATE)],
        Command.PROVISION_TOKEN: [(d, {"id": 9, "boardType": "ESP8266"})],
        Command.DELETE_DEVICE_DATA: [(target,), (f"{d}-*",), (target, "v1")],
        Command.CREATE_REPORT: [(d, report), (1, report)],
        Command.UPDATE_REPORT: [(d, report), (1, report)],
        Command.DELETE_REPORT: [(d, REPORT), (1, REPORT)],
        Command.EXPORT_REPORT: [(d, REPORT), (1, REPORT)],
    }
    return found


def everything(world) -> str:
    """What an account has, with the live points of its graphs and the tokens for its password."""
    account = world.account
    live = {d.id: str(d.bank.live) for dash in account.dashboards.values() for d in dash.devices.values()}
    return json.dumps([profile_json(account, NOW), str(account.row), live, account.resets], sort_keys=True)


def test_every_command_of_apps_is_tried(victim):
    registry.load()
    assert set(registry.app) - set(OWN) == set(bodies(victim))


def test_a_stranger_is_always_refused(victim, stranger, untouched):
    own = everything(stranger)
    database = dict(victim.tokens)
    for command, tries in bodies(victim).items():
        for parts in tries:
            stranger.send(stranger.app, command, *parts)
            answers = stranger.sent_to(stranger.app)
            told = f"{Command(command).name} {parts}"
            assert answers or command in SWALLOWED, told
            assert all(number == 0 and status != OK for number, _, status in answers), told
            assert stranger.fx.sends == stranger.fx.entries == stranger.handed_over == [], told
            untouched(stranger.fx, told)
            assert everything(stranger) == own, told
    stranger.store()
    assert stranger.tokens == database


def test_what_is_ones_own_affair_reaches_nobody_else(victim, stranger, untouched):
    """Ids, names and tokens of another account in what a stranger says of its own."""
    for secret in victim.secrets:
        stranger.app_status(Command.ADD_ENERGY, 5, secret)
        stranger.app_status(Command.REDEEM, secret)
        untouched(stranger.fx, secret)
    app = {"id": victim.app_id, "theme": "Blynk", "provisionType": "STATIC", "name": "mine", "projectIds": [DASH]}
    mine = stranger.json(Command.CREATE_APP, app)["id"]
    assert mine != victim.app_id
    assert stranger.app_status(Command.EMAIL_QR, DASH, mine) == ILLEGAL
    board = {"id": DEVICE, "boardType": "ESP8266", "token": victim.secrets[0]}
    project = {"id": 78, "parentId": DASH, "isShared": True, "sharedToken": victim.secrets[1], "devices": [board]}
    assert stranger.app_status(Command.CREATE_DASH, project) == OK
    assert stranger.account.dashboards[78].devices[DEVICE].token not in victim.secrets
    assert "sharedToken" not in stranger.profile(78)
    for command in (Command.UPDATE_FACE, Command.GET_SHARE_TOKEN):
        assert stranger.app_status(command, DASH) == ILLEGAL
    assert stranger.app_status(Command.CREATE_DASH, {"id": DASH, "widgets": [widget("BUTTON", WIDGET)]}) == OK
    assert stranger.app_status(Command.UPDATE_DASH, {"id": DASH, "name": "mine"}) == OK
    assert stranger.app_status(Command.UPDATE_FACE, DASH) == NOT_ALLOWED
    assert stranger.handed_over == []
    for command, *parts in [
        (Command.HARDWARE, f"{DASH}-{DEVICE}", "vw", 1, "x"),
        (Command.ACTIVATE, DASH),
        (Command.DEACTIVATE,),
        (Command.REFRESH_SHARE_TOKEN, DASH),
        (Command.SHARING, DASH, "off"),
        (Command.DELETE_DEVICE_DATA, f"{DASH}-*"),
        (Command.DELETE_DEVICE_DATA, f"{DASH}-{DEVICE}", "v1"),
        (Command.DELETE_DASH, DASH),
        (Command.DELETE_APP, mine),
        (Command.LOGOUT, UID),
        (Command.LOGOUT,),
    ]:
        stranger.send(stranger.app, command, *parts)
        told = f"{Command(command).name} {parts}"
        assert {session.account for session, _ in stranger.fx.sends} == {stranger.account} or not stranger.fx.sends, (
            told
        )
        stranger.fx.sends.clear()
        stranger.store()
        untouched(stranger.fx, told)
    assert set(victim.secrets) <= set(stranger.tokens)


def test_ids_of_anothers_devices_in_ones_own_project_are_nobodys(victim, stranger, untouched):
    """What asks or forgets by device may be answered with yes; there is nothing to tell and nothing to forget."""
    for command, *parts in [
        (Command.HARDWARE, f"1-{DEVICE}", "vw", 1, "x"),
        (Command.HARDWARE, f"1-{TAG}", "vw", 1, "x"),
        (Command.HARDWARE, 1, "vu", SELECTOR, DEVICE),
        (Command.APP_SYNC, f"1-{DEVICE}"),
        (Command.APP_SYNC, 1),
        (Command.DELETE_DEVICE_DATA, f"1-{DEVICE}"),
        (Command.DELETE_DEVICE_DATA, "1-*"),
        (Command.BLUETOOTH_RESEND, f"1-{DEVICE}", "vw", 1, "x"),
    ]:
        stranger.send(stranger.app, command, *parts)
        told = f"{Command(command).name} {parts}"
        assert stranger.sent_to(stranger.app) in ([], [(0, 5, OK)], [(0, 5, ILLEGAL)]), told
        stranger.store()
        untouched(stranger.fx, told)


def test_a_guest_of_one_project_reaches_no_other(victim):
    """The same walk by a guest of project 1 of the same account; project 77 is somebody else's to it."""
    victim.app_status(Command.SHARING, 1, "on")
    guest = victim.app_session(shared=victim.account.dashboards[1])
    victim.store()
    theirs = everything(victim)
    for command, tries in bodies(victim).items():
        for parts in tries:
            if command in registry.shared and str(parts[0]).split("-")[0] != str(DASH):
                continue
            victim.send(guest, command, *parts)
            told = f"{Command(command).name} {parts}"
            answers = victim.sent_to(guest)
            assert all(number == 0 and status != OK for number, _, status in answers), told
            assert answers, told
            assert victim.fx.sends == victim.fx.jobs == victim.fx.entries == [], told
            assert not victim.account.listed, told
            assert everything(victim) == theirs, told


def test_boards_of_a_stranger_reach_no_other_account(victim, stranger, untouched):
    registry.load()
    token = victim.secrets[0]
    tries = {
        Command.LOGIN: [(secret,) for secret in victim.secrets],
        Command.HARDWARE_LOGIN: [(secret,) for secret in victim.secrets],
        Command.BRIDGE: [
            (0, "i", token),
            (0, "vw", 1, "x"),
            *((1, "i", secret) for secret in victim.secrets),
            (1, "vw", 1, "x"),
        ],
        Command.EMAIL: [("a@example.com", "subject", "text"), ("subject", "text")],
        Command.PUSH: [("text",)],
        Command.SMS: [("text",)],
        Command.TWEET: [("text",)],
        Command.HARDWARE: [("vw", 1, "x")],
        Command.HARDWARE_SYNC: [(), ("vr", 1)],
        Command.INTERNAL: [("ver", "1"), ("rtc", "sync"), ("acon",)],
        Command.SET_PROPERTY: [(1, "label", "x")],
        Command.GROUP: [("b",), ("e",)],
        Command.LOG_EVENT: [("code", "text")],
        Command.EVENT_CLEAR: [("code",)],
        SETTLE: [()],
    }
    assert set(registry.hardware) == {*tries}, "every command of boards is tried"
    for command, bodies in tries.items():
        for parts in bodies:
            stranger.send(stranger.board, command, *parts)
            told = f"{command!r} {parts}"
            assert all(session.account is stranger.account for session, _ in stranger.fx.sends), told
            stranger.clear()
            untouched(stranger.fx, told)


@pytest.mark.parametrize("side", [Side.HARDWARE, Side.APP])
def test_the_owner_checks_the_token_of_a_session_against_the_account_that_it_names(victim, stranger, side):
    """A grant of one account is worth nothing for another, nor for another device of the same."""
    from vpin_messages.slab import Up, UpEntry, credential

    token = (
        victim.secret_dash.devices[DEVICE].token
        if side == Side.HARDWARE
        else victim.secret_dash.settings["sharedToken"]
    )
    admit = sessions._admit
    good = UpEntry(Up.ANNOUNCE, side, 900, victim.account.id, DASH, DEVICE, credential(token), b"")
    assert admit(victim.instance, victim.account, good, None) is not None
    assert admit(stranger.instance, stranger.account, good, None) is None
    for wrong in (good._replace(dash=1, device=0), good._replace(credential=credential("x" * 32))):
        assert admit(victim.instance, victim.account, wrong, None) is None


def test_nobody_else_sees_a_value(victim, stranger):
    victim.send(victim.secret_board, Command.HARDWARE, "vw", 1, "classified")
    assert "classified" in json.dumps(dashboard_json(victim.secret_dash, NOW))
    assert {session.account.id for session, _ in victim.fx.sends} == {1}
    assert stranger.fx.sends == []


def test_a_guest_who_logs_out_leaves_the_phones_of_the_owner(world):
    phones = {"owner": "t1", "guest": "t2"}
    widget = world.dash.add_widget({"type": "NOTIFICATION", "id": 9, "androidTokens": phones, "iOSTokens": {}})
    world.dash.settings = {**world.dash.settings, "isShared": True}
    guest = world.app_session(shared=world.dash)
    world.ask(guest, Command.LOGOUT)
    assert widget.json["androidTokens"] == phones
    guest = world.app_session(shared=world.dash)
    world.ask(guest, Command.LOGOUT, "guest")
    assert widget.json["androidTokens"] == {"owner": "t1"}
