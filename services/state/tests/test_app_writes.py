"""What apps write, choose and ask for, and which sessions hear of it (spec 02, 3.2, 5 and 9)."""

from __future__ import annotations

import pytest
from vpin_messages.entry import Opening
from vpin_protocol import Command
from vpin_state import seeding
from vpin_state.handlers import presence
from vpin_state.model import NO_PROJECT, Dashboard

OK, ILLEGAL, NOT_ALLOWED, AWAY, BAD_BODY = 200, 2, 6, 7, 11
WRITE, SYNC, CONNECTED, OFFLINE = Command.HARDWARE, Command.APP_SYNC, Command.HARDWARE_CONNECTED, Command.DEVICE_OFFLINE
SELECTOR, TAG = 200_000, 100_000


@pytest.fixture
def second(world):
    """Another full session of the account."""
    return world.app_session()


@pytest.fixture
def guest(world):
    """A guest of project 1, which is shared."""
    world.dash.settings = {**world.dash.settings, "isShared": True}
    return world.app_session(shared=world.dash)


@pytest.fixture
def elsewhere(world):
    """A guest of project 2 of the same account, which is shared too."""
    dash = world.account.dashboards[2] = Dashboard(world.account, 2, {"isShared": True})
    dash.active = True
    return world.app_session(shared=dash)


@pytest.fixture
def selector(world):
    """A selector of the devices 0 and 1; device 2 is not among them."""
    for device in (1, 2):
        world.add_device(device)
    json = {"type": "DEVICE_SELECTOR", "id": SELECTOR, "width": 1, "height": 1, "deviceIds": [0, 1]}
    assert world.app_status(Command.CREATE_WIDGET, 1, json) == OK
    return world.dash.find_widget(SELECTOR)


# -- who hears what


@pytest.mark.parametrize("body", [b"1-0\0vw\0003\0on", b"1\0vw\0003\0on", b"1-0\0Vw\00003\0a\0b"])
def test_a_write_goes_to_the_others_as_it_came_and_to_the_board_without_its_target(
    world, second, guest, elsewhere, body
):
    world.send(world.app, WRITE, body)
    assert world.sent_to(second) == world.sent_to(guest) == [(SYNC, 5, body)]
    assert world.sent_to(world.board) == [(WRITE, 5, body.partition(b"\0")[2])]
    assert world.sent_to(world.app) == world.sent_to(elsewhere) == []


def test_a_guests_write_is_told_to_the_owner_and_to_other_guests(world, guest):
    third = world.app_session(shared=world.dash)
    world.send(guest, WRITE, "1-0", "vw", 3, "on")
    told = [(SYNC, 5, b"1-0\0vw\0003\0on")]
    assert world.sent_to(world.app) == world.sent_to(third) == told
    assert world.sent_to(guest) == []
    assert world.sent_to(world.board) == [(WRITE, 5, b"vw\0003\0on")]


def test_a_board_is_heard_by_all_sessions_and_by_guests_of_its_project(world, second, guest, elsewhere):
    world.send(world.board, WRITE, "vw", 1, "5")
    world.send(world.board, Command.SET_PROPERTY, 1, "label", "x", message_id=6)
    told = [(WRITE, 5, b"1-0\0vw\0001\0005"), (Command.SET_PROPERTY, 6, b"1-0\0001\0label\0x")]
    assert world.sent_to(world.app) == world.sent_to(second) == world.sent_to(guest) == told
    assert world.sent_to(elsewhere) == []


def test_boards_that_come_and_go_are_told_to_all_sessions_and_to_guests_of_their_project(
    world, second, guest, elsewhere
):
    world.fx.begin(world.board, 9)
    presence.device_connected(world.fx, world.board, Opening(9, 29))
    world.device.sessions.clear()
    presence.device_gone(world.fx, world.device)
    for app in (world.app, second, guest):
        assert world.sent_to(app) == [(CONNECTED, 9, b"1-0"), (OFFLINE, 0, b"1-0")]
    assert world.sent_to(elsewhere) == []


@pytest.mark.parametrize(("active", "quiet"), [(False, False), (True, True)])
def test_no_notice_of_a_board_that_went_where_none_is_wanted(world, active, quiet):
    world.dash.active = active
    world.dash.settings["isNotificationsOff"] = quiet
    world.device.sessions.clear()
    presence.device_gone(world.fx, world.device)
    assert world.sent_to(world.app) == []


def test_activation_is_told_to_guests_of_this_project_alone(world, second, guest, elsewhere):
    world.send(world.board, WRITE, "vw", 1, "5")
    world.clear()
    world.send(world.app, Command.ACTIVATE, 1)
    sync = (SYNC, 1111, b"1-0\0vw\0001\0005")
    assert world.sent_to(world.app) == [(0, 5, OK), sync]
    assert world.sent_to(second) == world.sent_to(guest) == [(Command.ACTIVATE, 5, b"1"), sync]
    assert world.sent_to(elsewhere) == []


