"""Projects of all kinds, as Hypothesis makes them: read, written, read again, stored and loaded (spec 03)."""

from __future__ import annotations

import json
import re
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from state_generated import TEXTS, Pair, objects, widgets
from state_projects import (
    CREATE_DASH,
    DASH,
    OK,
    QUICK,
    WRITES,
    assert_written_by_the_rules,
    created,
    project,
    projects,
    tiles,
)
from state_world import NOW
from vpin_state import json_rules
from vpin_state import kinds_table as table
from vpin_state.kinds import BUTTONS, KINDS, OWN_WORD
from vpin_state.places import places
from vpin_state.profile import pins_storage
from vpin_state.values import app_sync

SERVER_ERROR = 19
UPDATE_DASH, DELETE_DASH, ACTIVATE = 22, 23, 7
CREATE_WIDGET, UPDATE_WIDGET, DELETE_WIDGET, GET_WIDGET = 33, 34, 35, 70
HARDWARE, HARDWARE_SYNC, APP_SYNC, PROPERTY = 20, 16, 25, 19


def assert_same(expected: Any, got: Any) -> None:
    """Equal with the same types; floats as single precision has them."""
    assert type(expected) is type(got), f"{expected!r} became {got!r}"
    if isinstance(expected, dict):
        assert expected.keys() == got.keys()
        for key, value in expected.items():
            assert_same(value, got[key])
    elif isinstance(expected, list):
        assert len(expected) == len(got)
        for one, other in zip(expected, got, strict=True):
            assert_same(one, other)
    elif isinstance(expected, float) and expected != got:
        assert struct.pack("<f", expected) == struct.pack("<f", got)
    else:
        assert expected == got


READ = {
    "Device": json_rules.read_device,
    "Settings": json_rules.read_settings,
    "Report": json_rules.read_report,
    "Tag": json_rules.read_tag,
    "App": json_rules.read_app,
}
GIVEN = {
    "Device": {"boardType": st.just(("Bluz", "Bluz")), "name": TEXTS.map(lambda t: (t, t))},
    "Tag": {"id": st.just(("100000", 100_000)), "name": st.just(("all", "all"))},
    "App": {
        "theme": st.just((1, "Blynk")),
        "provisionType": st.just(("STATIC", "STATIC")),
        "name": st.just((5, "5")),
        "projectIds": st.just(([1.5], [1])),
    },
}
SERVERS = json_rules.PRIVATE_OF_DEVICE


@pytest.mark.parametrize("name", sorted(READ))
@QUICK
@given(st.data())
def test_an_object_is_read_into_its_normal_form(name: str, data: st.DataObject) -> None:
    sent, kept = data.draw(objects(table.OBJECTS[name], 0, GIVEN.get(name)))
    if name == "Device":
        kept = {key: value for key, value in kept.items() if key not in SERVERS}
    got = READ[name](json.dumps(sent).encode(), 0)
    assert_same(kept, got)
    assert READ[name](json_rules.encode(got), 0) == got


@settings(QUICK, max_examples=100)
@given(widgets())
def test_a_widget_is_read_into_its_normal_form(pair: Pair) -> None:
    sent, kept = pair
    got = json_rules.read_widget_json(json.dumps(sent).encode(), 0)
    assert_same(kept, got)
    assert_written_by_the_rules(got)
    assert json_rules.read_widget_json(json_rules.encode(got), 0) == got


@QUICK
@given(projects())
def test_a_project_comes_back_as_it_was_sent(pair: Pair) -> None:
    sent, kept = pair
    world = created(sent)
    found = world.profile(DASH)
    assert_written_by_the_rules(found)
    for device in found["devices"]:
        assert len(device.pop("token")) == 32
        assert (device.pop("status"), device.pop("connectTime")) == ("OFFLINE", 0)
    assert_same({**kept["devices"][0]}.keys() - SERVERS, found["devices"][0].keys() - SERVERS)
    for key in ("name", "theme", "color", "isActive", "tags", "createdAt"):
        if key == "createdAt" and not kept[key]:
            assert found[key] == NOW
        else:
            assert_same(kept.get(key), found.get(key))
    values = _last_values(kept["widgets"])
    assert len(found.get("widgets", [])) == len(kept["widgets"])
    for before, after in zip(kept["widgets"], found.get("widgets", []), strict=True):
        _put(before, values)
        assert_same(before, after)


