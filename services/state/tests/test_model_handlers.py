"""Commands of apps that change the model: projects, devices, tags, widgets, tiles, properties, energy (spec 02, 6–8)."""

from __future__ import annotations

import json

import pytest
from state_world import NOW
from vpin_state.profile import pins_storage
from vpin_state.properties import with_property

OK = 200
CREATE_DASH, UPDATE_DASH, DELETE_DASH, SETTINGS, ACTIVATE, DEACTIVATE = 21, 22, 23, 38, 7, 8
CREATE_WIDGET, UPDATE_WIDGET, DELETE_WIDGET, GET_WIDGET = 33, 34, 35, 70
CREATE_DEVICE, UPDATE_DEVICE, DELETE_DEVICE, GET_DEVICES, GET_DEVICE, REFRESH, PROVISION = 42, 43, 44, 45, 50, 9, 74
CREATE_TAG, UPDATE_TAG, DELETE_TAG, GET_TAGS = 46, 47, 48, 49
CREATE_TEMPLATE, UPDATE_TEMPLATE, DELETE_TEMPLATE = 67, 68, 69
PROPERTY, HARDWARE, ENERGY, ADD_ENERGY, REDEEM = 19, 20, 36, 37, 3


def widget(type_, widget_id, **keys):
    return {"type": type_, "id": widget_id, "width": 1, "height": 1, **keys}


def on_pin(type_, widget_id, pin, **keys):
    return widget(type_, widget_id, pinType="VIRTUAL", pin=pin, **keys)


def board_writes(world, pin, value, board=None):
    world.send(board or world.board, HARDWARE, "vw", pin, value)
    world.clear()


def energy(world):
    return int(world.app_status(ENERGY))


def widgets(world, dash=1):
    return world.profile(dash).get("widgets", [])


# -- projects


def test_a_new_project(world):
    sent = {
        "id": 2,
        "name": "n",
        "devices": [{"id": 0, "token": "mine"}],
        "widgets": [on_pin("LCD", 1, 1)],
        "sharedToken": "x",
    }
    before = energy(world)
    assert world.app_status(CREATE_DASH, sent) == OK
    got = world.profile(2)
    assert got["createdAt"] == world.fx.now
    assert len(got["devices"][0]["token"]) == 32
    assert "sharedToken" not in got
    assert "boardType" not in got["devices"][0]
    assert energy(world) == before - 400
    assert got != {"id": 2}
    assert [d["id"] for d in world.profile()["dashBoards"]] == [1, 2]
    assert world.app_status(DELETE_DASH, 2) == OK
    assert energy(world) == before
    assert world.account.dirty.deleted_dashboards == [2]
    assert world.account.dirty.deleted_tokens == [got["devices"][0]["token"]]


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((), 2),
        (("{",), 11),
        (("null",), 11),
        (({"id": 1},), 6),
        (({"id": 3, "widgets": [widget("DEVICE_SELECTOR", i) for i in range(60)]},), 21),
        (({"id": 3, "name": "x" * 262_144},), 6),
        (({"id": 3, "devices": [{"id": i} for i in range(51)]},), 6),
        (({"id": 3, "tags": [{"id": 100_000 + i, "name": str(i)} for i in range(101)]},), 6),
    ],
)
def test_a_bad_project_changes_nothing(world, parts, status):
    assert world.app_status(CREATE_DASH, *parts) == status
    assert list(world.account.dashboards) == [1]
    assert world.account.marks == 0


def test_no_token_means_no_values_either(world):
    dash = {
        "id": 2,
        "devices": [{"id": 0}],
        "widgets": [
            on_pin("SLIDER", 1, 1, value="5"),
            on_pin("WEBHOOK", 2, 1, value="6"),
            on_pin("TABLE", 3, 2, rows=[{"id": 1}], currentRowIndex=1),
            widget("DEVICE_TILES", 4, templates=[{"id": 1, "widgets": [on_pin("LED", 5, 3, value="7")]}]),
        ],
    }
    assert world.app_status(CREATE_DASH, "no_token", dash) == OK
    got = world.profile(2)
    assert "token" not in got["devices"][0]
    slider, hook, table, tiles = got["widgets"]
    inner = tiles["templates"][0]["widgets"][0]
    assert not [w for w in (slider, hook, table, inner) if "value" in w]
    assert ("rows" not in table, table["currentRowIndex"]) == (True, 0)