@pytest.mark.parametrize(("quiet", "answers"), [(False, [AWAY, OK]), (True, [OK])])
def test_pin_modes_that_a_board_cannot_take_are_reported_before_the_200(world, quiet, answers):
    for pin in range(40):
        json = {"type": "BUTTON", "id": pin, "width": 1, "height": 1, "pinType": "DIGITAL", "pin": 200 + pin}
        world.app_status(Command.CREATE_WIDGET, 1, json)
    world.dash.settings["isNotificationsOff"] = quiet
    world.send(world.app, Command.ACTIVATE, 1)
    assert world.sent_to(world.app) == [(0, 5, status) for status in answers]
    assert world.sent_to(world.board) == []


def test_deactivation_is_told_to_guests_of_this_project_or_of_all(world, second, guest, elsewhere):
    world.send(world.app, Command.DEACTIVATE, 1)
    assert world.sent_to(second) == world.sent_to(guest) == [(Command.DEACTIVATE, 5, b"1")]
    assert world.sent_to(elsewhere) == []
    assert world.account.dashboards[2].active
    world.clear()
    world.send(world.app, Command.DEACTIVATE)
    for app in (second, guest, elsewhere):
        assert world.sent_to(app) == [(Command.DEACTIVATE, 5, b"")]
    assert world.sent_to(world.app) == [(0, 5, OK)]
    assert not any(dash.active for dash in world.account.dashboards.values())


def test_a_guest_who_is_thrown_out_is_told_no_value_behind_that(world, guest):
    world.send(world.app, Command.REFRESH_SHARE_TOKEN, 1)
    world.send(world.board, WRITE, "vw", 1, "5")
    world.send(world.app, WRITE, "1-0", "vw", 2, "6")
    assert world.sent_to(guest) == [(0, 5, NOT_ALLOWED)]


EDITS = [
    (Command.UPDATE_DASH, {"id": 1, "name": "new"}),
    (Command.UPDATE_SETTINGS, 1, {"name": "new"}),
    (Command.CREATE_DASH, {"id": 9}),
    (Command.DELETE_DASH, 9),
    (Command.CREATE_DEVICE, 1, {"id": 9, "boardType": "ESP8266"}),
    (Command.UPDATE_DEVICE, 1, {"id": 9, "boardType": "ESP8266"}),
    (Command.DELETE_DEVICE, 1, 9),
    (Command.CREATE_TAG, 1, {"id": TAG, "name": "x"}),
    (Command.UPDATE_TAG, 1, {"id": TAG, "name": "y"}),
    (Command.DELETE_TAG, 1, TAG),
    (Command.CREATE_WIDGET, 1, {"id": 9, "type": "DEVICE_TILES", "width": 1, "height": 1}),
    (Command.CREATE_TILE_TEMPLATE, 1, 9, {"id": 1, "mode": "PAGE"}),
    (Command.UPDATE_TILE_TEMPLATE, 1, 9, {"id": 1, "mode": "PAGE"}),
    (Command.DELETE_TILE_TEMPLATE, 1, 9, 1),
    (Command.UPDATE_WIDGET, 1, {"id": 9, "type": "DEVICE_TILES", "width": 2, "height": 1}),
    (Command.SET_PROPERTY, 1, 9, "label", "x"),
    (Command.DELETE_WIDGET, 1, 9),
    (Command.GET_SHARE_TOKEN, 1),
    (Command.PROVISION_TOKEN, 1, {"id": 9, "boardType": "ESP8266"}),
    (Command.ADD_ENERGY, 5, "x"),
]


def test_edits_are_told_to_nobody(world, second, guest):
    for command, *parts in EDITS:
        world.send(world.app, command, *parts)
        ((number, _, status),) = world.sent_to(world.app)
        assert number or status == OK, (Command(command).name, status)
        assert world.fx.sends == [], Command(command).name


# -- apps come and go


@pytest.fixture
def listening(world):
    """Boards of three projects; those of 1 want to know of apps, 2 is not active, 3 does not want to."""
    boards = [world.board]
    for number, wants, active in ((2, True, False), (3, False, True)):
        dash = world.account.dashboards[number] = Dashboard(world.account, number, {"isAppConnectedOn": wants})
        dash.active = active
        boards.append(world.board_session(world.add_device(0, dash)))
    world.dash.settings["isAppConnectedOn"] = True
    world.add_device(1)  # without a board
    return boards


def come(world, session, version="2.27.1"):
    world.fx.begin(session, 7)
    presence.app_connected(world.fx, session, Opening(7, 2, os="Android", version=version))


