"""Devices and their values (spec 08, 4)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import httpx
import pytest
from infra.vpin import EmbeddedRun
from vpin_protocol import Command

from conformance_v1.apps import SameApp
from conformance_v1.clients import Api, Board

pytestmark = pytest.mark.integration

Connect = Callable[[str], Board]
KEYS = {
    "id",
    "name",
    "templateId",
    "dashId",
    "dashDeviceId",
    "boardType",
    "connectionType",
    "status",
    "connectedAt",
    "disconnectedAt",
    "lastIp",
    "hardwareInfo",
    "metadata",
    "tags",
    "createdAt",
}


def test_a_device_needs_no_project(api: Api) -> None:
    made = api.device(boardType="ESP32 Dev Board")
    assert made.keys() == KEYS | {"token"}
    assert (made["dashId"], made["dashDeviceId"], made["templateId"]) == (None, None, None)
    assert (made["status"], made["connectedAt"], made["boardType"]) == ("offline", None, "ESP32 Dev Board")
    assert re.fullmatch("[A-Za-z0-9_-]{32}", made["token"])
    assert api.call("GET", f"/devices/{made['id']}", 200) == made


def test_only_three_answers_have_a_token(api: Api) -> None:
    made = api.device()
    path = f"/devices/{made['id']}"
    assert api.call("GET", path, 200)["token"] == made["token"]
    assert api.call("POST", f"{path}/token", 200).keys() == KEYS | {"token"}
    (listed,) = api.call("GET", "/devices", 200)["items"]
    assert listed.keys() == KEYS
    assert api.call("PATCH", path, 200, {"name": "other"}).keys() == KEYS


def test_a_board_tells_of_itself_and_where_it_is(api: Api, board: Connect) -> None:
    made = api.device()
    assert (made["lastIp"], made["hardwareInfo"]) == (None, {})
    connected = board(made["token"])
    told = ("ver", "1.3.2", "fw", "0.1.0", "build", "Nov 21 2026", "dev", "ESP32", "cpu", "esp", "con", "WiFi")
    connected.send(Command.INTERNAL, *told, "h-beat", "20", "buff-in", "2048", "tmpl", "TMPLunknown1")
    connected.fence()
    shown = api.call("GET", f"/devices/{made['id']}", 200)
    assert shown["lastIp"] == "127.0.0.1"
    assert shown["hardwareInfo"] == {
        "blynkVersion": "1.3.2",
        "version": "0.1.0",
        "build": "Nov 21 2026",
        "boardType": "ESP32",
        "cpuType": "esp",
        "connectionType": "WiFi",
        "templateId": "TMPLunknown1",
        "heartbeatInterval": 20,
        "buffIn": 2048,
    }
    connected.send(Command.INTERNAL, "ver", "1.3.3")
    connected.fence()
    assert api.call("GET", f"/devices/{made['id']}", 200)["hardwareInfo"]["blynkVersion"] == "1.3.3"
    connected.socket.close()


def test_a_device_has_the_tags_that_the_app_gave_it(api: Api, server: EmbeddedRun) -> None:
    with SameApp(server.tls, api) as app:
        app.make_dash(json.dumps({"id": 1, "name": "house", "createdAt": 1, "isActive": True, "widgets": []}))
        first, second = (api.device(dashId=1) for _ in range(2))
        assert first["tags"] == []
        for n, (name, members) in enumerate({"upstairs": [first], "wet": [first, second]}.items()):
            tag = {"id": 100_000 + n, "name": name, "deviceIds": [one["dashDeviceId"] for one in members]}
            app.call(Command.CREATE_TAG, 1, json.dumps(tag))
        tags = {one["id"]: one["tags"] for one in api.call("GET", "/devices", 200)["items"]}
    assert tags == {first["id"]: ["upstairs", "wet"], second["id"]: ["wet"]}


def test_a_list_has_pages(api: Api) -> None:
    made = [api.device(name=f"board {n}")["id"] for n in range(5)]
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.call("GET", "/devices", 200, params={"limit": 2, **cursor})
        found += [item["id"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        assert len(page["items"]) == 2
        cursor = {"cursor": page["nextCursor"]}
    assert found == made
    for wrong in ({"limit": 0}, {"limit": 501}, {"cursor": "no cursor"}):
        api.call("GET", "/devices", 422, params=wrong)


def test_what_a_device_needs_must_be_there(api: Api) -> None:
    for body in (
        {},
        {"name": ""},
        {"name": "x" * 51},
        {"name": "x", "templateId": "TMPLnone"},
        {"name": "x", "dashId": 7},
    ):
        api.call("POST", "/devices", 422, body)
    assert api.call("GET", "/devices", 200)["items"] == []


def test_a_change_names_only_what_changes(api: Api) -> None:
    made = api.device(boardType="ESP32")
    path = f"/devices/{made['id']}"
    changed = api.call("PATCH", path, 200, {"name": "other", "metadata": {"room": "attic", "floor": "2"}})
    assert (changed["name"], changed["boardType"]) == ("other", "ESP32")
    assert api.call("PATCH", path, 200, {"metadata": {"floor": None}})["metadata"] == {"room": "attic"}
    api.call("PATCH", path, 422, {"name": None})


def test_another_accounts_device_is_as_if_it_were_not_there(api: Api, make_api: Callable[..., Api]) -> None:
    made, other = api.device(), make_api()
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("POST", "/token", None),
        ("GET", "/values", None),
        ("PUT", "/values/V1", {"value": 1}),
        ("GET", "/events", None),
    ):
        theirs = other.call(method, f"/devices/{made['id']}{path}", 404, body)
        nobodys = other.call(method, f"/devices/999{path}", 404, body)
        assert theirs == nobodys
    api.call("GET", f"/devices/{made['id']}", 200)


def test_deleting_is_done_once(api: Api, board: Connect, server: EmbeddedRun) -> None:
    made = api.device()
    connected = board(made["token"])
    api.call("DELETE", f"/devices/{made['id']}", 204)
    assert connected.closed()
    api.call("DELETE", f"/devices/{made['id']}", 404)
    with Board(server.http) as late:
        assert not late.log_in(made["token"])


def test_a_device_is_online_while_its_board_is_connected(api: Api, board: Connect) -> None:
    made = api.device()
    board(made["token"])
    shown = api.call("GET", f"/devices/{made['id']}", 200)
    assert shown["status"] == "online"
    assert shown["connectedAt"] is not None


def test_a_new_token_replaces_the_old_one(api: Api, board: Connect, server: EmbeddedRun) -> None:
    made = api.device()
    connected = board(made["token"])
    token = api.call("POST", f"/devices/{made['id']}/token", 200)["token"]
    assert token != made["token"]
    assert connected.closed()
    with Board(server.http) as late:
        assert not late.log_in(made["token"])
    board(token)


def test_a_value_reaches_the_board_and_every_reader(api: Api, board: Connect, base: str) -> None:
    made = api.device()
    connected = board(made["token"])
    values = f"/devices/{made['id']}/values"
    api.call("PUT", f"{values}/V1", 204, {"value": 21.5})
    assert connected.fence() == [["vw", "1", "21.5"]]
    assert api.value(made, "V1") == 21.5
    assert httpx.get(f"{base}/{made['token']}/get/V1").json() == ["21.5"]
    assert httpx.get(f"{base}/external/api/get?token={made['token']}&v1").text == "21.5"


def test_what_the_board_writes_is_read(api: Api, board: Connect) -> None:
    made = api.device()
    board(made["token"]).write(7, "hello")
    (value,) = api.call("GET", f"/devices/{made['id']}/values", 200)
    assert (value["pin"], value["name"], value["value"]) == ("V7", "V7", "hello")
    assert value["updatedAt"] is not None


@pytest.mark.parametrize(
    ("given", "read"), [(1, 1), (True, 1), ("text", "text"), ("", ""), ([1, 2.5, "x"], [1, 2.5, "x"]), (-0.5, -0.5)]
)
def test_values_come_back_as_what_they_were(api: Api, given: object, read: object) -> None:
    made = api.device()
    api.call("PUT", f"/devices/{made['id']}/values/V1", 204, {"value": given})
    assert api.value(made, "V1") == read


def test_several_values_are_written_or_none(api: Api) -> None:
    made = api.device(api.template(V1={"valueType": "INT"}, V2={}))
    values = f"/devices/{made['id']}/values"
    api.call("PUT", values, 204, {"V1": 1, "V2": "x"})
    api.call("PUT", values, 422, {"V2": "y", "V1": "no number"})
    api.call("PUT", values, 404, {"V2": "y", "V3": 1})
    api.call("PUT", values, 422, {"V2": "y", "V256": 1})
    api.call("PUT", values, 422, {})
    assert [api.value(made, pin) for pin in ("V1", "V2")] == [1, "x"]


def test_a_forgotten_value_is_gone(api: Api) -> None:
    made = api.device()
    path = f"/devices/{made['id']}/values/V1"
    api.call("GET", path, 404)
    api.call("PUT", path, 204, {"value": 1})
    api.call("DELETE", path, 204)
    api.call("DELETE", path, 404)
    api.call("GET", path, 404)


@pytest.mark.parametrize("pin", ["X1", "V256", "V", "1", "V1x"])
def test_a_malformed_pin_is_refused(api: Api, pin: str) -> None:
    made = api.device()
    api.call("GET", f"/devices/{made['id']}/values/{pin}", 422)