def test_a_face_costs_nothing(world):
    before = energy(world)
    assert world.app_status(CREATE_DASH, {"id": 2, "parentId": 1, "widgets": [widget("LCD", 1)]}) == OK
    assert world.app_status(DELETE_DASH, 2) == OK
    assert energy(world) == before


def test_at_most_100_projects(world):
    for i in range(2, 101):
        assert world.app_status(CREATE_DASH, {"id": i}) == OK
    assert world.app_status(CREATE_DASH, {"id": 101}) == 1


def test_an_update_replaces_settings_and_widgets(world):
    push = widget("NOTIFICATION", 3, androidTokens={"phone": "t"})
    for w in (on_pin("SLIDER", 1, 1), on_pin("TERMINAL", 2, 2), push):
        assert world.app_status(CREATE_WIDGET, 1, w) == OK
    board_writes(world, 1, "5")
    board_writes(world, 2, "line")
    board_writes(world, 9, "stored")
    world.device.bank.set_property(118, 9, "label", b"nine")
    new = [on_pin("TERMINAL", 7, 2), on_pin("LED", 8, 9), on_pin("LED", 9, 1, value="8"), widget("NOTIFICATION", 3)]
    assert (
        world.app_status(UPDATE_DASH, {"id": 1, "name": "new", "isActive": False, "widgets": new, "createdAt": 4}) == OK
    )
    got = world.profile()["dashBoards"][0]
    assert (got["name"], got["isActive"], got["updatedAt"]) == ("new", True, world.fx.now)
    assert len(got["devices"]) == 1
    assert [w["id"] for w in got["widgets"]] == [7, 8, 9, 3]
    assert got["widgets"][3]["androidTokens"] == {"phone": "t"}
    assert [w.get("value") for w in got["widgets"]] == [None, None, "8", None]
    assert pins_storage(world.account, NOW) == {"1-0-v9-label": "nine"}, "stored properties stay"
    assert world.device.bank.pins[118, 2].lines == [b"line"]


def test_data_streams_come_and_go_with_updates(world):
    assert world.app_status(UPDATE_DASH, {"id": 1, "dataStreams": []}) == OK
    assert world.profile(1)["dataStreams"] == []
    assert world.app_status(UPDATE_DASH, {"id": 1}) == OK
    assert world.profile(1)["dataStreams"] == []
    assert world.app_status(UPDATE_DASH, {"id": 1, "dataStreams": None}) == OK
    assert "dataStreams" not in world.profile(1)


def test_settings_are_replaced_as_a_whole(world):
    world.dash.settings["tags"] = [{"id": 100_000, "name": "t"}]
    assert world.app_status(SETTINGS, 1, {"keepScreenOn": True}) == OK
    got = world.profile(1)
    assert (got["keepScreenOn"], got["theme"], got["color"], got["isDefaultColor"]) == (True, "Blynk", 0, False)
    assert "name" not in got
    assert got["tags"]


def test_deleting_a_project_disconnects_its_boards(world):
    board_writes(world, 1, "x")
    world.send(world.app, DELETE_DASH, 1)
    assert world.board.closing
    world.clear()
    assert world.profile() == {}
    assert world.app_status(DELETE_DASH, 1) == 2


def test_activation(world):
    second, other = world.add_device(1), world.app_session()
    world.app_status(CREATE_WIDGET, 1, on_pin("BUTTON", 1, 3, value="5"))
    world.app_status(CREATE_WIDGET, 1, widget("BUTTON", 2, pinType="DIGITAL", pin=4))
    world.send(world.app, ACTIVATE, 1)
    assert world.sent_to(world.board) == [(20, 1, b"pm\x004\0out")]
    sync = (25, 1111, b"1-0\0vw\x003\x005")
    assert world.sent_to(world.app) == [(0, 1, 7), (0, 5, OK), sync]
    assert world.sent_to(other) == [(7, 5, b"1"), sync]
    world.device.sessions.clear()
    assert world.app_status(ACTIVATE, 1) == 7
    world.dash.settings["isNotificationsOff"] = True
    assert world.app_status(ACTIVATE, 1) == OK
    assert not second.online


def test_deactivation_of_one_or_all(world):
    other, guest = world.app_session(), world.app_session(shared=world.dash)
    world.app_status(CREATE_DASH, {"id": 2, "isActive": True})
    world.send(world.app, DEACTIVATE, 2)
    assert world.sent_to(other) == [(8, 5, b"2")]
    assert world.sent_to(guest) == []
    world.send(world.app, DEACTIVATE)
    assert world.sent_to(guest) == [(8, 5, b"")]
    assert not world.dash.active


