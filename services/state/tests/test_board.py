"""Boards: log-in, groups, sync, bridge, clocks, going offline, reading displays (spec 01)."""

from __future__ import annotations

import json

import msgspec
import pytest
from state_world import World
from vpin_messages import entry
from vpin_messages.entry import Opening, Provision
from vpin_protocol import Command
from vpin_state import clocks, live, registry
from vpin_state.collect import collect
from vpin_state.config import Config
from vpin_state.effects import Connection
from vpin_state.handlers import bridge, presence
from vpin_state.load import build_account
from vpin_state.provisioning import join
from vpin_state.reading import READING_ID, Reader
from vpin_store.rows import AccountRows, Changes

HOUR = 3_600_000


def widget(widget_id, type_, **keys):
    return {"id": widget_id, "type": type_, "x": 0, "y": 0, "width": 1, "height": 1, "deviceId": 0, **keys}


def display(widget_id=1, pin=7, **keys):
    return widget(widget_id, "GAUGE", **{"pin": pin, "pinType": "ANALOG", "frequency": 1000, **keys})


@pytest.mark.parametrize("command", [Command.HARDWARE_LOGIN, Command.LOGIN])
def test_a_second_log_in_is_refused_and_changes_nothing(world, command):
    world.send(world.board, command, "any token")
    assert world.sent_to(world.board) == [(0, 5, 4)]
    assert world.device.sessions == [world.board]


# -- groups


@pytest.fixture
def graphed(world):
    """The world with a graph of V3; its points are told by `points`."""
    pin = {"pin": 3, "pinType": "VIRTUAL", "min": 0, "max": 255}
    json = widget(1, "ENHANCED_GRAPH", dataStreams=[{"targetId": 0, "pin": pin}], selectedPeriods=["LIVE"])
    assert world.app_status(Command.CREATE_WIDGET, 1, json) == 200
    return world


def write(world, value):
    world.send(world.board, Command.HARDWARE, "vw", 3, value)


def points(world):
    return live.points_of(world.device.bank, ord("v"), 3)


def test_all_writes_of_a_group_share_one_moment(graphed):
    began = graphed.fx.now
    graphed.send(graphed.board, Command.GROUP, "b")
    for value in (1, 2):
        graphed.fx.now += 500
        write(graphed, value)
    graphed.send(graphed.board, Command.GROUP, "e")
    write(graphed, 3)
    assert points(graphed) == [(began, 1.0), (began, 2.0), (began + 1000, 3.0)]
    assert graphed.sent_to(graphed.board) == []


def test_a_group_may_bring_its_time_but_none_of_the_future(graphed):
    now = graphed.fx.now
    for stamp in (now - 90, now + HOUR, "soon", "", "9" * 400):
        graphed.send(graphed.board, Command.GROUP, "t", stamp)
        write(graphed, 1)
    assert [at for at, _ in points(graphed)] == [now - 90, now, now, now, now]


# -- sync


@pytest.mark.parametrize("body", [("zz", 1), ("x", 1), ("", 1), ("vr",), ("vw",), ("vr", ""), ("vr", 256)])
def test_a_sync_that_makes_no_sense_is_refused(world, body):
    assert world.ask(world.board, Command.HARDWARE_SYNC, *body) == 2


@pytest.mark.parametrize("body", [("vw", 1), ("v", 1), ("dx", 1)])
def test_a_sync_that_does_not_read_is_ignored(world, body):
    assert world.ask(world.board, Command.HARDWARE_SYNC, *body) is None


def test_a_sync_repeats_even_the_id_0(world):
    world.send(world.board, Command.HARDWARE, "vw", 1, "a")
    world.send(world.board, Command.HARDWARE_SYNC, message_id=0)
    assert world.sent_to(world.board) == [(Command.HARDWARE, 0, b"vw\x001\0a")]


# -- bridge


def bridged(world):
    other = world.add_device(1)
    assert world.ask(world.board, Command.BRIDGE, 64, "i", other.token) == 200
    return other


def test_a_bridge_write_reaches_board_and_apps_and_is_kept(world):
    target = world.board_session(bridged(world))
    world.send(world.board, Command.BRIDGE, 64, "vw", 3, "x")
    assert world.sent_to(target) == [(Command.BRIDGE, 5, b"vw\x003\0x")]
    assert world.sent_to(world.app) == [(Command.HARDWARE, 5, b"1-1\0vw\x003\0x")]
    assert world.sent_to(world.board) == []


