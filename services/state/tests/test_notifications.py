"""Commands 12, 13, 14, 18 of boards: each check in its order, what is handed to notify (spec 01, 8.2; 05, 1)."""

from __future__ import annotations

import dataclasses
import json

import pytest
from vpin_messages.requests import PinRequest
from vpin_messages.slab import credential
from vpin_protocol import Command
from vpin_state import registry
from vpin_state.collect import collect
from vpin_store.rows import Changes

DAY_MS = 86_400_000
MAIL = ("a@example.com", "subject", "text")
PHONES = {"androidTokens": {"p": "phone"}, "iOSTokens": {"q": "apple"}}


def add(world, type_, **keys):
    made = {"id": len(world.dash.widgets) + 1, "type": type_, "x": 0, "y": 0, "width": 2, "height": 1, **keys}
    assert world.app_status(Command.CREATE_WIDGET, 1, made) == 200


def ask(world, command, *parts):
    """(status or None, jobs) of a message of the board."""
    world.send(world.board, command, *parts)
    jobs = list(world.fx.jobs)
    answers = world.sent_to(world.board)
    world.clear()
    return (answers[0][2] if answers else None), jobs


def later(world):
    world.fx.now += world.fx.config.notification_interval * 1000


# -- mail


def test_a_mail_is_handed_over_and_answered_by_its_outcome(world):
    add(world, "EMAIL")
    status, (job,) = ask(world, Command.EMAIL, *MAIL)
    assert status is None
    assert (job.channel, job.to, job.subject, job.html, job.text) == ("mail", ["a@example.com"], "subject", "text", "")
    assert (job.answer.gateway, job.answer.session, job.answer.message_id) == (b"g" * 16, world.board.id, 5)


@pytest.mark.parametrize(
    ("parts", "to", "subject", "text"),
    [
        (("subject", "text"), "a@example.com", "subject", "text"),
        (("b@example.com", "subject", "text"), "b@example.com", "subject", "text"),
        (("subject", "text", "", ""), "a@example.com", "subject", "text"),
        (("subject", "text", "more", "fields"), "a@example.com", "subject", "text"),
        (
            ("{DEVICE_OWNER_EMAIL}", "{DEVICE_NAME}", "{DEVICE_NAME} {VENDOR_EMAIL}."),
            "a@example.com",
            "board 0",
            "board 0 .",
        ),
    ],
)
def test_the_fields_of_a_mail(world, parts, to, subject, text):
    add(world, "EMAIL", contentType="TEXT_PLAIN")
    _, (job,) = ask(world, Command.EMAIL, *parts)
    assert (job.to, job.subject, job.text, job.html) == ([to], subject, text, "")


def test_the_receiver_in_the_widget_wins(world):
    add(world, "EMAIL", to="chosen@example.com")
    assert ask(world, Command.EMAIL, *MAIL)[1][0].to == ["chosen@example.com"]


def test_the_checks_of_a_mail_in_their_order(world):
    assert ask(world, Command.EMAIL, *MAIL) == (6, [])
    add(world, "EMAIL")
    world.dash.active = False
    assert ask(world, Command.EMAIL) == (6, [])
    world.dash.active = True
    world.account.body["mailCounts"] = [world.fx.now] * (world.fx.config.mails_per_day + 1)
    assert ask(world, Command.EMAIL) == (2, [])
    assert ask(world, Command.EMAIL, "alone") == (1, [])
    world.fx.now += 86_400_000
    assert ask(world, Command.EMAIL, "alone") == (2, [])
    assert ask(world, Command.EMAIL, "nobody", "s", "t") == (2, [])
    assert ask(world, Command.EMAIL, *MAIL) == (1, [])  # the clock was started by the mail to nobody
    later(world)
    assert ask(world, Command.EMAIL, *MAIL)[0] is None


def test_the_102nd_mail_of_a_day_is_refused_whoever_asks(world):
    add(world, "EMAIL")
    over_http = PinRequest("email", values=["b@example.com", "s", "t"])
    began = world.fx.now
    for _ in range(100):
        later(world)
        assert ask(world, Command.EMAIL, *MAIL)[0] is None
    assert registry.operations["email"](world.fx, world.device, over_http).status == 200
    world.clear()
    later(world)
    assert ask(world, Command.EMAIL, *MAIL) == (1, [])
    assert registry.operations["email"](world.fx, world.device, over_http).status == 429
    assert world.fx.jobs == []
    world.fx.now = began + 5_000 + DAY_MS - 1
    assert ask(world, Command.EMAIL, *MAIL) == (1, [])
    world.fx.now += 1  # a day after the first one
    assert ask(world, Command.EMAIL, *MAIL)[0] is None
    later(world)
    assert ask(world, Command.EMAIL, *MAIL)[0] is None  # 5 s after the second of that day
    assert ask(world, Command.EMAIL, *MAIL) == (1, [])


def test_mails_are_counted_where_the_next_owner_finds_them_and_nobody_sees(world):
    add(world, "EMAIL")
    assert ask(world, Command.EMAIL, *MAIL)[0] is None
    changes = Changes()
    collect(world.account, changes)
    assert json.loads(changes.accounts[-1].body) == {"mailCounts": [world.fx.now]}
    assert "mailCounts" not in world.profile()