def test_a_guest_sees_one_project_without_secrets(world):
    world.app_status(CREATE_DASH, {"id": 2, "devices": [{"id": 0}]})
    world.dash.settings |= {"isShared": True, "sharedToken": "secret"}
    guest = world.app_session(shared=world.dash)
    text = json.dumps([world.profile(session=guest), world.profile(1, session=guest)])
    assert "secret" not in text
    assert world.device.token not in text
    assert [d["id"] for d in world.profile(session=guest)["dashBoards"]] == [1]
    assert world.ask(guest, 24, 2) == 6
    assert world.ask(guest, GET_DEVICES, 2) == 6
    assert world.device.token.encode() not in world.ask(guest, GET_DEVICES, 1)
    assert world.ask(guest, CREATE_WIDGET, 1, widget("LED", 1)) == 6
    world.dash.settings["isShared"] = False
    assert world.ask(guest, 24) == 6


# -- devices


def test_a_device_is_created_changed_and_listed(world):
    got = world.json(
        CREATE_DEVICE, 1, {"id": 5, "boardType": "Mine", "token": "x", "status": "ONLINE", "connectTime": 7}
    )
    assert (got["boardType"], got["status"], got["connectTime"], len(got["token"])) == (
        "Generic Board",
        "OFFLINE",
        0,
        32,
    )
    assert world.json(GET_DEVICE, 1, 5) == got
    assert world.app_status(UPDATE_DEVICE, 1, {"id": 5, "boardType": "ESP8266", "name": "n"}) == OK
    assert world.json(GET_DEVICE, 1, 5) == {**got, "boardType": "ESP8266", "name": "n"}
    hidden = ("address", "firstConnectTime", "lastLoggedIP", "deviceOtaInfo")
    assert world.json(GET_DEVICES, 1)[1] == {k: v for k, v in world.json(GET_DEVICE, 1, 5).items() if k not in hidden}


@pytest.mark.parametrize(
    ("command", "parts", "status"),
    [
        (CREATE_DEVICE, (1,), 2),
        (CREATE_DEVICE, (1, {"id": 5}), 2),
        (CREATE_DEVICE, (1, {"id": 0, "boardType": "ESP8266"}), 6),
        (CREATE_DEVICE, (1, {"id": 5, "boardType": "ESP8266", "name": "n" * 51}), 2),
        (CREATE_DEVICE, (1, {"id": 5, "boardType": 5}), 11),
        (UPDATE_DEVICE, (1, {"id": 7, "boardType": "ESP8266"}), 11),
        (GET_DEVICE, (1, 7), 11),
        (GET_DEVICE, (1,), 2),
        (DELETE_DEVICE, (1, 7), 2),
        (DELETE_DEVICE, (1,), 2),
        (REFRESH, (1, 7), 11),
        (PROVISION, (1,), 2),
        (PROVISION, (1, {"id": 0, "boardType": "ESP8266"}), 6),
    ],
)
def test_bad_device_commands(world, command, parts, status):
    assert world.app_status(command, *parts) == status
    assert list(world.dash.devices) == [0]


def test_at_most_50_devices(world):
    for i in range(1, 50):
        world.add_device(i)
    assert world.app_status(CREATE_DEVICE, 1, {"id": 60, "boardType": "ESP8266"}) == 6


def test_a_deleted_device_is_forgotten_everywhere(world):
    second = world.add_device(1)
    board = world.board_session(second)
    assert world.json(CREATE_TAG, 1, {"id": 100_000, "name": "t", "deviceIds": [1]})
    world.app_status(CREATE_WIDGET, 1, widget("DEVICE_SELECTOR", 200_000, deviceIds=[0, 1]))
    world.app_status(CREATE_WIDGET, 1, on_pin("SLIDER", 1, 5, deviceId=1))
    world.app_status(CREATE_WIDGET, 1, widget("DEVICE_TILES", 2))
    world.app_status(CREATE_TEMPLATE, 1, 2, {"id": 1, "deviceIds": [1, 0], "pin": {"pin": 9, "pinType": "VIRTUAL"}})
    world.app_status(CREATE_WIDGET, 1, on_pin("TABLE", 3, 7, deviceId=1))
    board_writes(world, 5, "x", board)
    board_writes(world, 6, "y", board)
    board_writes(world, 7, "add\x001\x00n\x00v", board)
    assert world.app_status(DELETE_DEVICE, 1, 1) == OK
    assert board.closing
    got = world.profile()
    assert "pinsStorage" not in got
    selector, slider, tiles, table = got["dashBoards"][0]["widgets"]
    assert selector["deviceIds"] == [0]
    assert "value" not in slider
    assert not {"value", "rows"} & table.keys()
    assert [t["deviceId"] for t in tiles["tiles"]] == tiles["templates"][0]["deviceIds"] == [0]
    assert world.json(GET_TAGS, 1) == [{"id": 100_000, "name": "t"}]
    world.json(CREATE_DEVICE, 1, {"id": 1, "boardType": "ESP8266"})
    assert "value" not in widgets(world)[1], "a new device of that id starts empty"


