"""The profile shows of the template generation what syncs tell (spec 07, 9)."""

from __future__ import annotations

import json

import pytest
from state_world import NOW, World
from test_values import add, apps_hear, board_hears, stream, write
from vpin_messages.requests import PinRequest
from vpin_state import datastreams
from vpin_state.copies import bare_project, with_values_of
from vpin_state.handlers.http_project import project
from vpin_state.profile import dashboard_json, pins_storage, profile_json, widget_json
from vpin_state.templates import Template, attach
from vpin_state.values import app_sync

LATER = NOW + 10_001
STREAMS = [
    {"id": 1, "pin": 1, "invalidateAfter": 10, "defaultValue": "old"},
    {"id": 2, "pin": 2, "invalidateAfter": 10, "invalidateTo": "DEFAULT", "defaultValue": "new"},
    {"id": 3, "pin": 3, "defaultValue": "on"},
    {"id": 4, "pin": 4},
    {"id": 5, "pin": 5, "pinType": "DIGITAL", "defaultValue": "1"},
    {"id": 6, "pin": 6},
]
FRESH = {"v1": "w1", "v2": "w2", "v3": "on", "v4": "w4", "d5": "1"}
OUTDATED = {"v2": "new", "v3": "on", "v4": "w4", "d5": "1"}


@pytest.fixture
def listed(world: World) -> World:
    """Of the datastreams V1, V2 and V4 were written, and V9, which is not among them."""
    world.dash.settings["dataStreams"] = datastreams.read_streams(STREAMS)
    for pin in (1, 2, 4, 9):
        write(world, pin, f"w{pin}")
    return world


def stored(world: World, now: int | None) -> dict[str, str]:
    return {key.removeprefix("1-0-"): value for key, value in pins_storage(world.account, now).items()}


@pytest.mark.parametrize(("now", "expected"), [(NOW, FRESH), (LATER, OUTDATED)])
def test_the_pin_store_is_what_a_sync_tells(listed: World, now: int, expected: dict[str, str]) -> None:
    bodies = [body.split(b"\0") for _, body in app_sync(listed.dash, now)]
    told = {f"{word.decode()[0]}{pin.decode()}": value.decode() for _, word, pin, value in bodies}
    assert stored(listed, now) == told == expected


@pytest.mark.parametrize(("now", "expected"), [(NOW, FRESH), (LATER, OUTDATED)])
def test_widgets_show_what_a_sync_tells(listed: World, now: int, expected: dict[str, str]) -> None:
    for pin in (1, 2, 3, 4, 6, 9):
        add(listed, "SLIDER", pin=pin)
    many = add(listed, "RGB", pins=[stream(3), stream(1), stream(9)])
    listed.fx.now = now
    (dash,) = listed.profile()["dashBoards"]
    shown = {f"v{widget['pin']}": widget["value"] for widget in dash["widgets"][:6] if "value" in widget}
    assert shown | {"d5": "1"} == expected
    assert stored(listed, now) == {"d5": "1"}, "pins that a widget shows are not in there"
    assert [pin.get("value") for pin in dash["widgets"][6]["pins"]] == ["on", expected.get("v1"), None]
    assert widget_json(many, now)["pins"] == dash["widgets"][6]["pins"]
    assert listed.profile("1") == dash
    http = json.loads(project(listed.fx, listed.device, PinRequest("project")).body)
    assert [widget.get("value") for widget in http["widgets"]] == [widget.get("value") for widget in dash["widgets"]]


def test_devices_of_a_template_beside_others(world: World) -> None:
    other = world.add_device(1)
    template = world.account.templates["TMPL"] = Template(world.account, "TMPL", "Lamp", {})
    template.streams = datastreams.read_streams([{"id": 1, "pin": 1}, {"id": 2, "pin": 3, "defaultValue": "d"}])
    attach(other, "TMPL")
    for target in (0, 1):
        for pin in (1, 2):
            write(world, pin, pin, target=target)
    assert pins_storage(world.account, NOW) == {"1-0-v1": "1", "1-0-v2": "2", "1-1-v1": "1", "1-1-v3": "d"}
    tiles = [{"deviceId": device, "templateId": 1, "pin": stream(2)} for device in (0, 1)]
    widget = add(world, "DEVICE_TILES", templates=[{"id": 1, "pin": stream(2)}], tiles=tiles)
    for target in (0, 1):
        write(world, 2, 7, target=target)
    assert [tile["pin"].get("value") for tile in widget_json(widget, NOW)["tiles"]] == ["7", None]


def test_tags_show_their_own_values(listed: World) -> None:
    listed.dash.settings["tags"] = [{"id": 100_000, "name": "t", "deviceIds": [0]}]
    write(listed, 9, "t", target=100_000)
    assert pins_storage(listed.account, NOW)["1-100000-v9"] == "t"
    assert widget_json(add(listed, "SLIDER", pin=9, deviceId=100_000), NOW)["value"] == "t"
    assert apps_hear(listed, 100_000) == ["1-100000 vw 9 t"]


def test_what_is_stored_is_there_for_copies_and_exports(listed: World) -> None:
    """A default must not become a value by a copy, nor a value get lost in an export."""
    assert stored(listed, None) == {f"v{pin}": f"w{pin}" for pin in (1, 2, 4, 9)}
    for pin in (3, 4, 9):
        add(listed, "SLIDER", pin=pin)
    assert [with_values_of(listed.dash, w.json).get("value") for w in listed.dash.widgets] == [None, "w4", "w9"]
    assert [w.get("value") for w in dashboard_json(listed.dash, None)["widgets"]] == [None, "w4", "w9"]
    assert [w.get("value") for w in profile_json(listed.account, None)["dashBoards"][0]["widgets"]] == [
        None,
        "w4",
        "w9",
    ]
    assert not any("value" in widget for widget in bare_project(listed.dash)["widgets"])


def test_a_datastream_has_a_value_though_a_tile_keeps_lines_of_it(world: World) -> None:
    world.dash.settings["dataStreams"] = datastreams.read_streams([{"id": 1, "pin": 5, "syncWithLatest": True}])
    terminal = {"type": "TERMINAL", "id": 60, "pin": 5, "pinType": "VIRTUAL", "deviceId": -1}
    add(world, "DEVICE_TILES", templates=[{"id": 1, "deviceIds": [0], "widgets": [terminal]}])
    write(world, 5, "a")
    write(world, 5, "b")
    assert board_hears(world) == ["vw 5 b"]
    assert apps_hear(world) == ["1-0 vw 5 b"]
    assert pins_storage(world.account, NOW) == {"1-0-v5": {"type": "TERMINAL", "values": ["a", "b"]}}
