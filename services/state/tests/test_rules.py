"""The eventor: conditions, actions, when rules run and in which order others see it (spec 05, 2.2.1 to 2.2.3)."""

from __future__ import annotations

import json

import pytest
from vpin_messages.requests import PinRequest
from vpin_protocol import Command
from vpin_state import registry, rules
from vpin_state.copies import bare_widget
from vpin_state.pins import ANALOG, DIGITAL, VIRTUAL
from vpin_state.routes import route

HARDWARE = Command.HARDWARE
PROPERTY = Command.SET_PROPERTY


def stream(pin, kind="VIRTUAL", **keys):
    return {"pin": pin, "pinType": kind, **keys}


def set_pin(pin, value, kind="VIRTUAL", **keys):
    return {"type": "SETPIN", "pin": stream(pin, kind, **keys), "value": str(value), "setPinType": "CUSTOM"}


def rule(condition, *actions, pin=1, kind="VIRTUAL", active=True, **keys):
    return {
        "triggerPin": stream(pin, kind, **keys),
        "condition": condition,
        "actions": list(actions) or [set_pin(2, "did")],
        "isActive": active,
    }


def when(name, **keys):
    return {"type": name, **keys}


def eventor(*its_rules, **keys):
    return {"type": "EVENTOR", "id": 301, "x": 0, "y": 0, "width": 2, "height": 1, "rules": list(its_rules), **keys}


def add(world, *widgets):
    for widget in widgets:
        assert world.app_status(Command.CREATE_WIDGET, 1, widget) == 200


def board_writes(world, *values, pin=1, op="vw"):
    """What the board is sent after writes of its own, as texts."""
    for value in values:
        world.send(world.board, HARDWARE, op, pin, value)
    return texts(world, world.board)


def texts(world, session, command=HARDWARE):
    return [body.decode().replace("\0", " ") for number, _, body in world.sent_to(session) if number == command]


# -- conditions


@pytest.mark.parametrize(
    ("condition", "matching", "others"),
    [
        (when("GT", value=37), ["37.5", "1e2", "+38"], ["37", "-40", "text", ""]),
        (when("GTE", value=37), ["37", "37.", "3.7e1"], ["36.99", "37 ", " 37", "0x30"]),
        (when("LT", value=37), ["-1", ".5", "-1e9"], ["37", "text", "nan", "-inf", "1,5"]),
        (when("LTE", value=37), ["37", "0"], ["38", "Infinity"]),
        (when("EQ", value=37.5), ["37.50", "375e-1"], ["37", "37,5"]),
        (when("NEQ", value=37), ["36"], ["37", "37.0", "text"]),
        (when("BETWEEN", left=10, right=20), ["10.1", "19"], ["10", "20", "25"]),
        (when("NOT_BETWEEN", left=10, right=20), ["10", "20", "25"], ["15", "text"]),
        (when("STR_EQUAL", value="on"), ["on"], ["ON", "on "]),
        (when("STR_NOT_EQUAL", value="on"), ["off", "ON", "1"], ["on"]),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else None,
)
def test_conditions(condition, matching, others):
    for value in matching:
        assert rules.Rule(condition, []).fires(value.encode()), value
    for value in others:
        assert not rules.Rule(condition, []).fires(value.encode()), value


def test_several_parts_are_a_text():
    assert not rules.Rule(when("GT", value=0), []).fires(b"1\x002")
    assert rules.Rule(when("STR_EQUAL", value="1\x002"), []).fires(b"1\x002")


def test_a_change_fires_each_time_and_remembers():
    changed = rules.Rule(when("CHANGED"), [])
    assert [changed.fires(v) for v in (b"a", b"a", b"b", b"c", b"c", b"a")] == [True, False, True, True, False, True]
    assert not rules.Rule(when("CHANGED", value="a"), []).fires(b"a")


def test_once_per_crossing_and_a_text_counts_as_not_matched(world):
    add(world, eventor(rule(when("GT", value=10))))
    assert len(board_writes(world, 11)) == 1
    assert board_writes(world, 12, 13) == []
    assert board_writes(world, 9) == []
    assert len(board_writes(world, 11)) == 1
    assert len(board_writes(world, "text", 11)) == 1


# -- actions


def test_a_pin_is_set_on_board_app_and_store_with_id_888(world):
    add(world, eventor(rule(when("GT", value=1), set_pin(2, "a b"))))
    world.sent_to(world.app)
    world.send(world.board, HARDWARE, "vw", 1, 5)
    assert world.sent_to(world.board) == [(HARDWARE, 888, b"vw\x002\0a b")]
    assert world.sent_to(world.app) == [(HARDWARE, 888, b"1-0\0vw\x002\0a b"), (HARDWARE, 5, b"1-0\0vw\x001\x005")]
    assert world.device.bank.pin(VIRTUAL, 2).value == b"a b"


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (set_pin(9, 1, "DIGITAL"), "dw 9 1"),
        (set_pin(9, 1, "ANALOG"), "aw 9 1"),
        (set_pin(9, 1, "DIGITAL", pwmMode=True), "aw 9 1"),
    ],
)
def test_the_letter_of_a_pin_that_is_set(world, action, told):
    add(world, eventor(rule(when("GT", value=1), action)))
    assert board_writes(world, 5) == [told]


