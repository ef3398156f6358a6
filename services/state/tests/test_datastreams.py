"""What datastreams take, values that wait for their board's word, values that time makes worthless (spec 07, 3.3 to 3.5)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from state_world import NOW, World
from vpin_messages.requests import PinRequest
from vpin_protocol import Command
from vpin_state import datastreams, registry
from vpin_state.collect import collect
from vpin_state.device import Device
from vpin_state.load import build_account
from vpin_store.rows import AccountRows, Changes

SECOND = 1000
DEVICE_NOT_IN_NETWORK = 7


def streams(world: World, **fields: Any) -> None:
    """The dashboard's only datastream is V1, an INT marked for sync, with these fields besides."""
    stream = {"id": 1, "pin": 1, "valueType": "INT", "syncWithLatest": True, **fields}
    world.dash.settings["dataStreams"] = datastreams.read_streams([stream])


def board_writes(world: World, value: object, device: Device | None = None) -> None:
    session = (device or world.device).sessions[0]
    world.send(session, Command.HARDWARE, "vw", 1, value)
    world.clear()


def app_writes(world: World, value: object, target: str = "1-0") -> None:
    world.send(world.app, Command.HARDWARE, target, "vw", 1, value)


def http(world: World, name: str, *values: str) -> Any:
    """What the pin API answers; for reads the JSON."""
    registry.load()
    reply = registry.operations[name](world.fx, world.device, PinRequest(name, "v", 1, list(values)))
    assert reply.status == 200
    return json.loads(reply.body) if reply.body else None


def item(world: World) -> Any:
    """V1 as the management API shows it; None when it lists nothing."""
    registry.load()
    reply = registry.account_operations["listValues"](world.fx, world.account, {"id": device_number(world)})
    items = json.loads(reply.body)
    return items[0] if items else None


def device_number(world: World) -> int:
    registry.load()
    reply = registry.account_operations["listDevices"](world.fx, world.account, {"after": -1, "limit": 9})
    return json.loads(reply.body)["items"][0]["id"]


def known(world: World) -> list[bytes]:
    """What readers get: sync of the board, of one pin, at connect, of the app; all say the same."""
    world.clear()
    world.send(world.board, Command.HARDWARE_SYNC)
    world.send(world.board, Command.HARDWARE_SYNC, "vr", 1)
    frames = [body for _, _, body in world.sent_to(world.board)]
    world.send(world.app, Command.APP_SYNC, 1)
    told = [body.removeprefix(b"1-0\0") for number, _, body in world.sent_to(world.app) if number == Command.APP_SYNC]
    values = http(world, "get")
    assert frames == told * 2
    assert [["vw", "1", value] for value in values] == [body.decode().split("\0") for body in told]
    return [body.split(b"\0")[2] for body in told]


def pass_time(world: World, ms: int) -> None:
    """Let the clock go on, and what is scheduled until then happen."""
    world.fx.now += ms
    due = [action for at, _, action in world.fx.scheduled if at <= world.fx.now]
    world.fx.scheduled[:] = [entry for entry in world.fx.scheduled if entry[0] > world.fx.now]
    for action in due:
        action(world.fx)


@pytest.fixture
def waiting(world: World) -> World:
    """V1 waits 5 s for its board's word; its confirmed value is 1."""
    streams(world, waitForConfirmation=5)
    board_writes(world, 1)
    return world