def test_boards_of_active_projects_that_want_it_hear_of_apps(world, listening):
    come(world, world.app)
    assert [world.sent_to(board) for board in listening] == [[(Command.INTERNAL, 7777, b"acon")], [], []]
    assert world.sent_to(world.app) == [(0, 7, OK)]
    presence.app_gone(world.fx, world.app)
    assert [world.sent_to(board) for board in listening] == [[(Command.INTERNAL, 7777, b"adis")], [], []]


def test_guests_come_unheard_and_leave_heard(world, listening, guest):
    come(world, guest)
    assert world.sent_to(guest) == [(0, 7, OK)]
    assert world.sent_to(world.board) == []
    presence.app_gone(world.fx, guest)
    assert world.sent_to(world.board) == [(Command.INTERNAL, 7777, b"adis")]


@pytest.mark.parametrize(("version", "told"), [("1.1.1", True), ("1.1.2", False), ("1.1", False), ("", False)])
def test_one_version_is_told_to_update(world, version, told):
    come(world, world.app, version)
    answers = world.sent_to(world.app)
    assert answers[0] == (0, 7, OK)
    assert [(number, message_id) for number, message_id, _ in answers[1:]] == [(Command.OUTDATED_APP, 7)] * told


# -- writes: which check wins


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"9-0\0vw\0001\0x", ILLEGAL),
        (b"x-0\0vw\0001\0x", ILLEGAL),
        (b"1-x\0vw\0001\0x", ILLEGAL),
        (b"1-\0vw\0001\0x", ILLEGAL),
        (b"", ILLEGAL),
        (b"1-0", BAD_BODY),
        (b"1", BAD_BODY),
        (b"1-99\0vw", None),  # an unknown target comes before a missing field
        (b"1-100009\0vw\0001\0x", None),
        (b"1-200009\0vw\0001\0x", None),
        (b"1-0\0vw", BAD_BODY),
        (b"1-0\0vw\0001", BAD_BODY),
        (b"1-0\0xw\000999", BAD_BODY),  # so does that before a bad letter
        (b"1-0\0xw\0001\0x", ILLEGAL),
        (b"1-0\0vw\000256\0x", ILLEGAL),
        (b"1-0\0vw\000-1\0x", ILLEGAL),
        (b"1-0\0vw\000255\0x", None),
        (b"1-0\0vw\0001\0", None),  # an empty value is one
        (b"1-0\0vr\0001", None),
        (b"1-0\0pm\0001\0in", None),
        (b"1-0\0", None),
    ],
)
def test_the_checks_of_a_write_in_their_order(world, body, status):
    assert world.ask(world.app, WRITE, body) == status


@pytest.mark.parametrize("body", [b"1-0\0vw\0001\0x", b"1-0\0vw", b"1-0\0xw\0001\0x", b"1\0vu\000200000\0001"])
def test_to_a_project_that_is_not_active_everything_is_dropped(world, second, selector, body):
    world.dash.active = False
    before = world.profile()
    world.send(world.app, WRITE, body)
    assert world.fx.sends == []
    assert world.profile() == before


def test_a_write_that_no_board_takes_is_stored_and_reported(world, second):
    world.device.sessions.clear()
    assert world.ask(world.app, WRITE, "1-0", "vw", 1, "x") == AWAY
    assert world.profile()["pinsStorage"] == {"1-0-v1": "x"}
    world.dash.settings["isNotificationsOff"] = True
    assert world.ask(world.app, WRITE, "1-0", "vw", 1, "y") is None
    assert world.profile()["pinsStorage"] == {"1-0-v1": "y"}


@pytest.mark.parametrize(("info", "longest"), [(None, 250), ({"buffIn": 100}, 95), ({"buffIn": 1024}, 1019)])
def test_a_write_fills_the_boards_buffer_and_not_a_byte_more(world, info, longest):
    if info is not None:
        world.device.body["hardwareInfo"] = info
        world.device.tell_buffer()
    value = "x" * (longest - len(b"vw\0001\0"))
    assert world.ask(world.app, WRITE, "1-0", "vw", 1, value) is None
    world.send(world.app, WRITE, "1-0", "vw", 1, value + "x")
    assert world.sent_to(world.app) == [(0, 5, AWAY)]
    assert world.sent_to(world.board) == []
    assert world.device.bank.pins[ord("v"), 1].value == (value + "x").encode()


def test_a_write_to_a_tag_is_stored_for_each_device_and_for_the_tag(world):
    third = world.board_session(world.add_device(1))
    world.add_device(2)
    assert isinstance(
        world.app_status(Command.CREATE_TAG, 1, {"id": TAG, "name": "t", "deviceIds": [0, 1, 1, 77]}), bytes
    )
    world.send(world.app, WRITE, f"1-{TAG}", "vw", 4, "all")
    assert world.sent_to(world.board) == world.sent_to(third) == [(WRITE, 5, b"vw\0004\0all")]
    assert world.sent_to(world.app) == []
    assert world.profile()["pinsStorage"] == {"1-0-v4": "all", "1-1-v4": "all", f"1-{TAG}-v4": "all"}
    world.device.sessions.clear()
    assert world.ask(world.app, WRITE, f"1-{TAG}", "vw", 4, "one") is None, "one of both took it"
    third.device.sessions.clear()
    assert world.ask(world.app, WRITE, f"1-{TAG}", "vw", 4, "none") == AWAY


