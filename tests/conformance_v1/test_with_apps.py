"""What the management API and the app share (spec 08, 2 to 4): passwords, projects, devices, values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from infra.vpin import EmbeddedRun
from vpin_protocol import Command

from conformance_v1.apps import SameApp
from conformance_v1.clients import PASSWORD, Api, Board
from conformance_v1.reading import Stream

pytestmark = pytest.mark.integration

Connect = Callable[[str], Board]
DASH = {"id": 1, "name": "house", "createdAt": 1, "isActive": True, "widgets": []}
DEVICE = {"id": 0, "name": "legacy", "boardType": "ESP8266", "connectionType": "WI_FI"}


@pytest.fixture
def app(api: Api, server: EmbeddedRun) -> Iterator[SameApp]:
    with SameApp(server.tls, api) as app:
        app.make_dash(json.dumps(DASH | {"devices": [DEVICE]}))
        yield app


def devices_of(app: SameApp) -> list[dict[str, Any]]:
    return json.loads(app.call(Command.GET_DEVICES, 1).body)


def test_one_password_is_for_the_app_and_the_api(app: SameApp) -> None:
    assert [device["name"] for device in devices_of(app)] == ["legacy"]


def test_a_new_password_ends_the_sessions_of_apps(api: Api, app: SameApp, server: EmbeddedRun) -> None:
    api.call("PUT", "/me/password", 204, {"current": PASSWORD, "new": "new password"})
    assert app.closed()
    with SameApp(server.tls, api, "new password") as again:
        assert devices_of(again)
    with SameApp(server.tls, api, "new password") as stale:
        stale.set_password(PASSWORD)
        with pytest.raises(AssertionError):
            stale.connect()


def test_a_device_of_a_project_is_shown_by_the_app(api: Api, app: SameApp) -> None:
    made = api.device(dashId=1)
    assert (made["dashId"], made["dashDeviceId"]) == (1, 1)
    assert [device["id"] for device in devices_of(app)] == [0, 1]
    assert devices_of(app)[1]["token"] == made["token"]
    api.device()
    assert len(devices_of(app)) == 2, "one without a project is not"


def test_a_device_of_the_app_is_shown_here_and_may_be_given_a_template(api: Api, app: SameApp, board: Connect) -> None:
    (found,) = api.call("GET", "/devices", 200)["items"]
    assert (found["name"], found["dashId"], found["dashDeviceId"], found["templateId"]) == ("legacy", 1, 0, None)
    token = api.call("GET", f"/devices/{found['id']}", 200)["token"]
    assert token == devices_of(app)[0]["token"]
    template = api.template(V1={"valueType": "INT", "defaultValue": 7})
    assert api.call("PATCH", f"/devices/{found['id']}", 200, {"templateId": template})["templateId"] == template
    assert api.value(found, "V1") == 7
    connected = board(token)
    connected.write(1, "no number")
    assert api.value(found, "V1") == 7


def test_the_same_number_in_two_projects_are_two_devices(api: Api, app: SameApp) -> None:
    app.ok(Command.CREATE_DASH, json.dumps(DASH | {"id": 2, "devices": [DEVICE | {"name": "other"}]}))
    found = api.call("GET", "/devices", 200)["items"]
    assert {(one["dashId"], one["dashDeviceId"]) for one in found} == {(1, 0), (2, 0)}
    assert len({one["id"] for one in found}) == 2


def test_a_write_is_sent_to_apps_and_theirs_is_read(api: Api, app: SameApp, board: Connect) -> None:
    (found,) = api.call("GET", "/devices", 200)["items"]
    board(api.call("GET", f"/devices/{found['id']}", 200)["token"])
    with Stream(api) as stream:
        stream.next("hello")
        api.call("PUT", f"/devices/{found['id']}/values/V1", 204, {"value": 5})
        app.expect_write(1, 5)
        stream.next("value")
        for value in ("a", "b"):  # the second on the fast way
            app.write(2, value)
            told = stream.next("value").data
            assert (told["pin"], told["value"], told["source"]) == ("V2", value, "app")
    item = api.call("GET", f"/devices/{found['id']}/values/V2", 200)
    assert (item["value"], item["source"]) == ("b", "app")


def test_what_a_rule_writes_is_the_rules(api: Api, app: SameApp, board: Connect) -> None:
    trigger = {"pin": 1, "pinType": "VIRTUAL"}
    action = {"type": "SETPIN", "pin": {"pin": 2, "pinType": "VIRTUAL"}, "value": "9"}
    rule = {"isActive": True, "triggerPin": trigger, "condition": {"type": "GT", "value": 5}, "actions": [action]}
    eventor = {"id": 5, "type": "EVENTOR", "x": 0, "y": 0, "width": 1, "height": 1, "deviceId": 0, "rules": [rule]}
    app.ok(Command.CREATE_WIDGET, 1, json.dumps(eventor))
    (found,) = api.call("GET", "/devices", 200)["items"]
    connected = board(api.call("GET", f"/devices/{found['id']}", 200)["token"])
    connected.write(1, 6)
    values = {one["pin"]: one for one in api.call("GET", f"/devices/{found['id']}/values", 200)}
    assert (values["V1"]["source"], values["V2"]["source"], values["V2"]["value"]) == ("device", "rule", 9)


def test_without_a_template_the_projects_datastreams_count_or_none(api: Api, app: SameApp) -> None:
    stream = {"id": 1, "pin": 1, "pinType": "VIRTUAL", "valueType": "INT", "defaultValue": "3"}
    app.ok(Command.CREATE_DASH, json.dumps(DASH | {"id": 2, "devices": [DEVICE], "dataStreams": [stream]}))
    devices = {one["dashId"]: one for one in api.call("GET", "/devices", 200)["items"]}
    assert api.value(devices[2], "V1") == 3
    api.call("PUT", f"/devices/{devices[2]['id']}/values/V1", 422, {"value": "text"})
    api.call("PUT", f"/devices/{devices[2]['id']}/values/V2", 404, {"value": 1})
    api.call("PUT", f"/devices/{devices[1]['id']}/values/V2", 204, {"value": "anything"})