def test_a_new_token_throws_the_board_out(world):
    old = world.device.token
    world.send(world.app, REFRESH, 1)
    frames = world.sent_to(world.app)
    assert frames[0][0] == REFRESH
    assert frames[0][2].decode() == world.device.token != old
    assert world.board.closing
    assert not world.device.online
    assert (71, 0, b"1-0") in frames
    assert world.account.dirty.deleted_tokens == [old]
    assert list(world.account.dirty.tokens) == [world.device.token]


def test_a_provisioned_device_is_only_a_token(world):
    got = world.json(PROVISION, 1, {"id": 8, "boardType": "ESP8266", "name": "later"})
    kind, dash, device, expires_at, body = world.account.dirty.tokens[got["token"]]
    assert (kind, dash, device, expires_at - world.fx.now) == ("provision", 1, 8, 7 * 86_400_000)
    assert json.loads(body)["name"] == "later"
    assert list(world.dash.devices) == [0]


def test_tags(world):
    tag = {"id": 100_000, "name": "a", "deviceIds": [0]}
    assert world.json(CREATE_TAG, 1, tag) == tag
    for bad in ({**tag, "name": "b"}, {**tag, "id": 100_001}, {"id": 5, "name": "c"}, {"id": 100_002, "name": ""}):
        assert world.app_status(CREATE_TAG, 1, bad) == 2
    assert world.app_status(UPDATE_TAG, 1, {"id": 100_000, "name": "z"}) == OK
    assert world.json(GET_TAGS, 1) == [{"id": 100_000, "name": "z"}]
    assert world.app_status(UPDATE_TAG, 1, {"id": 100_009, "name": "z"}) == 2
    assert world.app_status(DELETE_TAG, 1, 100_000) == OK
    assert world.json(GET_TAGS, 1) == []
    assert world.app_status(DELETE_TAG, 1, 100_000) == 2


# -- widgets


def test_a_widget_is_paid_for_and_given_back(world):
    before = energy(world)
    assert world.app_status(CREATE_WIDGET, 1, on_pin("SLIDER", 1, 5, value="3")) == OK
    assert energy(world) == before - 200
    assert world.json(GET_WIDGET, 1, 1)["value"] == "3"
    assert world.app_status(DELETE_WIDGET, 1, 1) == OK
    assert energy(world) == before
    assert world.app_status(GET_WIDGET, 1, 1) == 2
    assert pins_storage(world.account, NOW) == {}


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((1,), 2),
        ((1, ""), 2),
        ((9, widget("LED", 5)), 2),
        ((1, widget("LED", 1)), 6),
        ((1, widget("LED", 60)), 6),
        ((1, {"id": 5, "width": 0, "height": 1}), 6),
        ((1, "{"), 11),
        ((1, 2, 9, widget("LED", 5)), 2),
        ((1, 1, 1, widget("LED", 5)), 2),
        ((1, 2, widget("LED", 5)), 2),
    ],
)
def test_bad_widgets(world, parts, status):
    inner = [widget("LED", 60)]
    assert world.app_status(CREATE_WIDGET, 1, widget("SLIDER", 1)) == OK
    assert world.app_status(CREATE_WIDGET, 1, widget("DEVICE_TILES", 2, templates=[{"id": 1, "widgets": inner}])) == OK
    before = (energy(world), widgets(world))
    assert world.app_status(CREATE_WIDGET, *parts) == status
    assert (energy(world), widgets(world)) == before