def test_a_bridge_to_a_template_tells_apps_and_the_board_what_is_stored(world):
    target = world.board_session(bridged(world))
    number = {"id": 1, "pin": 3, "pinType": "VIRTUAL", "valueType": "INT", "min": 0, "max": 9}
    assert world.app_status(Command.UPDATE_DASH, {"id": 1, "name": "t", "dataStreams": [number]}) == 200
    world.send(world.board, Command.BRIDGE, 64, "vw", 3, 50)
    assert world.sent_to(world.app) == [(Command.HARDWARE, 5, b"1-1\0vw\x003\x009")]
    assert world.sent_to(target) == [(Command.BRIDGE, 5, b"vw\x003\x0050"), (Command.HARDWARE, 1111, b"vw\x003\x009")]


@pytest.mark.parametrize("operation", [b"\0w3", b"\0w\x003\0x", b"zw\x003\0x", b"vw\0999\0x", b"vw\x003", b"vw\x003\0"])
def test_a_broken_bridge_write_is_forwarded_and_refused(world, operation):
    target = world.board_session(bridged(world))
    world.send(world.board, Command.BRIDGE, b"64\0" + operation)
    assert world.sent_to(target) == [(Command.BRIDGE, 5, operation)]
    assert world.sent_to(world.board) == [(0, 5, 2)]


def test_a_bridge_to_a_deleted_device_is_not_allowed(world):
    bridged(world)
    assert world.app_status(Command.DELETE_DEVICE, 1, 1) == 200
    assert world.ask(world.board, Command.BRIDGE, 64, "vw", 3, "x") == 6


def test_bridges_survive_a_change_of_owner(world):
    bridged(world)
    assert world.ask(world.board, Command.BRIDGE, b"\xff\xfe", "i", world.device.token) == 200
    assert world.ask(world.board, Command.BRIDGE, "x" * 33, "i", world.device.token) == 200  # no library's
    board = {"id": 0, "boardType": "ESP8266", "name": "another"}
    assert world.app_status(Command.UPDATE_DEVICE, 1, board) == 200
    assert "bridges" not in world.json(Command.GET_DEVICE, 1, 0)
    changes = Changes()
    collect(world.account, changes)
    again = World()
    again.device.body = json.loads(next(row.body for row in changes.devices if row.id == 0))
    twin = again.add_device(1)
    assert again.ask(again.board, Command.BRIDGE, 64, "vw", 3, "x") == 6  # a connection of its own
    bridge.restore(again.board, again.device)
    assert again.board.bridges == {b"64": twin, b"\xff\xfe": again.device}
    target = again.board_session(twin)
    again.send(again.board, Command.BRIDGE, 64, "vw", 3, "x")
    assert again.sent_to(target) == [(Command.BRIDGE, 5, b"vw\x003\0x")]


def test_a_tie_that_is_made_again_is_not_stored_again(world):
    other = bridged(world)
    marks = world.account.marks
    assert world.ask(world.board, Command.BRIDGE, 64, "i", other.token) == 200
    assert world.account.marks == marks
    assert world.ask(world.board, Command.BRIDGE, 64, "i", world.device.token) == 200
    assert world.account.marks > marks
    assert world.device.body["bridges"] == {"64": [1, 0]}


def test_a_connection_has_at_most_100_bridges(world):
    other = world.add_device(1)
    answers = [world.ask(world.board, Command.BRIDGE, pin, "i", other.token) for pin in range(101)]
    assert answers == [200] * 100 + [6]


# -- clocks


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("time", ["1601968586000"]),
        ("iso", ["2020-10-06T10:16:26+03:00"]),
        ("tz", ["120", "60"]),
        ("tz_name", ["Europe/Kiev"]),
        ("tz_rule", ["EET-2EEST,M3.5.0/3,M10.5.0/4"]),
        ("dst_next", ["1603587600", "120", "1616893200", "180"]),
        ("else", None),
    ],
)
def test_the_clock_of_a_zone(word, expected):
    assert clocks.answer(word, 1_601_968_586_000, "Europe/Kiev") == expected


@pytest.mark.parametrize(
    ("name", "rule"), [("UTC", "UTC0"), ("+05:30", "<+05:30>-5:30"), ("-03:00", "<-03:00>3"), ("No/Where", "UTC0")]
)
def test_zones_without_summer_time(name, rule):
    assert clocks.answer("tz_rule", 0, name) == [rule]
    assert clocks.answer("dst_next", 0, name) == []


