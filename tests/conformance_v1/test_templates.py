"""Templates, datastreams, events (spec 08, 3; 07, 2, 3 and 8)."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from vpin_protocol import Command

from conformance_v1.clients import Api, Board

pytestmark = pytest.mark.integration

Connect = Callable[[str], Board]


def test_a_template_is_made_read_changed_and_deleted(api: Api) -> None:
    made = api.call("POST", "/templates", 201, {"name": "Lamp", "boardType": "ESP32"})
    assert made["id"].startswith("TMPL")
    assert len(made["id"]) == 12
    assert (made["datastreams"], made["events"]) == ([], [])
    path = f"/templates/{made['id']}"
    assert api.call("GET", path, 200) == made
    changed = api.call("PATCH", path, 200, {"description": "of the attic"})
    assert (changed["name"], changed["description"], changed["boardType"]) == ("Lamp", "of the attic", "ESP32")
    assert api.call("GET", "/templates", 200) == {"items": [changed], "nextCursor": None}
    api.call("DELETE", path, 204)
    api.call("DELETE", path, 404)
    api.call("GET", path, 404)


def test_one_template_is_made_of_another(api: Api) -> None:
    stream = {"pinType": "VIRTUAL", "pin": 1, "name": "Level", "valueType": "DOUBLE", "min": 0}
    event = {"code": "low", "name": "Low", "severity": "warning"}
    made = api.call("POST", "/templates", 201, {"name": "Tank", "datastreams": [stream], "events": [event]})
    assert [(s["id"], s["alias"], s["min"], s["history"]) for s in made["datastreams"]] == [(1, "level", 0, "rollups")]
    assert [(e["code"], e["severity"]) for e in made["events"]] == [("low", "warning")]
    copy = api.call("POST", "/templates", 201, api.call("GET", f"/templates/{made['id']}", 200) | {"name": "Copy"})
    assert copy["id"] != made["id"]
    assert (copy["datastreams"], copy["events"]) == (made["datastreams"], made["events"])
    changed = api.call("PATCH", f"/templates/{copy['id']}", 200, {"datastreams": [], "description": "bare"})
    assert (changed["datastreams"], changed["events"], changed["name"]) == ([], made["events"], "Copy")
    for bad in ({"valueType": "ENUM"}, {"pin": 256}, {"pinType": "REAL"}):
        api.call("POST", "/templates", 422, {"name": "Bad", "datastreams": [stream | bad]})
    api.call("POST", "/templates", 422, {"name": "Bad", "datastreams": [stream, stream]})
    api.call("POST", "/templates", 422, {"name": "Bad", "events": [event | {"code": "no word"}]})


def test_another_account_does_not_see_it(api: Api, make_api: Callable[..., Api]) -> None:
    template, other = api.template(V1={}), make_api()
    other.call("GET", f"/templates/{template}", 404)
    other.call("PUT", f"/templates/{template}/datastreams/V2", 404, {})
    other.call("POST", "/devices", 422, {"name": "x", "templateId": template})


def test_a_template_with_devices_is_deleted_only_by_force(api: Api) -> None:
    template = api.template(V1={"defaultValue": "5"})
    made = api.device(template)
    api.call("PUT", f"/devices/{made['id']}/values/V1", 204, {"value": "kept"})
    api.call("DELETE", f"/templates/{template}", 409)
    api.call("DELETE", f"/templates/{template}", 204, params={"force": "true"})
    assert api.call("GET", f"/devices/{made['id']}", 200)["templateId"] is None
    assert api.value(made, "V1") == "kept"


def test_a_datastream_has_its_defaults(api: Api) -> None:
    template = api.call("POST", "/templates", 201, {"name": "Kind"})["id"]
    path = f"/templates/{template}/datastreams"
    made = api.call("PUT", f"{path}/V1", 201, {})
    assert (made["id"], made["pinType"], made["pin"]) == (1, "VIRTUAL", 1)
    assert (made["name"], made["alias"], made["valueType"], made["history"]) == ("V1", "v1", "STRING", "none")
    assert (made["unit"], made["decimals"], made["color"], made["syncWithLatest"]) == ("", None, None, False)
    made = api.call("PUT", f"{path}/D5", 201, {"name": "Room Temperature", "valueType": "DOUBLE", "id": 77, "pin": 9})
    assert (made["id"], made["pinType"], made["pin"]) == (2, "DIGITAL", 5)
    assert (made["alias"], made["history"]) == ("room_temperature", "rollups")
    assert [stream["id"] for stream in api.call("GET", path, 200)] == [1, 2]


def test_labels_and_color_are_kept(api: Api) -> None:
    labels = {"0": "Off", "1": "On"}
    stream = {"valueType": "ENUM", "enumValues": [0, 1], "enumLabels": labels, "color": "#D3435C", "unit": "°C"}
    template = api.template(V1=stream)
    (shown,) = api.call("GET", f"/templates/{template}/datastreams", 200)
    assert (shown["enumLabels"], shown["color"], shown["unit"]) == (labels, "#D3435C", "°C")
    api.call("PUT", f"/templates/{template}/datastreams/V1", 422, stream | {"color": "#D3435"})


def test_putting_again_replaces_and_is_idempotent(api: Api) -> None:
    template = api.template(V1={"name": "one", "unit": "°C"}, V2={})
    path = f"/templates/{template}/datastreams/V1"
    changed = api.call("PUT", path, 200, {"name": "two"})
    assert (changed["id"], changed["unit"]) == (1, "")
    assert api.call("PUT", path, 200, {"name": "two"}) == changed
    api.call("DELETE", path, 204)
    api.call("DELETE", path, 404)


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "x" * 51},
        {"name": "taken"},
        {"alias": "taken"},
        {"valueType": "FLOAT"},
        {"min": 0},
        {"valueType": "INT", "min": 5, "max": 1},
        {"valueType": "ENUM"},
        {"decimals": 11},
        {"color": "red"},
        {"history": "always"},
    ],
)
def test_a_datastream_that_breaks_the_rules_is_refused(api: Api, body: dict[str, object]) -> None:
    template = api.template(V9={"name": "taken"})
    problem = api.call("PUT", f"/templates/{template}/datastreams/V1", 422, body)
    assert problem["errors"]
    assert len(api.call("GET", f"/templates/{template}", 200)["datastreams"]) == 1


@pytest.mark.parametrize(
    ("stream", "given", "read"),
    [
        ({"valueType": "INT", "min": 0, "max": 10}, 11, 10),
        ({"valueType": "INT"}, "12", 12),
        ({"valueType": "INT"}, 1.5, None),
        ({"valueType": "DOUBLE", "decimals": 1}, 21.55, 21.6),
        ({"valueType": "DOUBLE"}, "x", None),
        ({"valueType": "STRING"}, 12, "12"),
        ({"valueType": "LOCATION"}, [13.4, 52.5], [13.4, 52.5]),
        ({"valueType": "LOCATION"}, 13.4, None),
        ({"valueType": "ENUM", "enumValues": [1, 2], "enumFallback": 2}, 3, 2),
        ({"valueType": "ENUM", "enumValues": [1, 2]}, 3, None),
        ({"valueType": "RAW"}, ["a", 1], ["a", 1]),
    ],
)
def test_values_are_those_of_the_type(api: Api, stream: dict[str, object], given: object, read: object) -> None:
    made = api.device(api.template(V1=stream))
    path = f"/devices/{made['id']}/values/V1"
    if read is None:
        api.call("PUT", path, 422, {"value": given})
    else:
        api.call("PUT", path, 204, {"value": given})
    assert api.value(made, "V1") == read


def test_names_and_aliases_are_unique_in_a_template(api: Api) -> None:
    template = api.template(V1={"name": "Room Temperature"})
    path = f"/templates/{template}/datastreams"
    assert api.call("GET", path, 200)[0]["alias"] == "room_temperature"
    for body, key in (({"name": "Room Temperature"}, "name"), ({"name": "x", "alias": "room_temperature"}, "alias")):
        problem = api.call("PUT", f"{path}/V2", 422, body)
        assert problem["errors"][0]["loc"] == ["body", key]
    assert api.call("PUT", f"{path}/D0", 201, {})["name"] == "D0"


def test_a_double_is_rounded_in_answers_and_stored_as_written(api: Api, board: Connect, base: str) -> None:
    made = api.device(api.template(V1={"valueType": "DOUBLE", "decimals": 1}))
    board(made["token"]).write(1, "21.5678")
    assert api.value(made, "V1") == 21.6
    assert httpx.get(f"{base}/{made['token']}/get/V1").json() == ["21.5678"]


def test_stored_values_that_no_longer_fit_stay_readable_as_text_and_are_not_synced(api: Api, board: Connect) -> None:
    template = api.template(V1={"syncWithLatest": True})
    made = api.device(template)
    connected = board(made["token"])
    connected.write(1, "not a number")
    api.call("PUT", f"/templates/{template}/datastreams/V1", 200, {"valueType": "INT", "syncWithLatest": True})
    assert api.value(made, "V1") == "not a number"
    connected.send(Command.HARDWARE_SYNC)
    assert connected.fence() == []


def test_detached_devices_keep_their_values(api: Api) -> None:
    template = api.template(V1={})
    made = api.device(template)
    api.call("PUT", f"/devices/{made['id']}/values/V1", 204, {"value": "kept"})
    api.call("DELETE", f"/templates/{template}", 409)
    api.call("DELETE", f"/templates/{template}", 204, params={"force": "true"})
    assert api.call("GET", f"/devices/{made['id']}", 200)["templateId"] is None
    assert api.value(made, "V1") == "kept"


def test_only_listed_pins_exist(api: Api, board: Connect) -> None:
    made = api.device(api.template(V1={}))
    connected = board(made["token"])
    connected.write(1, "listed")
    connected.write(2, "not listed")
    assert [one["pin"] for one in api.call("GET", f"/devices/{made['id']}/values", 200)] == ["V1"]
    api.call("GET", f"/devices/{made['id']}/values/V2", 404)
    api.call("PUT", f"/devices/{made['id']}/values/V2", 404, {"value": 1})


def test_a_default_is_told_as_such(api: Api) -> None:
    made = api.device(api.template(V1={"name": "Level", "valueType": "INT", "defaultValue": 7}))
    (value,) = api.call("GET", f"/devices/{made['id']}/values", 200)
    assert (value["name"], value["value"], value["source"], value["updatedAt"]) == ("Level", 7, "default", None)


def test_a_change_holds_for_all_devices_at_once(api: Api, board: Connect) -> None:
    template = api.template(V1={})
    boards = [board(api.device(template)["token"]) for _ in range(2)]
    for one in boards:
        one.write(1, "text")
        one.send(Command.HARDWARE_SYNC)
        assert one.fence() == []
    api.call("PUT", f"/templates/{template}/datastreams/V1", 200, {"syncWithLatest": True})
    for one in boards:
        one.send(Command.HARDWARE_SYNC)
        assert one.fence() == [["vw", "1", "text"]]


def test_a_board_attaches_itself_by_its_info(api: Api, board: Connect, make_api: Callable[..., Api]) -> None:
    template = api.template(V1={"syncWithLatest": True, "defaultValue": "on"})
    foreign = make_api().template(V1={"syncWithLatest": True, "defaultValue": "theirs"})
    made = api.device()
    connected = board(made["token"])
    connected.send(Command.INTERNAL, "ver", "1.3.2", "tmpl", foreign)
    assert connected.fence() == []
    assert api.call("GET", f"/devices/{made['id']}", 200)["templateId"] is None
    connected.send(Command.INTERNAL, "ver", "1.3.2", "tmpl", template)
    assert connected.fence() == [["vw", "1", "on"]]
    assert api.call("GET", f"/devices/{made['id']}", 200)["templateId"] == template
    other = api.template(V1={"syncWithLatest": True, "defaultValue": "other"})
    connected.send(Command.INTERNAL, "ver", "1.3.2", "tmpl", other)
    assert connected.fence() == []
    assert api.call("GET", f"/devices/{made['id']}", 200)["templateId"] == template


def test_events_are_logged_listed_and_resolved(api: Api, base: str) -> None:
    template = api.template()
    event = {"name": "Too hot", "severity": "critical", "description": "mind it"}
    made = api.call("PUT", f"/templates/{template}/events/too_hot", 201, event)
    assert made["code"] == "too_hot"
    assert made["limit"] == {"count": 1, "per": "minute"}
    api.call("PUT", f"/templates/{template}/events/too_hot", 200, event)
    api.call("PUT", f"/templates/{template}/events/much_too_hot", 201, event)
    device = api.device(template)
    with httpx.Client(base_url=f"{base}/external/api") as http:
        for rest in ("too_hot", "much_too_hot&description=31%20C"):
            answer = http.get(f"/logEvent?token={device['token']}&code={rest}")
            assert (answer.status_code, answer.content) == (200, b"")
        too_soon = http.get(f"/logEvent?token={device['token']}&code=too_hot")
        assert (too_soon.status_code, too_soon.headers["retry-after"]) == (429, "1")
        assert http.get(f"/logEvent?token={device['token']}&code=none").status_code == 400
    events = f"/devices/{device['id']}/events"
    second, first = api.call("GET", events, 200)["items"]
    assert (first["description"], second["description"]) == ("mind it", "31 C")
    assert (first["code"], first["severity"], first["resolvedAt"]) == ("too_hot", "critical", None)
    assert api.call("GET", events, 200, params={"severity": "info"})["items"] == []
    assert len(api.call("GET", events, 200, params={"from": second["at"]})["items"]) >= 1
    page = api.call("GET", events, 200, params={"limit": 1})
    assert api.call("GET", events, 200, params={"cursor": page["nextCursor"]})["items"] == [first]
    api.call("POST", f"{events}/{first['id']}/resolve", 204)
    assert api.call("GET", events, 200)["items"][1]["resolvedAt"] is not None
    api.call("POST", f"{events}/1/resolve", 404)
    api.call("DELETE", f"/templates/{template}/events/too_hot", 204)
    api.call("DELETE", f"/templates/{template}/events/too_hot", 404)