def _last_values(kept: list[Any]) -> dict[Any, str]:
    """What the pins hold that the widgets name: the last value that any of them brings."""
    found = {}
    for widget in kept:
        if widget["type"] != "TERMINAL":
            found |= {place.key: place.holder["value"] for place in places(widget) if "value" in place.holder}
    return found


def _put(widget: Any, values: dict[Any, str]) -> None:
    """The widget shows what its pins hold."""
    if widget["type"] != "TERMINAL":
        for place in places(widget):
            if place.key in values:
                place.holder["value"] = values[place.key]


@QUICK
@given(projects())
def test_a_project_survives_being_written_and_read_again(pair: Pair) -> None:
    world = created(pair[0])
    first = project(world)
    assert world.app_status(UPDATE_DASH, first) == OK
    assert project(world) == first, "an update with what was loaded changes nothing"
    for widget in first.get("widgets", []):
        assert world.app_status(UPDATE_WIDGET, DASH, widget) == OK
    assert project(world) == first, "an update of each widget with what was loaded changes nothing"
    assert world.app_status(DELETE_DASH, DASH) == OK
    assert pins_storage(world.account, NOW) == {}
    assert world.app_status(CREATE_DASH, first) == OK
    second = project(world)
    for device in (*first["devices"], *second["devices"]):
        device.pop("token")
    assert second == first, "so does a second project that is made of it"


def _without_what_is_kept(widget: Any) -> Any:
    """The widget without what an update can't take away while the pins stay (spec 03, 8.3)."""
    if widget["type"] in OWN_WORD:
        return widget
    left = {
        key: value for key, value in widget.items() if key not in ("templates", "tiles", "androidTokens", "iOSTokens")
    }
    shown = {id(place.holder) for place in places(left)}
    if shown and widget["type"] in ("TABLE", "PLAYER"):
        left = {key: value for key, value in left.items() if key not in ("rows", "currentRowIndex", "isOnPlay")}
    if "pins" in left:
        left["pins"] = [_bare(pin) if id(pin) in shown else pin for pin in left["pins"]]
    return _bare(left) if shown and "pins" not in left and left["type"] != "TERMINAL" else left


def _bare(holder: Any) -> Any:
    return {key: value for key, value in holder.items() if key != "value"}


@QUICK
@given(projects(tiles()), WRITES)
def test_an_update_takes_nothing_away_that_the_pins_hold(pair: Pair, writes: list[tuple[str, int, str]]) -> None:
    world = created(pair[0])
    boards = [world.board_session(device) for device in world.account.dashboards[DASH].devices.values()]
    for kind, number, value in writes:
        for board in boards:
            world.send(board, HARDWARE, f"{kind}w", number, value)
    first, stored = project(world), pins_storage(world.account, NOW)
    for widget in first.get("widgets", []):
        assert world.app_status(UPDATE_WIDGET, DASH, _without_what_is_kept(widget)) == OK
    assert project(world) == first
    assert pins_storage(world.account, NOW) == stored


STORED = re.compile(r"(-?[0-9]+--?[0-9]+)-([vda])([0-9]+)(?:-(\w+))?")
LETTERS = {"VIRTUAL": "v", "DIGITAL": "d", "ANALOG": "a"}
IN_THEIR_WAY = ("TERMINAL", "MAP", "TABLE")
"""These tell more than their value."""