def test_a_pin_is_set_though_the_board_is_away(world):
    world.device.sessions.clear()
    add(world, eventor(rule(when("GT", value=1))))
    world.send(world.app, HARDWARE, "1", "vw", 1, 5)
    assert world.device.bank.pin(VIRTUAL, 2).value == b"did"


def test_a_property_changes_the_widget_or_is_kept_for_the_pin(world):
    label = {"type": "SET_PROP", "pin": stream(4), "property": "LABEL", "value": "hot"}
    digits = {"type": "SET_PROP", "pin": stream(5), "property": "FRACTION", "value": "2"}
    wrong = {"type": "SET_PROP", "pin": stream(4), "property": "COLOR", "value": "red"}
    slider = {"type": "SLIDER", "id": 7, "width": 1, "height": 1, "pinType": "VIRTUAL", "pin": 4, "label": "old"}
    add(world, slider, eventor(rule(when("GT", value=1), label, wrong, digits)))
    world.sent_to(world.app)
    assert board_writes(world, 5) == []
    assert texts(world, world.app, PROPERTY) == ["1-0 4 label hot", "1-0 5 maximumFractionDigits 2"]
    assert world.dash.widgets[0].json["label"] == "hot"
    assert world.device.bank.properties == {(VIRTUAL, 5, "maximumFractionDigits"): b"2"}


def test_messages_carry_the_value(world):
    add(
        world,
        {"type": "NOTIFICATION", "id": 8, "width": 1, "height": 1, "androidTokens": {"p": "phone"}},
        {"type": "TWITTER", "id": 9, "width": 1, "height": 1, "token": "t", "secret": "s"},
        eventor(
            rule(
                when("STR_EQUAL", value=r"$1\2"),
                {"type": "NOTIFY", "message": "Now /pin/, /pin/."},
                {"type": "MAIL", "subject": "/pin/", "message": "It is /pin/"},
                {"type": "TWIT", "message": "/pin/!"},
            )
        ),
    )
    world.send(world.board, HARDWARE, "vw", 1, r"$1\2")
    push, mail, tweet = world.fx.jobs
    assert (push.channel, push.to, push.text) == ("push", ["phone"], r"Now $1\2, $1\2.")
    assert (mail.channel, mail.to, mail.subject) == ("mail", ["a@example.com"], "/pin/")
    assert (mail.text, mail.html) == (r"It is $1\2", "")
    assert (tweet.channel, tweet.text) == ("tweet", r"$1\2!")
    assert world.sent_to(world.board) == []


def test_a_mail_goes_to_the_widgets_receiver_and_not_above_the_daily_limit(world):
    mail = {"type": "MAIL", "subject": "s", "message": "m"}
    widget = {"type": "EMAIL", "id": 8, "width": 1, "height": 1, "to": "b@example.com"}
    add(world, widget, eventor(rule(when("CHANGED"), mail)))
    for i in range(world.fx.config.mails_per_day + 5):
        world.send(world.board, HARDWARE, "vw", 1, i)
    assert len(world.fx.jobs) == world.fx.config.mails_per_day + 1  # "100; the 102nd is refused"
    assert world.fx.jobs[0].to == ["b@example.com"]


def test_messages_that_cannot_be_sent_are_silent(world):
    long = {"type": "NOTIFY", "message": "x" * 256}
    add(
        world,
        eventor(rule(when("CHANGED"), {"type": "NOTIFY", "message": "m"}, {"type": "TWIT", "message": "m"}, long)),
        {"type": "NOTIFICATION", "id": 8, "width": 1, "height": 1},
    )
    world.send(world.board, HARDWARE, "vw", 1, 5)
    assert world.fx.jobs == []
    assert world.sent_to(world.board) == []


