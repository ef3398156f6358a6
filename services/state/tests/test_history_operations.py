"""What the api asks about history: pins of an export, devices of a target, deletion."""

from __future__ import annotations

import json

import pytest
from state_world import World
from test_management import ask, declined, manage, template
from vpin_protocol import Command
from vpin_state.device_numbers import number_of
from vpin_state.templates import attach
from vpin_store.rows import StreamKey

V, D = ord("v"), ord("d")
MINUTE = 60_000


def test_an_export_without_template_names_what_it_is_asked_for_or_nothing(world: World) -> None:
    assert ask(world, "iotStreams").body == b"null"
    assert json.loads(ask(world, "iotStreams", payload={"pins": [["v", 1], ["d", 2]]}).body) == [[V, 1, ""], [D, 2, ""]]
    assert ask(world, "iotStreams", payload={"ids": [1]}).status == 400


def test_an_export_with_template_names_its_datastreams(world: World) -> None:
    attach(world.device, template(world, V1={"name": "Warmth"}, V2={}))
    every = json.loads(ask(world, "iotStreams").body)
    assert every == [[V, 1, "Warmth"], [V, 2, "V2"]]
    assert json.loads(ask(world, "iotStreams", payload={"pins": [["v", 1]]}).body) == every[:1]
    first = world.account.templates[world.device.template_id].streams[0]["id"]
    assert json.loads(ask(world, "iotStreams", payload={"ids": [first]}).body) == every[:1]
    refused = ask(world, "iotStreams", payload={"pins": [["v", 9]]})
    assert (refused.status, refused.body.startswith(b"Requested dataStream doesn't exist")) == (400, True)


def test_the_devices_of_a_target(world: World) -> None:
    world.add_device(1)
    world.app_status(Command.CREATE_TAG, 1, {"id": 100_000, "name": "both", "deviceIds": [1, 0]})
    assert manage(world, "devicesOfTarget", dash=1, target=100_000) == [1, 0]
    assert manage(world, "devicesOfTarget", dash=1, target=1) == [1]
    assert manage(world, "devicesOfTarget", dash=1, target=200_000) == []
    assert manage(world, "devicesOfTarget", dash=9, target=0) == []


@pytest.mark.parametrize(("pin", "left"), [(["v", 1], {2}), (None, set[int]())])
def test_deletion_of_a_pin_or_of_all(world: World, pin: object, left: set[int]) -> None:
    for number in (1, 2):
        world.past.record(StreamKey(1, 1, 0, V, number), world.fx.now - MINUTE, 1.0)
    manage(world, "deleteHistory", id=number_of(world.device), pin=pin)
    world.store()
    assert {stream.pin for _, stream in world.past.kept} == left
    assert declined(world, "deleteHistory", id=123_456, pin=pin) == 404
