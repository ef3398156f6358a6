"""Timers and rules with a time (spec 05, 2.1 and 2.2.4), and the clock that rings them."""

from __future__ import annotations

import pytest
from vpin_protocol import Command
from vpin_state.alarms import DAY, LATEST, AlarmClock, alarms_of
from vpin_state.pins import VIRTUAL

HARDWARE = Command.HARDWARE
MONDAY = 1_700_438_400 - 1_700_438_400 % DAY
"""2023-11-20, midnight UTC."""


def add(world, widget):
    made = {"id": 302, "x": 0, "y": 0, "width": 2, "height": 1, **widget}
    assert world.app_status(Command.CREATE_WIDGET, 1, made) == 200


def timer(**keys):
    return {"type": "TIMER", "deviceId": 0, "pinType": "VIRTUAL", "pin": 12, **keys}


def timed_rule(second, *actions, **keys):
    trigger = {"id": 1, "time": second, "days": [1, 2, 3, 4, 5, 6, 7], "tzName": "UTC", **keys}
    done = list(actions) or [set_pin(7, "go")]
    return {"type": "EVENTOR", "rules": [{"triggerTime": trigger, "actions": done, "isActive": True}]}


def set_pin(pin, value):
    return {"type": "SETPIN", "pin": {"pin": pin, "pinType": "VIRTUAL"}, "value": value}


def ring(world, at):
    """What the account does at a second since 1970; what the board is sent."""
    for alarm in alarms_of(world.account):
        if alarm.second == at % DAY:
            alarm.ring(world.fx, at)
    return world.sent_to(world.board)


# -- timers


def test_a_timer_stores_and_tells_board_and_apps_with_id_7777(world):
    add(world, timer(startTime=3600, startValue="on", stopTime=7200, stopValue="off"))
    world.sent_to(world.app)
    assert ring(world, MONDAY + 3600) == [(HARDWARE, 7777, b"vw\x0012\0on")]
    assert world.sent_to(world.app) == [(HARDWARE, 7777, b"1-0\0vw\x0012\0on")]
    assert world.device.bank.pin(VIRTUAL, 12).value == b"on"
    assert ring(world, MONDAY + 5 * DAY + 7200) == [(HARDWARE, 7777, b"vw\x0012\0off")]
    assert ring(world, MONDAY + 3601) == []


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"startTime": -1, "startValue": "1"},
        {"startTime": DAY, "startValue": "1"},
        {"startTime": 5, "startValue": ""},
        {"startTime": 5},
        {"startTime": 5, "startValue": "1", "pin": -1},
    ],
)
def test_what_is_not_set_or_impossible_is_kept_and_ignored(world, keys):
    add(world, timer(**keys))
    assert list(alarms_of(world.account)) == []
    assert len(world.dash.widgets) == 1


def test_a_timer_is_quiet_on_an_inactive_dashboard(world):
    add(world, timer(startTime=5, startValue="1"))
    assert world.app_status(Command.DEACTIVATE, 1) == 200
    assert ring(world, MONDAY + 5) == []
    assert world.device.bank.pin(VIRTUAL, 12).value is None


def test_a_timer_keeps_its_value_for_a_board_that_is_away(world):
    world.device.sessions.clear()
    add(world, timer(startTime=5, startValue="1"))
    assert ring(world, MONDAY + 5) == []
    assert world.device.bank.pin(VIRTUAL, 12).value == b"1"


def test_a_timer_on_a_tag_sets_the_pin_of_all_its_devices_and_its_own(world):
    other = world.board_session(world.add_device(1))
    world.app_status(Command.CREATE_TAG, 1, {"id": 100_000, "name": "tag", "deviceIds": [0, 1]})
    add(world, timer(startTime=5, startValue="1", deviceId=100_000))
    assert ring(world, MONDAY + 5) == world.sent_to(other) == [(HARDWARE, 7777, b"vw\x0012\x001")]
    assert world.dash.bank(100_000).pin(VIRTUAL, 12).value == b"1"


def test_a_timer_on_a_selector_sets_the_pin_of_the_selected_device(world):
    other = world.board_session(world.add_device(1))
    selector = {"type": "DEVICE_SELECTOR", "id": 200_000, "width": 1, "height": 1, "deviceIds": [0, 1], "value": 1}
    assert world.app_status(Command.CREATE_WIDGET, 1, selector) == 200
    add(world, timer(startTime=5, startValue="1", deviceId=200_000))
    assert ring(world, MONDAY + 5) == []
    assert world.sent_to(other) == [(HARDWARE, 7777, b"vw\x0012\x001")]


def test_a_timer_in_a_tile_template_is_for_all_devices_of_that(world):
    other = world.board_session(world.add_device(1))
    tiles = {"type": "DEVICE_TILES", "id": 50, "width": 8, "height": 4}
    assert world.app_status(Command.CREATE_WIDGET, 1, tiles) == 200
    template = {"id": 1, "mode": "PAGE", "templateId": "t1", "name": "n", "deviceIds": [0, 1]}
    assert world.app_status(Command.CREATE_TILE_TEMPLATE, 1, 50, template) == 200
    inner = {"id": 302, "width": 1, "height": 1, **timer(startTime=5, startValue="1")}
    assert world.app_status(Command.CREATE_WIDGET, 1, 50, 1, inner) == 200
    assert ring(world, MONDAY + 5) == world.sent_to(other) == [(HARDWARE, 7777, b"vw\x0012\x001")]


