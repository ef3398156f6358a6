"""What a write leaves beside the value: `dataReceivedAt` of the device, `updatedAt` of the project (spec 03, 4 and 5)."""

from __future__ import annotations

from typing import Any

import pytest
from state_world import NOW, World
from vpin_messages.requests import PinRequest
from vpin_protocol import app_frame, hardware_frame
from vpin_state import dispatch, registry, walk
from vpin_state.alarms import alarms_of
from vpin_state.session import Session

HARDWARE, PING, PROPERTY, SYNC = 20, 6, 19, 16
LED = {"type": "LED", "id": 1, "width": 1, "height": 1, "pinType": "VIRTUAL", "pin": 1}
TIMER = {**LED, "type": "TIMER", "id": 2, "startTime": 60, "startValue": "1"}


class Nowhere:
    """In place of an outbox."""

    def put(self, session: Session, frames: bytes) -> None: ...


def walks(world: World, session: Session, *frames: bytes) -> None:
    """Frames come at once, the fast way for what knows it."""
    registry.load()

    def slow(session: Session, command: int, message_id: int, body: bytes) -> bool:
        dispatch.handle(world.fx, session, command, message_id, body)
        return False

    data = b"".join(frames)
    way: Any = walk.hardware_frames if session is world.board else walk.app_frames
    way(session, data, 0, len(data), world.fx.now, Nowhere(), slow)
    world.clear()


def seen(world: World) -> tuple[int, int]:
    dash = world.profile(1)
    return dash["devices"][0]["dataReceivedAt"] - NOW, dash["updatedAt"] - NOW


def test_each_write_of_a_board_counts_and_a_ping_does_not(world: World) -> None:
    world.app_status(33, 1, LED)
    write = hardware_frame(HARDWARE, 1, b"vw\x001\x005")
    ping, sync = hardware_frame(PING, 2), hardware_frame(SYNC, 3)
    for number, frames in enumerate(([write], [write], [ping, write, ping], [write, sync]), 1):
        world.fx.now = NOW + number
        walks(world, world.board, *frames)
        assert seen(world) == (number, number)
    assert b"vw\x001" in world.device.bank.fast
    world.fx.now = NOW + 9
    walks(world, world.board, ping, sync, hardware_frame(HARDWARE, 4, b"vr\x001"))
    assert seen(world) == (4, 4)


def test_writes_of_apps_update_the_project(world: World) -> None:
    for number in (1, 2, 3):
        world.fx.now = NOW + number
        walks(world, world.app, app_frame(HARDWARE, 1, b"1-0\0vw\x001\x005"))
        assert world.profile(1)["updatedAt"] == NOW + number
    assert world.account.routes


TILES = {"type": "DEVICE_TILES", "id": 3, "width": 1, "height": 1}


@pytest.mark.parametrize(
    "parts",
    [
        (22, {"id": 1}),
        (33, 1, {**LED, "id": 9}),
        (33, 1, 3, 1, {**LED, "id": 9}),
        (34, 1, {**LED, "label": "x"}),
        (35, 1, 1),
        (38, 1, {}),
        (8, 1),
        (42, 1, {"id": 5, "boardType": "ESP8266"}),
        (43, 1, {"id": 0, "boardType": "ESP8266"}),
        (44, 1, 0),
        (46, 1, {"id": 100_001, "name": "other"}),
        (47, 1, {"id": 100_000, "name": "other"}),
        (48, 1, 100_000),
        (67, 1, 3, {"id": 2}),
        (68, 1, 3, {"id": 1}),
        (69, 1, 3, 1),
    ],
    ids=lambda parts: str(parts[0]),
)
def test_each_change_of_an_app_updates_the_project_for_good(world: World, parts: Any) -> None:
    made: list[tuple[Any, ...]] = [
        (33, 1, LED),
        (33, 1, TILES),
        (67, 1, 3, {"id": 1}),
        (46, 1, {"id": 100_000, "name": "t"}),
    ]
    for first in made:
        assert world.app_status(*first) not in (2, 6)
    world.store()
    world.fx.now = NOW + 5
    answer = world.app_status(*parts)
    assert isinstance(answer, bytes) or answer == 200
    assert world.dash.updated_at == NOW + 5
    assert world.account.dirty.dashboards == {1}


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.send(w.board, PROPERTY, 1, "label", "x"),
        lambda w: w.send(w.app, PROPERTY, 1, 1, "label", "x"),
        lambda w: registry.operations["property"](w.fx, w.device, PinRequest("property", "v", 1, ["x"], "label")),
        lambda w: registry.operations["update"](w.fx, w.device, PinRequest("update", "v", 1, ["x"])),
        lambda w: next(alarms_of(w.account)).ring(w.fx, 60),
    ],
    ids=["property by board", "property by app", "property by HTTP", "value by HTTP", "value by timer"],
)
def test_all_others_update_the_project(world: World, change: Any) -> None:
    world.app_status(33, 1, LED)
    world.app_status(33, 1, TIMER)
    world.fx.now = NOW + 5
    change(world)
    world.clear()
    assert world.profile(1)["updatedAt"] == NOW + 5