def test_what_one_cannot_pay_is_not_created(world):
    world.account.row = world.account.row._replace(energy=199)
    assert world.app_status(CREATE_WIDGET, 1, widget("SLIDER", 1)) == 21
    world.account.row = world.account.row._replace(app_name="other")
    assert world.app_status(CREATE_WIDGET, 1, widget("SLIDER", 1)) == OK
    assert energy(world) == -1


def test_a_new_widget_forgets_what_the_pin_held_unless_another_shows_it(world):
    board_writes(world, 5, "old")
    world.device.bank.set_property(118, 5, "label", b"x")
    world.app_status(CREATE_WIDGET, 1, on_pin("SLIDER", 1, 5))
    assert pins_storage(world.account, NOW) == {}
    assert "value" not in widgets(world)[0]
    board_writes(world, 5, "7")
    world.app_status(CREATE_WIDGET, 1, on_pin("LED", 2, 5))
    assert widgets(world)[0]["value"] == "7"
    world.app_status(DELETE_WIDGET, 1, 2)
    assert widgets(world)[0]["value"] == "7"


def test_updates_keep_the_value_while_the_pin_stays(world):
    world.app_status(CREATE_WIDGET, 1, on_pin("SLIDER", 1, 5, label="before"))
    board_writes(world, 5, "7")
    assert world.app_status(UPDATE_WIDGET, 1, on_pin("SLIDER", 1, 5, value="99", x=3)) == OK
    got = widgets(world)[0]
    assert (got["value"], got["x"], got.get("label")) == ("7", 3, None)
    assert world.app_status(UPDATE_WIDGET, 1, on_pin("SLIDER", 1, 6)) == OK
    assert "value" not in widgets(world)[0]
    assert pins_storage(world.account, NOW) == {}
    assert world.app_status(UPDATE_WIDGET, 1, on_pin("SLIDER", 1, 7, value="8")) == OK
    assert widgets(world)[0]["value"] == "8"
    assert world.app_status(UPDATE_WIDGET, 1, on_pin("LED", 1, 7)) == 2
    assert world.app_status(UPDATE_WIDGET, 1, on_pin("LED", 9, 7)) == 2
    assert world.app_status(UPDATE_WIDGET, 1, {**on_pin("SLIDER", 1, 7), "width": 0}) == 6


def test_the_value_of_a_terminal_is_what_its_json_says(world):
    world.app_status(CREATE_WIDGET, 1, on_pin("TERMINAL", 1, 5, value="shown"))
    board_writes(world, 5, "line")
    assert widgets(world)[0]["value"] == "shown"
    assert world.app_status(UPDATE_WIDGET, 1, on_pin("TERMINAL", 1, 5, value="other")) == OK
    assert widgets(world)[0]["value"] == "other"
    assert world.device.bank.pins[118, 5].lines == [b"line"]


def test_an_empty_value_is_left_out(world):
    world.app_status(CREATE_WIDGET, 1, on_pin("LED", 1, 5))
    world.app_status(CREATE_WIDGET, 1, widget("RGB", 2, pins=[{"pin": 5, "pinType": "VIRTUAL"}]))
    world.app_status(CREATE_WIDGET, 1, widget("DEVICE_TILES", 3))
    world.app_status(CREATE_TEMPLATE, 1, 3, template(1))
    world.send(world.app, HARDWARE, "1-0", "vw", 5, "")
    world.clear()
    assert world.device.bank.pins[118, 5].value == b""
    led, rgb, tiles = widgets(world)
    assert not [holder for holder in (led, rgb["pins"][0], tiles["tiles"][0]["pin"]) if "value" in holder]


def test_a_timer_takes_the_value_of_its_update(world):
    world.app_status(CREATE_WIDGET, 1, on_pin("TIMER", 1, 5))
    board_writes(world, 5, "7")
    world.app_status(UPDATE_WIDGET, 1, on_pin("TIMER", 1, 5, startTime=60))
    assert "value" not in widgets(world)[0]


