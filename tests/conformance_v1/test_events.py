"""Events (spec 08, 3 and 4)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from conformance_v1.clients import Api, Board
from conformance_v1.reading import Stream
from conformance_v1.sinks import Sinks

pytestmark = pytest.mark.integration

Connect = Callable[[str], Board]


@pytest.fixture
def device(api: Api) -> dict[str, Any]:
    return api.device(api.template())


def define(api: Api, device: dict[str, Any], code: str, **fields: object) -> dict[str, Any]:
    path = f"/templates/{device['templateId']}/events/{code}"
    return api.call("PUT", path, 201, {"name": code.title(), **fields})


def log(base: str, device: dict[str, Any], code: str, description: str = "") -> None:
    query = {"token": device["token"], "code": code, "description": description}
    assert httpx.get(f"{base}/external/api/logEvent", params=query).status_code == 200


def events(api: Api, device: dict[str, Any], **query: str) -> list[dict[str, Any]]:
    return api.call("GET", f"/devices/{device['id']}/events", 200, params=query)["items"]


def test_a_definition_has_its_defaults_and_is_in_its_template(api: Api, device: dict[str, Any]) -> None:
    made = define(api, device, "hot", notify={"email": ["owner", "a@b.cd"], "apprise": ["ntfy://topic"]})
    assert made == {
        "code": "hot",
        "name": "Hot",
        "severity": "info",
        "description": "",
        "notify": {"email": ["owner", "a@b.cd"], "push": [], "sms": [], "apprise": ["ntfy://topic"]},
        "limit": {"count": 1, "per": "minute"},
        "ignoreSeconds": 0,
    }
    assert api.call("GET", f"/templates/{device['templateId']}", 200)["events"] == [made]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"severity": "urgent"},
        {"limit": {"count": 0, "per": "hour"}},
        {"limit": {"count": 1, "per": "week"}},
        {"ignoreSeconds": -1},
    ],
)
def test_a_definition_that_breaks_the_rules_is_refused(api: Api, device: dict[str, Any], wrong: dict[str, Any]) -> None:
    path = f"/templates/{device['templateId']}/events/hot"
    problem = api.call("PUT", path, 422, {"name": "Hot"} | wrong)
    assert problem["errors"][0]["loc"][:2] == ["body", next(iter(wrong))]


def test_coming_and_going_are_events_of_their_own(api: Api, device: dict[str, Any], board: Connect) -> None:
    with Stream(api) as stream:
        stream.next("hello")
        board(device["token"]).socket.close()
        assert [stream.next("event").data["code"] for _ in range(2)] == ["online", "offline"]
    offline, online = events(api, device)
    assert (online["code"], offline["code"]) == ("online", "offline")
    assert online.keys() == {"id", "code", "severity", "description", "at", "resolvedAt"}


def test_a_template_says_more_of_them(api: Api, device: dict[str, Any], board: Connect) -> None:
    define(api, device, "offline", severity="critical", description="look after it")
    with Stream(api) as stream:
        stream.next("hello")
        board(device["token"]).socket.close()
        while stream.next("event").data["code"] != "offline":
            pass
    assert (events(api, device)[0]["severity"], events(api, device)[0]["description"]) == ("critical", "look after it")


def test_a_return_in_time_leaves_no_trace(api: Api, device: dict[str, Any], board: Connect) -> None:
    define(api, device, "offline", ignoreSeconds=60)
    with Stream(api) as stream:
        stream.next("hello")
        connected = board(device["token"])
        assert stream.next("status").data["status"] == "online"
        connected.socket.close()
        assert stream.next("status").data["status"] == "offline"
        board(device["token"])
        assert stream.next("status").data["status"] == "online"
    assert [one["code"] for one in events(api, device)] == ["online"]


def test_a_device_that_stays_away_is_offline(api: Api, device: dict[str, Any], board: Connect) -> None:
    define(api, device, "offline", ignoreSeconds=1)
    with Stream(api) as stream:
        stream.next("hello")
        board(device["token"]).socket.close()
        assert [stream.next("event").data["code"] for _ in range(2)] == ["online", "offline"]


def test_they_are_listed_by_time_and_severity(api: Api, device: dict[str, Any], base: str) -> None:
    for code, severity in (("one", "info"), ("two", "warning"), ("three", "critical")):
        define(api, device, code, severity=severity)
        log(base, device, code)
    third, second, first = events(api, device)
    assert [one["code"] for one in (first, second, third)] == ["one", "two", "three"]
    assert events(api, device, severity="warning") == [second]
    assert events(api, device, **{"from": third["at"]})[0]["code"] == "three"
    assert events(api, device, to=first["at"]) == []
    for wrong in ({"severity": "urgent"}, {"from": "yesterday"}):
        api.call("GET", f"/devices/{device['id']}/events", 422, params=wrong)


def test_an_event_is_resolved_once(api: Api, device: dict[str, Any], base: str, make_api: Callable[..., Api]) -> None:
    define(api, device, "hot", severity="critical")
    log(base, device, "hot", "31 °C")
    (event,) = events(api, device)
    assert (event["description"], event["resolvedAt"]) == ("31 °C", None)
    path = f"/devices/{device['id']}/events/{event['id']}/resolve"
    make_api().call("POST", path, 404)
    api.call("POST", path, 204)
    resolved = events(api, device)[0]["resolvedAt"]
    assert resolved is not None
    api.call("POST", path, 204)
    assert events(api, device)[0]["resolvedAt"] == resolved


def test_what_was_logged_outlives_its_definition(api: Api, device: dict[str, Any], base: str) -> None:
    define(api, device, "hot")
    log(base, device, "hot")
    api.call("DELETE", f"/templates/{device['templateId']}/events/hot", 204)
    assert [one["code"] for one in events(api, device)] == ["hot"]


def test_a_board_hears_of_its_metadata(api: Api, device: dict[str, Any], board: Connect, base: str) -> None:
    path = f"/devices/{device['id']}"
    api.call("PATCH", path, 200, {"metadata": {"room": "attic"}})
    connected = board(device["token"])
    api.call("PATCH", path, 200, {"metadata": {"room": "cellar"}})
    query = {"token": device["token"], "metaFieldName": "room", "value": "garden"}
    assert httpx.get(f"{base}/external/api/device/meta/update", params=query).status_code == 200
    assert connected.told() == [["meta", "room", "cellar"], ["meta", "room", "garden"]]
    assert api.call("GET", path, 200)["metadata"] == {"room": "garden"}


# -- who is told


SECOND = 1.05
"""An event of a code is taken once a second (spec 04, 2.4)."""


def test_those_whom_the_definition_names_are_told(api: Api, device: dict[str, Any], base: str, sinks: Sinks) -> None:
    receivers = {
        "email": ["owner", "a@b.cd"],
        "sms": ["+4917"],
        "apprise": [f"json://{sinks.http}/apprise-{api.email}"],
    }
    define(api, device, "hot", description="mind it", notify=receivers)
    log(base, device, "hot", "31 °C")
    for to in (api.email, "a@b.cd"):
        (mail,) = [one for one in sinks.mails(to, last="31 °C") if one.text == "31 °C"]
        assert mail.subject == "board: Hot"
    (sms,) = sinks.calls("/sms")
    assert (sms.query["to"], sms.query["text"]) == (["+4917"], ["board: Hot 31 °C"])
    (call,) = sinks.calls(f"/apprise-{api.email}")
    told = json.loads(call.body)
    assert (told["title"], told["message"]) == ("board: Hot", "31 °C")


def test_without_a_description_of_its_own_an_event_has_the_definitions(
    api: Api, device: dict[str, Any], base: str, sinks: Sinks
) -> None:
    define(api, device, "hot", description="mind it", notify={"email": ["owner"]})
    log(base, device, "hot")
    assert len(sinks.mails(api.email, last="mind it")) == 1


def test_in_a_period_only_so_many_are_told_and_all_are_logged(
    api: Api, device: dict[str, Any], base: str, sinks: Sinks
) -> None:
    """Two events side by side, one with the limit that is the default."""
    owner = {"notify": {"email": ["owner"]}}
    define(api, device, "hot", **owner, limit={"count": 2, "per": "day"})
    define(api, device, "wet", **owner)
    other = api.device(device["templateId"])
    for n in range(3):
        log(base, device, "hot", f"hot {n}")
        log(base, device, "wet", f"wet {n}")
        time.sleep(SECOND)
    log(base, other, "wet", "of another device")
    told = {mail.text for mail in sinks.mails(api.email, last="of another device")}
    assert told == {"hot 0", "hot 1", "wet 0", "of another device"}
    assert len(events(api, device)) == 6


def test_a_limit_is_changed_with_the_definition(api: Api, device: dict[str, Any], base: str, sinks: Sinks) -> None:
    define(api, device, "hot", notify={"email": ["owner"]})
    log(base, device, "hot", "first")
    path = f"/templates/{device['templateId']}/events/hot"
    api.call("PUT", path, 200, {"name": "Hot", "notify": {"email": ["owner"]}, "limit": {"count": 5, "per": "hour"}})
    time.sleep(SECOND)
    log(base, device, "hot", "second")
    assert [mail.text for mail in sinks.mails(api.email, last="second")] == ["first", "second"]


def test_who_is_to_hear_of_an_absence_does(api: Api, device: dict[str, Any], board: Connect, sinks: Sinks) -> None:
    define(api, device, "offline", description="away", notify={"email": ["owner"]})
    board(device["token"]).socket.close()
    (mail,) = sinks.mails(api.email, last="away")
    assert mail.subject == "board: Offline"


def test_absences_are_no_longer_ignored_than_it_says_which_is_not_at_all_by_default(
    api: Api, device: dict[str, Any]
) -> None:
    assert define(api, device, "offline")["ignoreSeconds"] == 0