def test_a_board_asks_for_the_clock_of_its_dashboard(world):
    assert world.ask(world.board, Command.INTERNAL, "rtc") is None
    assert world.app_status(Command.CREATE_WIDGET, 1, widget(1, "RTC", tzName="Asia/Tokyo")) == 200
    assert world.ask(world.board, Command.INTERNAL, "rtc", "sync") == b"rtc\0%d" % (world.fx.now // 1000 + 9 * 3600)
    assert world.ask(world.board, Command.INTERNAL, "utc", "tz_name") == b"utc\0tz_name\0Asia/Tokyo"
    assert world.ask(world.board, Command.INTERNAL, "utc", "dst_next") == b"utc\0dst_next"


# -- going offline


def gone(world):
    world.device.sessions.clear()
    presence.device_gone(world.fx, world.device)


def with_notices(world, **keys):
    phones = {"androidTokens": {"p": "phone"}}
    made = widget(9, "NOTIFICATION", notifyWhenOffline=True, **phones, **keys)
    assert world.app_status(Command.CREATE_WIDGET, 1, made) == 200


def told(world):
    return [command for command, _, _ in world.sent_to(world.app)], [job.text for job in world.fx.jobs]


def test_apps_are_told_that_the_last_connection_has_gone(world):
    twin = world.board_session(world.device)
    world.device.sessions.remove(world.board)
    presence.device_gone(world.fx, world.device)
    assert told(world) == ([], [])
    world.device.sessions.remove(twin)
    presence.device_gone(world.fx, world.device)
    assert world.sent_to(world.app) == [(Command.DEVICE_OFFLINE, 0, b"1-0")]


def test_the_push_goes_out_though_notifications_are_off(world):
    with_notices(world)
    world.dash.settings["isNotificationsOff"] = True
    gone(world)
    assert told(world) == ([], ["Your board 0 went offline."])


def test_an_inactive_dashboard_gives_no_notice(world):
    with_notices(world)
    world.dash.active = False
    gone(world)
    assert told(world) == ([], [])


def test_within_the_ignored_period_nothing_is_told(world):
    with_notices(world, notifyWhenOfflineIgnorePeriod=900)
    gone(world)
    ((at, account, later),) = world.fx.scheduled
    assert (at, account) == (world.fx.now + 900, world.account)
    assert told(world) == ([], [])
    world.board_session(world.device)
    later(world.fx)
    assert told(world) == ([], [])


def test_after_the_ignored_period_both_are_told(world):
    with_notices(world, notifyWhenOfflineIgnorePeriod=900)
    gone(world)
    ((_, _, later),) = world.fx.scheduled
    world.fx.now += 900
    later(world.fx)
    assert told(world) == ([Command.DEVICE_OFFLINE], ["Your board 0 went offline."])


def test_a_board_that_came_and_went_again_meanwhile_gives_only_the_message(world):
    with_notices(world, notifyWhenOfflineIgnorePeriod=900)
    gone(world)
    ((_, _, later), *_) = world.fx.scheduled
    world.fx.now += 400
    gone(world)
    later(world.fx)
    assert told(world) == ([Command.DEVICE_OFFLINE], [])


def test_a_board_that_is_deleted_meanwhile_gives_nothing(world):
    with_notices(world, notifyWhenOfflineIgnorePeriod=900)
    gone(world)
    ((_, _, later),) = world.fx.scheduled
    world.dash.remove_device(world.device)
    later(world.fx)
    assert told(world) == ([], [])


def taken_over(world, after=0):
    """The account at its next owner, who finds it so many ms later; the effects are in the new world."""
    world.dash.changed()
    world.device.changed()
    for w in world.dash.widgets:
        w.changed()
    changes = Changes()
    collect(world.account, changes)
    rows = AccountRows(world.account.row._replace(body=b"{}"))
    rows.dashboards, rows.widgets, rows.devices = changes.dashboards, changes.widgets, changes.devices
    new = World()
    new.fx.now = world.fx.now + after
    new.account = build_account(rows, 0)
    new.account.on_dirty = []
    new.dash = new.account.dashboards[1]
    new.device = new.dash.devices[0]
    new.app = new.app_session()
    registry.load()
    registry.tasks[presence.LEFT_BEHIND](new.fx, new.account, Connection(b"", 0, 0), [])
    return new


def logged_in(world):
    board = world.device.sessions[0]
    world.fx.begin(board, 1)
    presence.device_connected(world.fx, board, Opening(1, Command.HARDWARE_LOGIN))
    world.clear()


def test_a_board_whose_gateway_died_with_the_owner_has_gone(world):
    logged_in(world)
    new = taken_over(world, 30_000)
    assert told(new) == ([Command.DEVICE_OFFLINE], [])
    assert new.device.disconnect_time == new.fx.now
    assert [key for key, _ in new.fx.events] == ["device.offline"]


def test_a_board_that_went_in_time_is_not_told_again(world):
    logged_in(world)
    world.fx.now += 1
    gone(world)
    assert told(taken_over(world)) == ([], [])


def test_a_board_without_a_log_in_is_not_told(world):
    assert told(taken_over(world)) == ([], [])


def test_a_notice_that_waits_survives_its_owner(world):
    with_notices(world, notifyWhenOfflineIgnorePeriod=60_000)
    logged_in(world)
    world.fx.now += 1
    gone(world)
    new = taken_over(world, 20_000)
    assert told(new) == ([], [])
    ((at, _, later),) = new.fx.scheduled
    assert at == world.fx.now + 60_000
    new.fx.now = at
    later(new.fx)
    assert told(new) == ([Command.DEVICE_OFFLINE], ["Your board 0 went offline."])
    assert told(taken_over(new)) == ([], []), "once"


def test_a_notice_whose_time_is_over_at_the_next_owner_comes_at_once(world):
    with_notices(world, notifyWhenOfflineIgnorePeriod=1000)
    logged_in(world)
    world.fx.now += 1
    gone(world)
    new = taken_over(world, 20_000)
    ((at, _, later),) = new.fx.scheduled
    assert at < new.fx.now
    later(new.fx)
    assert told(new) == ([Command.DEVICE_OFFLINE], ["Your board 0 went offline."])


def test_a_board_that_comes_back_in_time_leaves_nothing_behind(world):
    with_notices(world, notifyWhenOfflineIgnorePeriod=60_000)
    gone(world)
    world.board_session(world.device)
    logged_in(world)
    assert presence.NOTICE not in world.device.body


# -- reading


def asked(world, reader, after=0):
    world.fx.now += after
    reader.ask(world.fx)
    return [(message_id, body) for _, message_id, body in world.sent_to(world.board)]


def test_an_account_without_polled_displays_has_no_reader(world):
    world.app_status(Command.CREATE_WIDGET, 1, widget(1, "SLIDER", pin=7, pinType="VIRTUAL", frequency=1000))
    world.app_status(Command.CREATE_WIDGET, 1, display(2, frequency=0))
    assert Reader.of(world.account) is None


def test_a_display_is_read_at_its_frequency(world):
    world.app_status(Command.CREATE_WIDGET, 1, display())
    reader = Reader.of(world.account)
    assert asked(world, reader) == [(READING_ID, b"ar\x007")]
    assert asked(world, reader, 500) == []
    assert asked(world, reader, 499) == [(READING_ID, b"ar\x007")]
    reader = Reader.of(world.account, reader)
    assert asked(world, reader) == []


def test_a_board_that_comes_later_is_read(world):
    world.app_status(Command.CREATE_WIDGET, 1, display())
    sessions, world.device.sessions = world.device.sessions, []
    reader = Reader.of(world.account)
    assert asked(world, reader) == []
    world.device.sessions = sessions
    assert asked(world, reader) == [(READING_ID, b"ar\x007")]


def test_a_display_on_a_tag_reads_each_device(world):
    second = world.board_session(world.add_device(1))
    world.app_status(Command.CREATE_TAG, 1, {"id": 100_000, "name": "all", "deviceIds": [0, 1]})
    world.app_status(Command.CREATE_WIDGET, 1, display(deviceId=100_000))
    assert asked(world, Reader.of(world.account)) == [(READING_ID, b"ar\x007")]
    assert len(world.sent_to(second)) == 1


def test_an_lcd_is_read_pin_by_pin(world):
    pins = [{"pin": n, "pinType": "VIRTUAL"} for n in (3, 4)]
    world.app_status(Command.CREATE_WIDGET, 1, widget(1, "LCD", pins=pins, frequency=2000))
    assert asked(world, Reader.of(world.account)) == [(READING_ID, b"vr\x003"), (READING_ID, b"vr\x004")]


def test_nothing_is_read_without_an_app_or_on_an_inactive_dashboard(world):
    world.app_status(Command.CREATE_WIDGET, 1, display())
    reader = Reader.of(world.account)
    world.account.apps.clear()
    assert asked(world, reader) == []
    world.dash.active = False
    assert Reader.of(world.account) is None


# -- provision tokens


def test_the_first_log_in_with_a_provision_token_makes_the_device(world):
    made = world.json(Command.PROVISION_TOKEN, 1, {"id": 4, "name": "pump", "boardType": "ESP8266"})
    token, body = made["token"], world.account.dirty.tokens[made["token"]][4]
    assert join(Config(), world.account, 1, 4, Provision(token, body))
    assert world.dash.devices[4].token == token
    assert world.dash.devices[4].name == "pump"
    assert world.account.dirty.tokens[token][:3] == ("device", 1, 4)
    assert not join(Config(), world.account, 1, 4, Provision(token, body))


@pytest.mark.parametrize(("dash", "device", "most"), [(9, 4, 50), (1, 0, 50), (1, 4, 1)])
def test_a_provision_token_is_worth_nothing_where_there_is_no_place(world, dash, device, most):
    provision = Provision("t" * 32, msgspec.json.encode({"id": device, "name": "pump"}))
    assert not join(Config(devices_max=most), world.account, dash, device, provision)
    assert len(world.dash.devices) == 1


def test_an_opening_with_a_provision_survives_the_bus():
    opening = Opening(1, 29, provision=Provision("t" * 32, b"{}"))
    assert entry.decode_opening(entry.encode(opening)) == opening