def test_memories_and_owned_keys_survive_an_update(world):
    world.app_status(CREATE_WIDGET, 1, on_pin("TERMINAL", 1, 5))
    world.app_status(CREATE_WIDGET, 1, on_pin("TABLE", 2, 6))
    world.app_status(CREATE_WIDGET, 1, widget("NOTIFICATION", 3, androidTokens={"a": "1"}))
    world.app_status(CREATE_WIDGET, 1, widget("DEVICE_TILES", 4))
    world.app_status(CREATE_TEMPLATE, 1, 4, {"id": 1})
    board_writes(world, 5, "line")
    board_writes(world, 6, "add\x001\x00n\x00v")
    for w in (
        on_pin("TERMINAL", 1, 5),
        on_pin("TABLE", 2, 6),
        widget("NOTIFICATION", 3, iOSTokens={"b": "2"}),
        widget("DEVICE_TILES", 4),
    ):
        assert world.app_status(UPDATE_WIDGET, 1, w) == OK
    assert world.device.bank.pins[118, 5].lines == [b"line"]
    _, table, push, tiles = widgets(world)
    assert len(table["rows"]) == 1
    assert (push["androidTokens"], push["iOSTokens"]) == ({"a": "1"}, {"b": "2"})
    assert len(tiles["templates"]) == 1
    world.app_status(UPDATE_WIDGET, 1, on_pin("TABLE", 2, 7))
    assert "rows" not in widgets(world)[1]


def test_an_update_of_tiles_keeps_all_values_in_them(world):
    world.app_status(CREATE_WIDGET, 1, widget("DEVICE_TILES", 21))
    world.app_status(CREATE_TEMPLATE, 1, 21, template(3, widgets=[on_pin("SLIDER", 100, 7, deviceId=-1)]))
    board_writes(world, 5, "of the tile")
    board_writes(world, 7, "of the slider")
    before = widgets(world)[0]
    stale = {"deviceId": 0, "templateId": 3, "pin": {"pin": 5, "pinType": "VIRTUAL", "value": "stale"}}
    for sent in ({}, {"tiles": [stale], "templates": [template(4)]}):
        assert world.app_status(UPDATE_WIDGET, 1, widget("DEVICE_TILES", 21, **sent)) == OK
        assert widgets(world)[0] == before
        assert pins_storage(world.account, NOW) == {"1-0-v7": "of the slider"}


def test_a_widget_that_changes_its_target_starts_empty(world):
    world.app_status(CREATE_TAG, 1, {"id": 100_000, "name": "t", "deviceIds": [0]})
    world.app_status(CREATE_WIDGET, 1, on_pin("TABLE", 1, 5))
    board_writes(world, 5, "add\x001\x00n\x00v")
    assert world.app_status(UPDATE_WIDGET, 1, on_pin("TABLE", 1, 5, deviceId=100_000)) == OK
    assert not {"value", "rows"} & widgets(world)[0].keys()
    assert pins_storage(world.account, NOW) == {}


def test_tabs_take_their_widgets_along(world):
    tabs = widget("TABS", 1, tabs=[{"id": i} for i in range(3)])
    world.app_status(CREATE_WIDGET, 1, tabs)
    for tab in range(3):
        world.app_status(CREATE_WIDGET, 1, widget("LED", 10 + tab, tabId=tab))
    before = energy(world)
    assert world.app_status(UPDATE_WIDGET, 1, {**tabs, "tabs": tabs["tabs"][:2]}) == OK
    assert [w["id"] for w in widgets(world)] == [1, 10, 11]
    assert energy(world) == before + 100
    assert world.app_status(DELETE_WIDGET, 1, 1) == OK
    assert [w["id"] for w in widgets(world)] == [10]
    assert energy(world) == before + 200


# -- tiles


def template(template_id, devices=(0,), pin=5, **keys):
    return {"id": template_id, "deviceIds": list(devices), "pin": {"pin": pin, "pinType": "VIRTUAL"}, **keys}


@pytest.fixture
def tiled(world):
    world.add_device(1)
    world.app_status(CREATE_WIDGET, 1, widget("DEVICE_TILES", 21))
    return world


def test_templates_make_tiles(tiled):
    assert tiled.app_status(CREATE_TEMPLATE, 1, 21, template(3)) == OK
    board_writes(tiled, 5, "9")
    assert tiled.app_status(CREATE_TEMPLATE, 1, 21, template(3)) == 6
    assert tiled.app_status(UPDATE_TEMPLATE, 1, 21, template(3, (1, 0), templateId="")) == OK
    tiles = tiled.json(GET_WIDGET, 1, 21)
    assert [(t["deviceId"], t["pin"].get("value")) for t in tiles["tiles"]] == [(1, None), (0, "9")]
    assert tiles["templates"][0]["templateId"] == "TMPL3"
    assert tiled.app_status(UPDATE_TEMPLATE, 1, 21, template(3, (0,), pin=6)) == OK
    assert "value" not in tiled.json(GET_WIDGET, 1, 21)["tiles"][0]["pin"]
    assert pins_storage(tiled.account, NOW) == {}
    assert tiled.app_status(DELETE_TEMPLATE, 1, 21, 3) == OK
    assert not {"templates", "tiles"} & tiled.json(GET_WIDGET, 1, 21).keys()