def test_invalid_actions_are_skipped_and_the_others_run(world):
    actions = [
        {"type": "SETPIN", "pin": {"pin": 3}, "value": "1"},
        {"type": "SETPIN", "pin": stream(-1), "value": "1"},
        {"type": "SETPIN", "pin": stream(3), "value": None},
        {"type": "SET_PROP", "pin": stream(3), "property": "LABEL", "value": ""},
        {"type": "MAIL", "subject": "s", "message": ""},
        set_pin(2, "did"),
    ]
    add(world, eventor(rule(when("GT", value=1), *actions)))
    assert board_writes(world, 5) == ["vw 2 did"]
    assert world.fx.jobs == []


@pytest.mark.parametrize("wrong", [{"condition": when("WAIT")}, {"actions": [{"type": "WAIT", "seconds": 5}]}])
def test_an_unknown_condition_or_action_is_refused(world, wrong):
    widget = eventor({**rule(when("GT", value=1)), **wrong})
    assert world.app_status(Command.CREATE_WIDGET, 1, widget) == 11


# -- when rules run


def test_all_rules_and_actions_run_in_order(world):
    first = rule(when("GT", value=1), set_pin(2, "x"), set_pin(3, "y"))
    add(world, eventor(first, rule(when("LT", value=100), set_pin(4, "z"))))
    assert board_writes(world, 50) == ["vw 2 x", "vw 3 y", "vw 4 z"]


def test_a_rule_that_sets_a_watched_pin_triggers_no_other(world):
    add(world, eventor(rule(when("GT", value=1), set_pin(3, 9)), rule(when("GT", value=1), set_pin(4, 9), pin=3)))
    assert board_writes(world, 5) == ["vw 3 9"]


@pytest.mark.parametrize(
    "made",
    [
        eventor(rule(when("GT", value=1), active=False)),
        eventor(rule(when("GT", value=1), pin=3)),
        eventor(rule(when("GT", value=1), kind="DIGITAL")),
        eventor(rule(when("GT", value=1)), deviceId=1),
        eventor({"triggerPin": stream(1), "actions": [set_pin(2, 1)], "isActive": True}),
        eventor({"triggerPin": stream(1), "condition": when("GT", value=1), "isActive": True}),
    ],
    ids=["inactive", "other pin", "other kind", "other device", "no condition", "no action"],
)
def test_rules_that_take_no_part(world, made):
    world.add_device(1)
    add(world, made)
    assert board_writes(world, 5) == []


def test_only_the_first_eventor_is_used(world):
    add(world, eventor(rule(when("GT", value=1), set_pin(2, "first"))))
    add(world, {**eventor(rule(when("GT", value=1), set_pin(2, "second"))), "id": 302})
    assert board_writes(world, 5) == ["vw 2 first"]


def test_no_rule_runs_on_an_inactive_dashboard(world):
    add(world, eventor(rule(when("GT", value=1))))
    assert world.app_status(Command.DEACTIVATE, 1) == 200
    assert board_writes(world, 5) == []


def test_a_pwm_trigger_matches_analog_writes_too(world):
    add(world, eventor(rule(when("GT", value=1), pin=3, kind="DIGITAL", pwmMode=True)))
    assert board_writes(world, 5, pin=3, op="aw") == ["vw 2 did"]
    assert board_writes(world, 0, 5, pin=3, op="dw") == ["vw 2 did"]


def test_a_write_of_an_app_reaches_the_board_before_what_the_rule_sets(world):
    add(world, eventor(rule(when("GT", value=1))))
    world.send(world.app, HARDWARE, "1", "vw", 1, 5)
    assert texts(world, world.board) == ["vw 1 5", "vw 2 did"]


def test_a_write_of_an_app_has_to_name_the_eventors_target(world):
    tag = {"id": 100_000, "name": "tag", "deviceIds": [0]}
    assert world.app_status(Command.CREATE_TAG, 1, tag) is not None
    add(world, eventor(rule(when("GT", value=1))))
    world.send(world.app, HARDWARE, "1-100000", "vw", 1, 5)
    assert texts(world, world.board) == ["vw 1 5"]