@pytest.mark.parametrize(
    "receiver",
    [
        "",
        "nobody",
        "a?b@example.com",
        "@example.com",
        "a@b",
        "a@b.c",
        "a@b..com",
        "a@.com",
        "a@-b.com",
        "a..b@example.com",
        "a,b@example.com",
        "a@example.com,b@example.com",
        "a b@example.com",
        "a@example.com\n",
        "a" * 65 + "@example.com",
        "a@" + "b" * 250 + ".com",
    ],
)
def test_a_receiver_that_is_no_address(world, receiver):
    add(world, "EMAIL")
    assert ask(world, Command.EMAIL, receiver, "s", "t") == (2, [])


@pytest.mark.parametrize(
    "receiver", ["a.b+c@example.com", "ä@bücher.example", "o'neil_1@a-b.co.uk", "a" * 64 + "@b.org"]
)
def test_a_receiver_that_is_an_address(world, receiver):
    add(world, "EMAIL")
    assert ask(world, Command.EMAIL, receiver, "s", "t")[1][0].to == [receiver]


# -- push


def test_a_push_goes_to_each_kind_of_phone(world):
    add(world, "NOTIFICATION", priority="high", **PHONES)
    status, jobs = ask(world, Command.PUSH, "Door of {DEVICE_NAME}")
    assert status == 200
    assert [(job.to, job.text, job.details["os"]) for job in jobs] == [
        (["phone"], "Door of board 0", "android"),
        (["apple"], "Door of board 0", "ios"),
    ]
    assert jobs[0].details["priority"] == "high"
    assert jobs[0].answer is None


def test_the_title_of_a_push_is_a_setting(world):
    add(world, "NOTIFICATION", **PHONES)
    assert ask(world, Command.PUSH, "x")[1][0].details["title"] == "vpin Notification"
    world.fx.config = dataclasses.replace(world.fx.config, push_title="{PRODUCT_NAME}: news")
    later(world)
    assert ask(world, Command.PUSH, "x")[1][0].details["title"] == "vpin: news"


def test_the_checks_of_a_push_in_their_order(world):
    world.dash.active = False
    assert ask(world, Command.PUSH) == (13, [])
    assert ask(world, Command.PUSH, "x" * 256) == (13, [])
    assert ask(world, Command.PUSH, "x") == (8, [])
    world.dash.active = True
    assert ask(world, Command.PUSH, "x") == (14, [])
    add(world, "NOTIFICATION")
    assert ask(world, Command.PUSH, "x") == (14, [])
    world.dash.widgets[0].json["androidTokens"] = {"p": "phone"}
    assert ask(world, Command.PUSH, "ä" * 240 + "{DEVICE_NAME}")[0] == 200
    assert ask(world, Command.PUSH, "x") == (1, [])
    later(world)
    world.device.name = "n" * 20
    assert ask(world, Command.PUSH, "x" * 240 + "{DEVICE_NAME}") == (13, [])


def test_a_phone_that_is_gone_is_forgotten(world):
    add(world, "NOTIFICATION", **PHONES)
    _, (job, _) = ask(world, Command.PUSH, "x")
    assert int(job.details["credential"]) == credential(world.dash.devices[int(job.details["device"])].token)
    registry.operations["forgetPhone"](world.fx, world.device, PinRequest("forgetPhone", name="phone"))
    later(world)
    assert [job.to for job in ask(world, Command.PUSH, "x")[1]] == [["apple"]]


# -- tweet and SMS


@pytest.mark.parametrize(
    ("command", "widget", "keys", "longest", "channel"),
    [
        (Command.TWEET, "TWITTER", {"token": "t", "secret": "s"}, 140, "tweet"),
        (Command.SMS, "SMS", {"to": "3801234567"}, 160, "sms"),
    ],
)
def test_the_checks_of_tweet_and_sms_in_their_order(world, command, widget, keys, longest, channel):
    assert ask(world, command) == (13, [])
    assert ask(world, command, "x" * (longest + 1)) == (13, [])
    assert ask(world, command, "x") == (14, [])
    add(world, widget)
    assert ask(world, command, "x") == (14, [])
    world.dash.widgets[0].json.update(keys)
    world.dash.active = False
    assert ask(world, command, "x") == (14, [])
    world.dash.active = True
    status, (job,) = ask(world, command, "ä" * longest)
    assert (status, job.channel, job.text) == (None, channel, "ä" * longest)
    assert job.answer.message_id == 5
    assert ask(world, command, "x") == (1, [])


def test_each_kind_and_each_connection_has_a_clock_of_its_own(world):
    add(world, "NOTIFICATION", **PHONES)
    add(world, "SMS", to="1")
    assert ask(world, Command.PUSH, "x")[0] == 200
    assert ask(world, Command.SMS, "x")[0] is None
    twin = world.board_session(world.device)
    world.send(twin, Command.PUSH, "x")
    assert world.sent_to(twin) == [(0, 5, 200)]
