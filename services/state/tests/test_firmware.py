"""Firmware over the air: orders for one device, and campaigns (spec 04, 1.8; 06, 15)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from vpin_messages.requests import PinReply, PinRequest
from vpin_protocol import Command
from vpin_state import registry
from vpin_state.firmware import order
from vpin_store.rows import CampaignRow

INFO = ("ver", "0.6.1", "buff-in", "256", "dev", "ESP8266")
CAMPAIGN = CampaignRow("x.bin", 0, "", "new", 1, "admin@example.com")
ORDER = (Command.INTERNAL, 7777, b"ota\0http://localhost:8080/static/ota/x.bin")


def start(world, **keys):
    registry.load()
    return registry.operations["ota"](world.fx, world.device, PinRequest("ota", name="x.bin", **keys))


def tell_build(world, *build):
    world.send(world.board, Command.INTERNAL, *INFO, *build)
    return world.sent_to(world.board)


def test_the_order_names_the_port_unless_it_is_80(world):
    assert order(world.fx.config, "x.bin") == b"ota\0http://localhost:8080/static/ota/x.bin"
    assert order(replace(world.fx.config, http_port=80), "x.bin") == b"ota\0http://localhost/static/ota/x.bin"


def test_only_the_device_of_the_token_is_told(world):
    other = world.board_session(world.add_device(1))
    assert start(world) == PinReply(200)
    assert world.sent_to(world.board) == [ORDER]
    assert world.sent_to(other) == []


def test_a_device_that_is_away_is_not_told(world):
    world.device.sessions.clear()
    assert start(world) == PinReply(400, b"No device in session.")
    assert start(world, values=["admin"]) == PinReply(400, b"Device wasn't connected yet.")
    world.device.first_connect_time = 1
    assert start(world, values=["admin"]) == PinReply(400, b"No device in session.")
    assert "deviceOtaInfo" not in world.device.body


def test_who_started_it_is_shown_by_24_and_50_but_not_by_45(world):
    world.device.first_connect_time = 1
    start(world, values=["admin@example.com"])
    world.clear()
    now = world.fx.now
    shown = {"otaInitiatedBy": "admin@example.com", "otaInitiatedAt": now, "otaUpdateAt": now}
    assert world.profile(1)["devices"][0]["deviceOtaInfo"] == shown
    assert world.json(Command.GET_DEVICE, 1, 0)["deviceOtaInfo"] == shown
    assert "deviceOtaInfo" not in world.json(Command.GET_DEVICES, 1)[0]


def test_a_campaign_offers_its_image_before_the_200_of_the_info(world):
    world.fx.campaigns = [CAMPAIGN]
    assert tell_build(world, "build", "old") == [ORDER, (0, 5, 200)]
    assert tell_build(world, "build", "old") == [ORDER, (0, 5, 200)], "the update may have failed"


@pytest.mark.parametrize("build", [("build", "new"), ()])
def test_the_same_build_or_none_is_left_alone(world, build):
    world.fx.campaigns = [CAMPAIGN]
    assert tell_build(world, *build) == [(0, 5, 200)]


@pytest.mark.parametrize(
    ("changes", "offered"),
    [
        ({"account_id": 1}, True),
        ({"account_id": 2}, False),
        ({"project": "TEST"}, True),
        ({"project": "other"}, False),
        ({"account_id": 1, "project": "test"}, True),
    ],
)
def test_whom_a_campaign_concerns(world, changes, offered):
    world.fx.campaigns = [CAMPAIGN._replace(**changes)]
    assert (ORDER in tell_build(world, "build", "old")) is offered


def test_the_newest_campaign_that_concerns_a_board_counts(world):
    others = CAMPAIGN._replace(name="others.bin", account_id=2)
    world.fx.campaigns = [others, CAMPAIGN, CAMPAIGN._replace(name="older.bin", build="older")]
    assert tell_build(world, "build", "old") == [ORDER, (0, 5, 200)]
    assert tell_build(world, "build", "new") == [(0, 5, 200)]


def test_an_address_that_does_not_fit_the_boards_buffer_is_not_sent(world):
    world.fx.campaigns = [CAMPAIGN]
    world.send(world.board, Command.INTERNAL, "ver", "1", "buff-in", "40", "build", "old")
    assert world.sent_to(world.board) == [(0, 5, 200)]