@pytest.mark.parametrize(
    ("stream", "value", "stored"),
    [
        ({"valueType": "INT"}, "2147483647", "2147483647"),
        ({"valueType": "INT"}, "-2147483648", "-2147483648"),
        ({"valueType": "INT"}, "+0000000000000002147483647", "+0000000000000002147483647"),
        ({"valueType": "INT"}, "000", "000"),
        ({"valueType": "INT"}, "-" + "0" * 5000, "-" + "0" * 5000),
        ({"valueType": "INT"}, "2147483648", None),
        ({"valueType": "INT"}, "-2147483649", None),
        ({"valueType": "INT"}, "9" * 5000, None),
        ({"valueType": "INT"}, "-", None),
        ({"valueType": "INT"}, "1.0", None),
        ({"valueType": "INT", "min": 0.5, "max": 9.5}, "0", "1"),
        ({"valueType": "INT", "min": 0.5, "max": 9.5}, "10", "9"),
        ({"valueType": "INT", "min": -9.5, "max": -0.5}, "-10", "-9"),
        ({"valueType": "INT", "min": -9.5, "max": -0.5}, "0", "-1"),
        ({"valueType": "INT", "min": 3e9}, "0", "2147483647"),
        ({"valueType": "INT", "max": -3e9}, "0", "-2147483648"),
        ({"valueType": "INT", "min": 1, "max": 1}, "1", "1"),
        ({"valueType": "DOUBLE", "min": 0.5, "max": 10}, "0.499", "0.5"),
        ({"valueType": "DOUBLE", "min": 0.5, "max": 10}, "1e2", "10"),
        ({"valueType": "DOUBLE"}, "1e400", None),
        ({"valueType": "DOUBLE"}, "nan", None),
        ({"valueType": "DOUBLE"}, "0x1", None),
        ({"valueType": "DOUBLE"}, "1_0", None),
        ({"valueType": "ENUM", "enumValues": [1, 2]}, "02", "02"),
        ({"valueType": "ENUM", "enumValues": [1, 2]}, "3", None),
        ({"valueType": "ENUM", "enumValues": [1, 2], "enumFallback": 1}, "x", "1"),
        ({"valueType": "LOCATION"}, "1.5\0-2e1", "1.5\0-2e1"),
        ({"valueType": "LOCATION"}, "1.5", None),
        ({"valueType": "LOCATION"}, "1\x002\x003", None),
        ({"valueType": "RAW"}, "a\0\0b", "a\0\0b"),
        ({"valueType": "INT"}, "1\x002", None),
    ],
)
def test_what_a_datastream_takes(world: World, stream: dict[str, object], value: str, stored: str | None) -> None:
    world.dash.settings["dataStreams"] = datastreams.read_streams([{"id": 1, "pin": 1, **stream}])
    world.send(world.board, Command.HARDWARE, "vw", 1, value)
    told = [] if stored is None else [(20, 5, f"1-0\0vw\x001\0{stored}".encode())]
    assert world.sent_to(world.app) == told
    back = [] if stored in (None, value) else [(20, 1111, f"vw\x001\0{stored}".encode())]
    assert world.sent_to(world.board) == back
    world.send(world.board, Command.HARDWARE_SYNC, "vr", 1)
    assert world.sent_to(world.board) == [(20, 5, body[4:]) for _, _, body in told]


def test_an_app_write_goes_to_the_board_and_stays_pending(waiting: World) -> None:
    other = waiting.app_session()
    app_writes(waiting, 2)
    assert waiting.sent_to(waiting.board) == [(20, 5, b"vw\x001\x002")]
    assert waiting.sent_to(other) == waiting.sent_to(waiting.app) == [], "nothing has happened yet"
    scheduled = waiting.fx.scheduled[:]
    assert known(waiting) == [b"1"]
    assert [at for at, *_ in scheduled] == [NOW + 5 * SECOND]


def test_the_boards_word_ends_the_wait_whatever_it_says(waiting: World) -> None:
    app_writes(waiting, 2)
    waiting.sent_to(waiting.board)
    pass_time(waiting, 4 * SECOND)
    waiting.send(waiting.board, Command.HARDWARE, "vw", 1, 3)
    assert waiting.sent_to(waiting.app) == [(20, 5, b"1-0\0vw\x001\x003")]
    pass_time(waiting, 4 * SECOND)
    assert waiting.sent_to(waiting.app) == [], "nobody is told that the time is over"
    assert known(waiting) == [b"3"]


def test_when_the_time_is_over_the_apps_get_the_confirmed_value(waiting: World) -> None:
    other = waiting.app_session()
    app_writes(waiting, 2)
    pass_time(waiting, 5 * SECOND)
    expected = [(25, 1111, b"1-0\0vw\x001\x001")]
    assert waiting.sent_to(waiting.app) == waiting.sent_to(other) == expected
    assert known(waiting) == [b"1"]
    waiting.send(waiting.board, Command.HARDWARE, "vw", 1, 2)
    assert known(waiting) == [b"2"], "a late word is an ordinary write"


def test_a_second_write_starts_the_time_anew(waiting: World) -> None:
    app_writes(waiting, 2)
    pass_time(waiting, 3 * SECOND)
    app_writes(waiting, 3)
    pass_time(waiting, 3 * SECOND)
    assert waiting.sent_to(waiting.app) == []
    pass_time(waiting, 2 * SECOND)
    assert waiting.sent_to(waiting.app) == [(25, 1111, b"1-0\0vw\x001\x001")]


def test_without_a_board_the_pending_value_is_dropped_at_once(waiting: World) -> None:
    waiting.device.sessions.clear()
    app_writes(waiting, 2)
    assert waiting.sent_to(waiting.app) == [(0, 5, DEVICE_NOT_IN_NETWORK), (25, 1111, b"1-0\0vw\x001\x001")]
    assert waiting.fx.scheduled == []
    assert known_offline(waiting) == ["1"]