# -- selectors


def test_choosing_a_device_shows_its_values_to_everybody(world, selector, second, guest, elsewhere):
    for device in (0, 1):
        world.dash.devices[device].bank.pin(ord("v"), 5).set(b"of %d" % device, 1)
    body = b"1\0vu\000200000\0001"
    world.send(world.app, WRITE, body)
    value = (SYNC, 1111, b"1-1\0vw\0005\0of 1")
    assert world.sent_to(world.app) == [(0, 5, OK), value]
    assert world.sent_to(second) == world.sent_to(guest) == [(SYNC, 5, body), value]
    assert world.sent_to(world.board) == world.sent_to(elsewhere) == []
    assert selector.json["value"] == 1
    world.send(guest, WRITE, "1-7", "vu", SELECTOR, 0)
    assert world.sent_to(guest)[0] == (0, 5, OK)
    assert selector.json["value"] == 0


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((SELECTOR + 1, 1), ILLEGAL),
        ((9, 1), ILLEGAL),  # no selector
        ((SELECTOR, 77), ILLEGAL),  # no device
        ((SELECTOR, 2), ILLEGAL),  # none of the selector's
        ((SELECTOR, "x"), ILLEGAL),
        (("x", 1), ILLEGAL),
        ((SELECTOR,), BAD_BODY),
        ((), BAD_BODY),
    ],
)
def test_what_cannot_be_chosen(world, selector, second, parts, status):
    assert world.app_status(Command.CREATE_WIDGET, 1, {"type": "LED", "id": 9, "width": 1, "height": 1}) == OK
    world.send(world.app, WRITE, "1", "vu", *parts)
    assert world.sent_to(world.app) == [(0, 5, status)]
    assert world.sent_to(second) == []
    assert selector.json["value"] == 0


# -- syncs


@pytest.mark.parametrize(("body", "values"), [(b"1", 3), (b"1-0", 1), (b"1-1", 1), (b"1-100000", 1), (b"1-77", 0)])
def test_a_sync_tells_what_one_target_has_or_all(world, body, values):
    world.add_device(1)
    for target in (0, 1, TAG):
        world.dash.bank(target).pin(ord("v"), 5).set(b"x", 1)
    world.dash.active = False  # asked for, it is told all the same
    world.send(world.app, SYNC, body)
    first, *rest = world.sent_to(world.app)
    assert first == (0, 5, OK)
    assert len(rest) == values
    assert all((number, message_id) == (SYNC, 1111) for number, message_id, _ in rest)


# -- what a phone heard by Bluetooth


def test_what_came_by_bluetooth_is_stored_and_told_to_nobody(world, second):
    world.send(world.app, Command.BLUETOOTH_RESEND, "1-0", "vw", 1, "x")
    assert world.fx.sends == []
    assert world.profile()["pinsStorage"] == {"1-0-v1": "x"}
    assert world.device.data_received_at == world.fx.now


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"1-0\0vw\0", ILLEGAL),  # seven characters
        (b"1-0\0vw\0001", ILLEGAL),
        (b"1-0\0vw\0001\0", ILLEGAL),
        (b"1\0vw\0001\0value", ILLEGAL),
        (b"9-0\0vw\0001\0x", ILLEGAL),
        (b"1-0\0vr\0001\0x", None),
        (b"1-0\0pm\0001\0in", None),
    ],
)
def test_what_did_not_come_by_bluetooth(world, body, status):
    assert world.ask(world.app, Command.BLUETOOTH_RESEND, body) == status
    assert "pinsStorage" not in world.profile()


# -- devices without a project are no app's


def test_what_names_the_hidden_project_does_nothing_to_it(world, second):
    """Its id may stand in the JSON of an app that is made and deleted."""
    hidden = world.account.dashboards[NO_PROJECT] = Dashboard(world.account, NO_PROJECT, {}, -1)
    world.add_device(1, hidden)
    app = {"theme": "Blynk", "provisionType": "STATIC", "name": "x", "projectIds": [NO_PROJECT, 1]}
    made = world.json(Command.CREATE_APP, app)["id"]
    assert seeding.seed_of(world.account, made, lambda: "t") is None
    assert world.app_status(Command.DELETE_APP, made) == OK
    assert list(world.account.dashboards) == [NO_PROJECT]
    assert 1 in hidden.devices