@pytest.mark.parametrize(
    ("command", "parts", "status"),
    [
        (CREATE_TEMPLATE, (1, 21), 2),
        (CREATE_TEMPLATE, (1, 21, "{"), 11),
        (CREATE_TEMPLATE, (1, 99, {"id": 2}), 2),
        (UPDATE_TEMPLATE, (1, 21, {"id": 2}), 2),
        (DELETE_TEMPLATE, (1, 21, 2), 2),
        (DELETE_TEMPLATE, (1, 21), 2),
        (DELETE_TEMPLATE, (1, 21, "x"), 2),
    ],
)
def test_bad_templates(tiled, command, parts, status):
    assert tiled.app_status(command, *parts) == status
    assert "templates" not in tiled.json(GET_WIDGET, 1, 21)


def test_widgets_in_templates(tiled):
    before = energy(tiled)
    tiled.app_status(CREATE_TEMPLATE, 1, 21, template(3, (0, 1)))
    inner = on_pin("SLIDER", 100, 7, deviceId=-1)
    assert tiled.app_status(CREATE_WIDGET, 1, 21, 3, inner) == OK
    assert energy(tiled) == before - 200
    assert tiled.app_status(CREATE_WIDGET, 1, inner) == 6
    board_writes(tiled, 7, "x")
    assert tiled.app_status(UPDATE_WIDGET, 1, {**inner, "label": "in"}) == OK
    assert pins_storage(tiled.account, NOW) == {"1-0-v7": "x"}
    assert tiled.app_status(PROPERTY, 1, 100, "max", "5") == OK
    got = tiled.json(GET_WIDGET, 1, 21)["templates"][0]["widgets"][0]
    assert (got["label"], got["max"]) == ("in", 5.0)
    assert tiled.app_status(UPDATE_TEMPLATE, 1, 21, template(3, (0, 1), name="new")) == OK
    assert len(tiled.json(GET_WIDGET, 1, 21)["templates"][0]["widgets"]) == 1
    assert tiled.app_status(DELETE_WIDGET, 1, 100) == OK
    assert "widgets" not in tiled.json(GET_WIDGET, 1, 21)["templates"][0]
    assert energy(tiled) == before
    assert pins_storage(tiled.account, NOW) == {}


def test_a_template_with_widgets_is_paid_for(tiled):
    before = energy(tiled)
    assert tiled.app_status(CREATE_TEMPLATE, 1, 21, template(3, widgets=[on_pin("LED", 5, 1)])) == OK
    assert energy(tiled) == before - 100
    assert tiled.app_status(DELETE_TEMPLATE, 1, 21, 3) == OK
    assert energy(tiled) == before


# -- properties


def board_sets(world, *parts):
    return world.ask(world.board, PROPERTY, *parts)


def test_a_board_sets_properties(world):
    states = {"onButtonState": {"text": "a"}}
    world.app_status(CREATE_WIDGET, 1, on_pin("STYLED_BUTTON", 1, 5, **states))
    world.app_status(CREATE_WIDGET, 1, on_pin("IMAGE", 2, 6, urls=["a", "b"]))
    world.app_status(CREATE_WIDGET, 1, on_pin("MENU", 3, 7))
    for parts in (
        (5, "onLabel", "go"),
        (5, "offLabel", "halt"),
        (5, "color", "#D3435C"),
        (5, "min", "1e3"),
        (6, "url", 2, "c"),
        (7, "labels", "tea", "rum"),
        (7, "label", "a", "b"),
    ):
        assert board_sets(world, *parts) == OK
    button, image, menu = widgets(world)
    assert button["onButtonState"]["text"] == "go"
    assert "offButtonState" not in button
    assert (button["color"], button["isDefaultColor"], button["min"]) == (-750560001, False, 1000.0)
    assert image["urls"] == ["a", "c"]
    assert (menu["labels"], menu["label"]) == (["tea", "rum"], "a\x00b")
    assert pins_storage(world.account, NOW) == {}
    assert board_sets(world, 6, "url", 3, "c") == OK
    assert board_sets(world, 5, "step", "abc") == OK
    assert pins_storage(world.account, NOW) == {"1-0-v6-url": "3\x00c", "1-0-v5-step": "abc"}
    assert board_sets(world, 6, "url", 2) == OK
    assert widgets(world)[1]["urls"] == ["a", "c"], "without the address that is meant nothing changes"
    assert pins_storage(world.account, NOW)["1-0-v6-url"] == "2"


