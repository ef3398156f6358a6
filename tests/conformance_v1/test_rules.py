"""What the keys of a datastream do to a real board, and to the apps (spec 08, 3; 07, 3, 6 and 8)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from infra.vpin import EmbeddedRun
from vpin_protocol import Command, join

from conformance_v1.apps import SameApp
from conformance_v1.clients import Api, Board
from conformance_v1.reading import Stream

pytestmark = pytest.mark.integration

Connect = Callable[[str], Board]
CONFIRMED_ID = 1111
DASH = {"id": 1, "name": "house", "createdAt": 1, "isActive": True, "widgets": []}


@pytest.fixture
def app(api: Api, server: EmbeddedRun) -> Iterator[SameApp]:
    with SameApp(server.tls, api) as app:
        app.make_dash(json.dumps(DASH))
        yield app


def put(api: Api, device: dict[str, Any], pin: str, value: object) -> None:
    api.call("PUT", f"/devices/{device['id']}/values/{pin}", 204, {"value": value})


def synced(board: Board, *asked: object) -> list[list[str]]:
    board.send(Command.HARDWARE_SYNC, *asked)
    return board.fence()


def read(api: Api, device: dict[str, Any]) -> dict[str, Any]:
    return {one["pin"]: one for one in api.call("GET", f"/devices/{device['id']}/values", 200)}


# -- syncWithLatest


def test_marked_datastreams_are_sent_at_connect_and_when_a_board_asks_for_all(api: Api, board: Connect) -> None:
    marked = {"syncWithLatest": True}
    device = api.device(api.template(V3=marked, V1=marked | {"defaultValue": "on"}, V2={}, V4=marked, D5=marked))
    put(api, device, "V2", "not marked")
    put(api, device, "D5", 1)
    put(api, device, "V3", "three")
    expected = [["vw", "3", "three"], ["vw", "1", "on"], ["dw", "5", "1"]]
    connected = board(device["token"])
    assert connected.fence() == expected, "the server sends them by itself, in list order"
    assert synced(connected) == expected
    assert synced(connected, "vr", 2, 4, 9, 1) == [["vw", "2", "not marked"], ["vw", "1", "on"]]


def test_what_came_while_the_board_was_away_is_sent_once_as_its_last_value(api: Api, board: Connect) -> None:
    device = api.device(api.template(V1={"syncWithLatest": True}))
    board(device["token"]).socket.close()
    for value in ("a", "b", "c"):
        put(api, device, "V1", value)
    assert board(device["token"]).fence() == [["vw", "1", "c"]]


# -- checks


@pytest.mark.parametrize(
    ("stream", "written", "stored", "echo"),
    [
        ({"valueType": "INT", "min": 0, "max": 10}, ["11"], 10, ["vw", "1", "10"]),
        ({"valueType": "DOUBLE", "min": -1.5}, ["-2"], -1.5, ["vw", "1", "-1.5"]),
        ({"valueType": "ENUM", "enumValues": [1, 2], "enumFallback": 2}, ["3"], 2, ["vw", "1", "2"]),
        ({"valueType": "INT"}, ["1.5"], None, None),
        ({"valueType": "ENUM", "enumValues": [1, 2]}, ["3"], None, None),
        ({"valueType": "LOCATION"}, ["13.4", "52.5"], [13.4, 52.5], None),
        ({"valueType": "INT"}, ["1", "2"], None, None),
        ({"valueType": "RAW"}, ["a", "", "1"], ["a", "", 1], None),
    ],
)
def test_a_boards_write_is_checked_and_told_when_it_was_changed(
    api: Api, board: Connect, stream: dict[str, object], written: list[str], stored: object, echo: list[str] | None
) -> None:
    device = api.device(api.template(V1=stream))
    connected = board(device["token"])
    connected.send(Command.HARDWARE, "vw", 1, *written)
    assert connected.fence() == ([echo] if echo else [])
    assert read(api, device).get("V1", {}).get("value") == stored


# -- waitForConfirmation


def test_a_write_waits_for_the_boards_word(api: Api, board: Connect) -> None:
    device = api.device(api.template(V1={"valueType": "INT", "waitForConfirmation": 20, "syncWithLatest": True}))
    connected = board(device["token"])
    connected.write(1, 1)
    with Stream(api) as stream:
        stream.next("hello")
        put(api, device, "V1", 5)
        assert connected.fence() == [["vw", "1", "5"]], "the board is asked"
        assert api.value(device, "V1") == 1, "the confirmed value stays"
        assert synced(connected) == [["vw", "1", "1"]]
        connected.write(1, 6)
        told = stream.next("value").data
        assert (told["value"], told["source"]) == (6, "device"), "what waits is nobody's value"
    assert api.value(device, "V1") == 6, "whatever it is"


def test_without_its_word_in_time_the_value_stays_and_apps_are_told(api: Api, app: SameApp, board: Connect) -> None:
    template = api.template(V1={"valueType": "INT", "waitForConfirmation": 0.4})
    device = api.device(template, dashId=1)
    connected = board(device["token"])
    connected.write(1, 1)
    target = f"1-{device['dashDeviceId']}"
    app.write_to(target, 1, 5)
    began = time.monotonic()
    assert connected.fence() == [["vw", "1", "5"]]
    app.expect(Command.APP_SYNC, CONFIRMED_ID, join(target, "vw", "1", "1"))
    assert time.monotonic() - began > 0.3
    connected.socket.close()
    with Stream(api) as stream:
        stream.next("hello")
        while api.call("GET", f"/devices/{device['id']}", 200)["status"] == "online":
            stream.next("status")
    put(api, device, "V1", 7)
    app.expect(Command.APP_SYNC, CONFIRMED_ID, join(target, "vw", "1", "1"))
    assert api.value(device, "V1") == 1, "nobody was there to ask"


# -- invalidateAfter


def test_a_value_is_given_up_after_its_time(api: Api, board: Connect) -> None:
    rule = {"valueType": "INT", "syncWithLatest": True, "defaultValue": "9", "invalidateAfter": 0.7}
    policies = ("NOTHING", "DEFAULT", "NO_DATA", "EMPTY", "DASHES")
    streams = {f"V{n}": rule | {"invalidateTo": name} for n, name in enumerate(policies)}
    template = api.template(**streams, V9={"valueType": "INT", "syncWithLatest": True})
    device = api.device(template)
    connected = board(device["token"])
    connected.fence()
    values = dict.fromkeys([*streams, "V9"], 1)
    began = time.monotonic()
    api.call("PUT", f"/devices/{device['id']}/values", 204, values)
    shown = read(api, device)
    if time.monotonic() - began < 0.6:
        assert {pin: one["value"] for pin, one in shown.items()} == values
    assert len(connected.fence()) == len(values)
    while (found := read(api, device))["V1"]["source"] != "default":
        assert time.monotonic() - began < 10
        time.sleep(0.05)
    assert time.monotonic() - began > 0.7
    assert (found["V1"]["value"], found["V1"]["updatedAt"]) == (9, None)
    assert (found["V9"]["value"], found["V9"]["source"]) == (1, "http")
    assert found.keys() == {"V1", "V9"}, "the others count as never written"
    assert connected.fence() == [], "a board that is there is told nothing"
    assert synced(connected) == [["vw", "1", "9"], ["vw", "9", "1"]]
    put(api, device, "V2", 3)
    assert api.value(device, "V2") == 3
