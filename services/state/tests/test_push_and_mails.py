"""Push tokens of phones; mails with tokens and template ids (spec 02, 11.1, 11.2)."""

from __future__ import annotations

import pytest
from vpin_protocol import Command

OK, ILLEGAL, NOT_ALLOWED, BAD_BODY = 200, 2, 6, 11


@pytest.fixture
def phones(world):
    """The JSON of a NOTIFICATION widget, as it is now."""
    world.app_status(Command.CREATE_WIDGET, 1, {"type": "NOTIFICATION", "id": 9, "width": 1, "height": 1})
    return lambda: world.dash.find_widget(9).json


def test_tokens_are_kept_by_operating_system(world, phones):
    world.app.os = "Android"
    ios = world.app_session()
    ios.os = "iOS"
    assert world.app_status(Command.ADD_PUSH_TOKEN, 1, "phone", "a") == OK
    assert world.app_status(Command.ADD_PUSH_TOKEN, 1, "phone", "b") == OK
    assert world.ask(ios, Command.ADD_PUSH_TOKEN, 1, "tablet", "i") == OK
    assert world.ask(world.app_session(), Command.ADD_PUSH_TOKEN, 1, "fridge", "x") == OK
    assert (phones()["androidTokens"], phones()["iOSTokens"]) == ({"phone": "b"}, {"tablet": "i"})


def test_a_widget_keeps_a_hundred_phones(world, phones):
    world.app.os = "android"
    for i in range(101):
        world.app_status(Command.ADD_PUSH_TOKEN, 1, f"phone {i}", "t")
    assert list(phones()["androidTokens"]) == [f"phone {i}" for i in range(1, 101)]


def test_tokens_need_a_widget_and_all_fields(world):
    assert world.app_status(Command.ADD_PUSH_TOKEN, 1, "phone", "t") == NOT_ALLOWED
    assert world.app_status(Command.ADD_PUSH_TOKEN, 9, "phone", "t") == ILLEGAL
    assert world.app_status(Command.ADD_PUSH_TOKEN, 1, "phone") == ILLEGAL
    assert world.app_status(Command.ADD_PUSH_TOKEN, "x", "phone", "t") == ILLEGAL


def mail(world, *parts):
    world.send(world.app, Command.EMAIL, *parts)
    assert world.sent_to(world.app) == []  # the outcome is the answer
    (job,) = world.fx.jobs
    assert (job.channel, job.to) == ("mail", ["a@example.com"])
    assert (job.answer.session, job.answer.message_id, job.answer.failed) == (world.app.id, 5, 15)
    world.fx.jobs.clear()
    return job


def test_the_token_of_one_device(world):
    for parts in [(1,), (1, 0)]:
        job = mail(world, *parts)
        assert job.subject == "Auth Token for test project and device board 0"
        assert job.text.splitlines()[0] == f"Auth Token : {world.device.token}"
        assert not job.html


def test_the_tokens_of_several_devices_and_names_that_are_missing(world):
    second = world.add_device(1)
    second.name = ""
    del world.dash.settings["name"]
    job = mail(world, 1)
    assert job.subject == "Auth Tokens for New Project project and 2 devices"
    assert job.text.splitlines()[:2] == [
        f"Auth Token for device 'board 0' : {world.device.token}",
        f"Auth Token for device 'New Device' : {second.token}",
    ]


def test_a_template_id(world):
    world.app_status(Command.CREATE_WIDGET, 1, {"type": "DEVICE_TILES", "id": 5, "width": 1, "height": 1})
    world.app_status(Command.CREATE_TILE_TEMPLATE, 1, 5, {"id": 7, "mode": "PAGE", "name": "<Pump>"})
    job = mail(world, "template", 1, 5, 7)
    assert job.subject == "Template ID for <Pump>"
    assert "TMPL7" in job.text
    assert "TMPL7" in job.html
    assert "&lt;Pump&gt;" in job.html
    assert "<Pump>" not in job.html


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((), ILLEGAL),
        (("x",), ILLEGAL),
        ((9,), ILLEGAL),
        ((1, 9), BAD_BODY),
        (("template", 1, 5), ILLEGAL),
        (("template", 1, 5, 7), ILLEGAL),
    ],
)
def test_bad_requests_for_mails(world, parts, status):
    assert world.app_status(Command.EMAIL, *parts) == status


def test_devices_without_a_token_have_none_to_mail(world):
    world.device.set_token("")
    assert world.app_status(Command.EMAIL, 1, 0) == BAD_BODY
    world.dash.remove_device(world.device)
    assert world.app_status(Command.EMAIL, 1) == BAD_BODY