def test_no_rule_hears_of_a_timer(world):
    add(world, timer(startTime=5, startValue="1"))
    condition = {"type": "GT", "value": 0}
    trigger = {"pin": 12, "pinType": "VIRTUAL"}
    rule = {"triggerPin": trigger, "condition": condition, "actions": [set_pin(2, "x")], "isActive": True}
    add(world, {"type": "EVENTOR", "id": 303, "rules": [rule]})
    assert ring(world, MONDAY + 5) == [(HARDWARE, 7777, b"vw\x0012\x001")]


# -- rules with a time


def test_a_rule_with_a_time_sets_a_pin(world):
    add(world, timed_rule(60))
    assert ring(world, MONDAY + 60) == [(HARDWARE, 7777, b"vw\x007\0go")]


@pytest.mark.parametrize(
    ("zone", "second", "days", "rings"),
    [
        ("UTC", 60, [1], True),
        ("UTC", 60, [2, 7], False),
        ("UTC", 60, [], False),
        (None, 60, [1], True),
        ("Asia/Tokyo", DAY - 60, [2], True),  # there it is Tuesday
        ("Asia/Tokyo", DAY - 60, [1], False),
        ("America/New_York", 60, [7], True),
        ("+03:00", 22 * 3600, [2], True),
    ],
)
def test_its_days_are_those_of_its_zone(world, zone, second, days, rings):
    add(world, timed_rule(second, days=days, tzName=zone))
    assert bool(ring(world, MONDAY + second)) is rings


def test_all_actions_of_a_rule_with_a_time_are_carried_out_literally(world):
    world.app_status(
        Command.CREATE_WIDGET,
        1,
        {"type": "NOTIFICATION", "id": 8, "width": 1, "height": 1, "androidTokens": {"p": "phone"}},
    )
    add(
        world,
        timed_rule(
            60,
            {"type": "SETPIN", "pin": {"pin": -1, "pinType": "VIRTUAL"}, "value": "1"},
            {"type": "NOTIFY", "message": "/pin/"},
            {"type": "MAIL", "subject": "s", "message": "/pin/"},
            set_pin(7, "go"),
        ),
    )
    assert ring(world, MONDAY + 60) == [(HARDWARE, 7777, b"vw\x007\0go")]
    assert [(job.channel, job.text) for job in world.fx.jobs] == [("push", "/pin/"), ("mail", "/pin/")]


def test_a_rule_with_a_time_is_no_rule_of_a_pin(world):
    add(world, timed_rule(60))
    world.send(world.board, HARDWARE, "vw", 1, 5)
    assert world.sent_to(world.board) == []


@pytest.mark.parametrize("change", [{"isActive": False}, {"actions": []}])
def test_rules_with_a_time_that_take_no_part(world, change):
    widget = timed_rule(60)
    widget["rules"][0] |= change
    add(world, widget)
    assert ring(world, MONDAY + 60) == []


# -- the clock


@pytest.fixture
def clock(world):
    add(world, timer(startTime=10, startValue="1", stopTime=12, stopValue="0"))
    clock = AlarmClock()
    clock.set(world.account)
    return clock


def seconds(clock, now):
    return [(second, len(alarms)) for _, second, alarms in clock.due(now)]


def test_each_second_is_due_once(clock):
    assert seconds(clock, MONDAY + 9) == []
    assert seconds(clock, MONDAY + 10) == [(MONDAY + 10, 1)]
    assert seconds(clock, MONDAY + 10) == []
    assert seconds(clock, MONDAY + 13) == [(MONDAY + 12, 1)]
    assert seconds(clock, MONDAY + DAY + 10) == [(MONDAY + DAY + 10, 1)]


def test_what_was_missed_before_the_start_is_missed(clock):
    assert seconds(clock, MONDAY + 11) == []


def test_a_busy_owner_makes_up_for_a_minute(clock):
    seconds(clock, MONDAY + 9)
    assert seconds(clock, MONDAY + 9 + LATEST) == [(MONDAY + 10, 1), (MONDAY + 12, 1)]


def test_a_clock_that_was_set_back_rings_on(clock):
    seconds(clock, MONDAY + DAY)
    assert seconds(clock, MONDAY + 10) == [(MONDAY + 10, 1)]
    assert seconds(clock, MONDAY + 9) == []
    assert seconds(clock, MONDAY + 10) == [], "a second or two back does not repeat"


def test_a_changed_timer_has_its_new_times_only(world, clock):
    changed = {"id": 302, "width": 2, "height": 1, **timer(startTime=11, startValue="1")}
    assert world.app_status(Command.UPDATE_WIDGET, 1, changed) == 200
    clock.set(world.account)
    seconds(clock, MONDAY + 8)
    assert seconds(clock, MONDAY + 20) == [(MONDAY + 11, 1)]
    clock.forget(world.account.id)
    assert seconds(clock, MONDAY + DAY + 11) == []