def test_a_property_of_a_tile_is_all_tiles_and_the_devices_own(tiled):
    tiled.app_status(CREATE_TEMPLATE, 1, 21, template(3, (0, 1)))
    for name, value in (("label", "mine"), ("color", "#000000"), ("min", "abc")):
        assert board_sets(tiled, 5, name, value) == OK
    assert board_sets(tiled, 5, "color", "red") == 2
    tiles = widgets(tiled)[0]
    assert (tiles["label"], tiles["color"], "min" in tiles) == ("mine", 255, False)
    assert pins_storage(tiled.account, NOW) == {"1-0-v5-label": "mine", "1-0-v5-color": "#000000", "1-0-v5-min": "abc"}


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((5, "label"), 11),
        ((5, "label", ""), 11),
        ((5, "isDisabled", "1"), 11),
        ((300, "label", "x"), 2),
        ((5, "color", "red"), 2),
        ((5, "color", "#fff"), 2),
        ((5, "min", "NaN"), 2),
        ((5, "min", " "), 2),
        ((5, "maximumFractionDigits", "2.5"), 2),
    ],
)
def test_bad_properties_change_nothing(world, parts, status):
    world.app_status(CREATE_WIDGET, 1, on_pin("SLIDER", 1, 5))
    before = widgets(world)
    assert board_sets(world, *parts) == status
    assert widgets(world) == before


def test_an_empty_text_of_a_state_is_left_out():
    button = {"type": "STYLED_BUTTON", "onButtonState": {"text": "On", "textColor": 0}}
    assert (with_property(button, "onLabel", b"") or {})["onButtonState"] == {"textColor": 0}


def test_properties_reach_the_apps_of_an_active_project(world):
    world.send(world.board, PROPERTY, 5, "label", "x")
    assert world.sent_to(world.app) == [(19, 5, b"1-0\x005\0label\0x")]
    world.dash.active = False
    world.clear()
    assert board_sets(world, 5, "label", "y") is None
    assert pins_storage(world.account, NOW) == {"1-0-v5-label": "x"}
    world.dash.active = True
    world.dash.settings["dataStreams"] = []
    assert board_sets(world, 5, "isDisabled", "true") == OK
    assert board_sets(world, 5, "n" * 64, "true") == OK
    assert board_sets(world, 5, "n" * 65, "true") == 11  # no key of the database may be of any length


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((1, 1, "label", "x"), OK),
        ((1, 1, "suffix", "x"), 11),
        ((1, 1, "label"), 11),
        ((1, 1, "label", "a", "b"), 11),
        ((1, 9, "label", "x"), 2),
        ((9, 1, "label", "x"), 2),
        ((1, 1, "min", "low"), 2),
    ],
)
def test_an_app_sets_properties_by_widget(world, parts, status):
    world.app_status(CREATE_WIDGET, 1, on_pin("SLIDER", 1, 5))
    assert world.app_status(PROPERTY, *parts) == status


def test_a_board_makes_up_a_hundred_names_at_most(world):
    world.dash.settings["dataStreams"] = []
    for number in range(100):
        assert board_sets(world, number, f"name {number}", "1") == OK
    assert board_sets(world, 1, "one more", "1") == 11
    assert board_sets(world, 7, "name 7", "2") == OK
    assert board_sets(world, 1, "label", "known") == OK


# -- energy


def test_energy(world):
    before = energy(world)
    assert world.app_status(ADD_ENERGY, 1000, "AdColonyAward") == OK
    assert energy(world) == before + 1000
    forged = ("", "com.blynk.energy.1000", "1234567890123456789.1234567890123456")
    for bad in (*((1000, f) for f in forged), (-5, "x"), (0, "x"), (1000,)):
        assert world.app_status(ADD_ENERGY, *bad) == 6
    assert world.app_status(ADD_ENERGY, "x", "y") == 2
    assert world.app_status(REDEEM, "code") == 6
    assert energy(world) == before + 1000