def known_offline(world: World) -> Any:
    return http(world, "get")


def test_an_http_write_is_pending_too(waiting: World) -> None:
    http(waiting, "update", "2")
    assert waiting.sent_to(waiting.board) == [(20, 111, b"vw\x001\x002")]
    assert waiting.sent_to(waiting.app) == []
    pass_time(waiting, 5 * SECOND)
    assert waiting.sent_to(waiting.app) == [(25, 1111, b"1-0\0vw\x001\x001")]
    assert known(waiting) == [b"1"]
    assert item(waiting)["value"] == 1


def test_a_pending_value_is_cropped_like_any_other(waiting: World) -> None:
    streams(waiting, waitForConfirmation=5, max=10)
    app_writes(waiting, 99)
    assert waiting.sent_to(waiting.board) == [(20, 5, b"vw\x001\x0010")]
    app_writes(waiting, "text")
    assert waiting.sent_to(waiting.app) == [(0, 5, 11)]


def test_each_device_of_a_tag_waits_for_itself(waiting: World) -> None:
    second = waiting.add_device(1)
    waiting.board_session(second)
    waiting.dash.settings["tags"] = [{"id": 100_000, "name": "t", "deviceIds": [0, 1]}]
    app_writes(waiting, 2, "1-100000")
    board_writes(waiting, 2, second)
    assert second.bank.pin(ord("v"), 1).value == b"2"
    assert waiting.device.bank.pin(ord("v"), 1).value == b"1"
    assert not any(pin.known for pin in waiting.dash.bank(100_000).pins.values())


def test_nothing_confirmed_nothing_told(world: World) -> None:
    streams(world, waitForConfirmation=5)
    app_writes(world, 2)
    pass_time(world, 5 * SECOND)
    assert world.sent_to(world.app) == []
    assert known(world) == []


def test_the_default_is_the_confirmed_value_of_a_pin_never_written(world: World) -> None:
    streams(world, waitForConfirmation=5, defaultValue="7")
    app_writes(world, 2)
    pass_time(world, 5 * SECOND)
    assert world.sent_to(world.app) == [(25, 1111, b"1-0\0vw\x001\x007")]


def test_a_wait_outlives_neither_its_device_nor_a_restart(waiting: World) -> None:
    app_writes(waiting, 2)
    changes = Changes()
    collect(waiting.account, changes)
    assert [row.value for row in changes.values] == [b"1"], "the pending value is not stored"
    waiting.dash.remove_device(waiting.device)
    pass_time(waiting, 5 * SECOND)
    assert waiting.sent_to(waiting.app) == []


@pytest.mark.parametrize("policy", ["NOTHING", "NO_DATA", "EMPTY", "DASHES"])
def test_an_outdated_value_counts_as_never_written(world: World, policy: str) -> None:
    streams(world, invalidateAfter=10, invalidateTo=policy, defaultValue="7")
    board_writes(world, 1)
    pass_time(world, 10 * SECOND)
    assert known(world) == [b"1"], "not yet"
    assert item(world)["updatedAt"] == NOW
    pass_time(world, 1)
    assert world.fx.sends == [], "a board that is connected is told nothing"
    assert known(world) == []
    assert item(world) is None
    board_writes(world, 2)
    assert known(world) == [b"2"]


def test_the_default_takes_the_place_of_an_outdated_value_where_it_should(world: World) -> None:
    streams(world, invalidateAfter=0.5, invalidateTo="DEFAULT", defaultValue="7")
    board_writes(world, 1)
    pass_time(world, 501)
    assert known(world) == [b"7"]
    assert (item(world)["value"], item(world)["source"], item(world)["updatedAt"]) == (7, "default", 0)
    streams(world, invalidateAfter=0.5, invalidateTo="DEFAULT")
    assert known(world) == []


def test_the_time_of_a_write_survives_a_restart(world: World) -> None:
    streams(world, invalidateAfter=10)
    world.dash.changed()
    world.device.changed()
    board_writes(world, 1)
    changes = Changes()
    collect(world.account, changes)
    rows = AccountRows(world.account.row._replace(body=b"{}"))
    rows.dashboards, rows.devices, rows.values = changes.dashboards, changes.devices, changes.values
    device = build_account(rows, 0).dashboards[1].devices[0]
    (stream,) = datastreams.of(device) or []
    pin = device.bank.pins[ord("v"), 1]
    assert datastreams.current(stream, pin, NOW + 10 * SECOND) == b"1"
    assert datastreams.current(stream, pin, NOW + 10 * SECOND + 1) is None