def test_an_eventor_of_a_tag_acts_on_its_devices(world):
    other = world.board_session(world.add_device(1))
    tag = {"id": 100_000, "name": "tag", "deviceIds": [0, 1]}
    assert world.app_status(Command.CREATE_TAG, 1, tag) is not None
    add(world, eventor(rule(when("GT", value=1)), deviceId=100_000))
    world.send(world.app, HARDWARE, "1-100000", "vw", 1, 5)
    assert texts(world, world.board) == texts(world, other) == ["vw 1 5", "vw 2 did"]


def http_update(world, operation="update"):
    registry.load()
    request = PinRequest(operation, "v", 1, ["5"])
    assert registry.operations[operation](world.fx, world.device, request).status == 200
    return texts(world, world.board)


def test_an_http_update_shows_the_rules_effect_first_and_points_none(world):
    add(world, eventor(rule(when("GT", value=1))))
    assert http_update(world) == ["vw 2 did", "vw 1 5"]
    assert http_update(world, "extra") == ["vw 1 5"]


def test_a_write_over_a_bridge_runs_rules(world):
    board = world.board_session(world.add_device(1))
    assert world.ask(board, Command.BRIDGE, 64, "i", world.device.token) == 200
    add(world, eventor(rule(when("GT", value=1))))
    world.send(board, Command.BRIDGE, 64, "vw", 1, 5)
    assert texts(world, world.board) == ["vw 2 did"]


def test_a_resend_by_bluetooth_runs_rules(world):
    add(world, eventor(rule(when("GT", value=1))))
    world.send(world.app, Command.BLUETOOTH_RESEND, "1-0", "vw", 1, 5)
    assert texts(world, world.board) == ["vw 2 did"]


# -- state


def test_an_update_of_the_widget_arms_its_rules_and_another_change_does_not(world):
    made = eventor(rule(when("GT", value=1)))
    add(world, made)
    assert len(board_writes(world, 5)) == 1
    add(world, {"type": "LED", "id": 7, "width": 1, "height": 1, "pinType": "VIRTUAL", "pin": 1})
    assert board_writes(world, 5) == []
    assert world.app_status(Command.UPDATE_WIDGET, 1, made) == 200
    assert len(board_writes(world, 5)) == 1


def test_what_a_rule_has_seen_last_is_kept_in_its_widget(world):
    """A restart is no change (spec 03, 10.9); the others' state is not stored."""
    add(world, eventor(rule(when("GT", value=1)), rule(when("CHANGED"), pin=1)))
    assert len(board_writes(world, 5)) == 2
    widget = world.dash.widgets[0]
    assert world.json(Command.GET_WIDGET, 1, 301)["rules"][1]["condition"] == {"type": "CHANGED", "value": "5"}
    assert (1, widget.key) in world.account.dirty.widgets
    world.clear()
    assert board_writes(world, 5) == [], "and the other rule is not armed by it"
    gone, kept = (each["condition"] for each in bare_widget(widget.json)["rules"][::-1])
    assert (gone, kept) == ({"type": "CHANGED"}, {"type": "GT", "value": 1.0}), "a copy for others does not tell it"
    again = rules.Eventor(json.loads(json.dumps(widget.json)))
    first, second = again.rules[VIRTUAL, 1]
    assert (first.fires(b"5"), second.fires(b"5")) == (True, False)
    board_writes(world, "a")
    world.send(world.app, HARDWARE, "1-0", "vw", 1, "")
    assert "value" not in world.json(Command.GET_WIDGET, 1, 301)["rules"][1]["condition"]


def test_a_deleted_eventor_does_nothing(world):
    add(world, eventor(rule(when("GT", value=1))))
    assert world.app_status(Command.DELETE_WIDGET, 1, 301) == 200
    assert board_writes(world, 5) == []


def test_pins_without_rules_stay_on_the_fast_way(world):
    world.add_device(1)
    add(world, eventor(rule(when("GT", value=1)), rule(when("GT", value=1), pin=3, kind="DIGITAL", pwmMode=True)))
    bank = world.device.bank
    watched = [(VIRTUAL, 1), (DIGITAL, 3), (ANALOG, 3)]
    assert not any(route(bank, *pin).fast for pin in watched)
    assert route(bank, VIRTUAL, 2).fast
    assert route(bank, DIGITAL, 1).fast
    assert all(route(world.dash.bank(1), *pin).fast for pin in watched)
    board_writes(world, 0, 5)
    assert b"vw\x001" not in bank.fast