@QUICK
@given(projects(tiles()), WRITES)
def test_a_sync_tells_what_the_profile_shows(pair: Pair, writes: list[tuple[str, int, str]]) -> None:
    world = created(pair[0])
    dash = world.account.dashboards[DASH]
    boards = [world.board_session(device) for device in dash.devices.values()]
    dash.active = True
    for kind, number, value in writes:
        for board in boards:
            world.send(board, HARDWARE, f"{kind}w", number, value)
            world.send(board, PROPERTY, number, "suffix", value)
    told = [(command, body.decode()) for command, body in app_sync(dash, NOW)]
    for key, stored in pins_storage(world.account, NOW).items():
        found = STORED.fullmatch(key)
        assert found is not None
        target, letter, number, name = found.groups()
        if name:
            assert (PROPERTY, f"{target}\0{number}\0{name}\0{stored}") in told
        elif isinstance(stored, str):
            assert (APP_SYNC, f"{target}\0{letter}w\0{number}\0{stored}") in told
        else:
            lines = "\0".join(stored["values"])
            assert (APP_SYNC, f"{target}\0{letter}m\0{number}\0{lines}") in told
    for widget in project(world)["widgets"]:
        kind = KINDS[widget["type"]]
        hidden = widget.get("deviceId", 0) >= 200_000 or widget["type"] in IN_THEIR_WAY
        if widget["type"] == "DEVICE_TILES" or (kind.pins == "one" and kind.app_sync and not hidden):
            for place in places(widget):
                pwm = place.holder["pwmMode"] and widget["type"] not in BUTTONS
                letter = "a" if pwm else LETTERS[place.holder["pinType"]]
                if (value := place.holder.get("value")) is not None:
                    assert (APP_SYNC, f"{DASH}-{place.target}\0{letter}w\0{place.number}\0{value}") in told


@QUICK
@given(projects(), widgets(), st.data())
def test_no_command_on_any_project_is_a_fault(pair: Pair, new: Pair, data: st.DataObject) -> None:
    """What is refused is refused for a reason; what is asked for comes."""
    sent, _ = pair
    world = created({**sent, "isActive": True})
    dash = world.account.dashboards[DASH]
    board = world.board_session(dash.devices[0])
    write = st.lists(
        st.sampled_from(["1", "x", "add", "clr", "pick", "select", "play", ""]) | TEXTS, min_size=1, max_size=4
    )
    value = "\0".join(data.draw(write))
    name = data.draw(st.sampled_from(sorted(table.PROPERTIES)))
    commands: list[tuple[Any, int, tuple[Any, ...]]] = [
        (board, HARDWARE, (f"{kind}w", number, value)) for kind in "vda" for number in (0, 1, 2)
    ]
    commands += [(board, PROPERTY, (number, name, value)) for number in (0, 1, 2)]
    commands += [(world.app, HARDWARE, (f"{DASH}-{target}", "vw", 1, value)) for target in (0, 100_000, 200_000)]
    commands += [(world.app, PROPERTY, (DASH, widget["id"], name, value)) for widget in sent["widgets"]]
    commands += [(world.app, CREATE_WIDGET, (DASH, {**new[0], "id": 300_000}))]
    commands += [(world.app, UPDATE_WIDGET, (DASH, {**new[0], "id": 200_000}))]
    commands += [
        (board, HARDWARE_SYNC, ()),
        (board, HARDWARE_SYNC, ("vr", 0, 1, 2)),
        (board, HARDWARE_SYNC, ("ar", 0, 1)),
    ]
    commands += [(world.app, APP_SYNC, (DASH,)), (world.app, APP_SYNC, (f"{DASH}-0",)), (world.app, ACTIVATE, (DASH,))]
    commands += [(world.app, GET_WIDGET, (DASH, widget["id"])) for widget in sent["widgets"]]
    commands += [(world.app, 44, (DASH, 0)), (world.app, 24, ()), (world.app, DELETE_WIDGET, (DASH, 200_000))]
    for session, command, parts in commands:
        world.send(session, command, *parts)
        answers = [body for number, _, body in world.sent_to(session) if number == 0]
        assert SERVER_ERROR not in answers, (command, parts)
        world.clear()
    assert_written_by_the_rules(world.profile(DASH))
