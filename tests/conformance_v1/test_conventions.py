"""What all routes have in common (spec 08, 1)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from conformance_v1.clients import Api, random_email
from conformance_v1.stored import Stored

pytestmark = pytest.mark.integration

OPEN = {("POST", "/api/v1/users"), ("POST", "/api/v1/sessions"), ("GET", "/api/v1/health")}
CAMEL = re.compile(r"[a-z][A-Za-z0-9]*")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def keys_of(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for key, value in found.items():
            yield key
            if key not in ("enumLabels", "metadata", "hardwareInfo"):  # keys of users and boards
                yield from keys_of(value)
    elif isinstance(found, list):
        for item in found:
            yield from keys_of(item)


def test_every_route_but_three_needs_a_session(base: str) -> None:
    document = httpx.get(f"{base}/openapi.json").json()
    seen = 0
    for path, item in document["paths"].items():
        if not path.startswith("/api/v1/"):
            continue
        for method in item:
            if method == "parameters" or (method.upper(), path) in OPEN:
                continue
            url = re.sub(r"\{pin\}", "V1", re.sub(r"\{\w*[iI]d\}|\{code\}", "1", path))
            for headers in ({}, {"authorization": "Bearer wrong"}):
                answer = httpx.request(method.upper(), base + url, headers=headers, json={})
                assert (answer.status_code, answer.headers.get("www-authenticate")) == (401, "Bearer"), (method, path)
                assert answer.headers["content-type"] == "application/problem+json"
            seen += 1
    assert seen > 20


def test_keys_are_camel_case_and_times_are_rfc_3339_in_utc(api: Api) -> None:
    template = api.template(V1={"valueType": "DOUBLE", "unit": "°C"})
    device = api.device(template)
    api.call("PUT", f"/devices/{device['id']}/values/V1", 204, {"value": 1})
    for path in ("/me", "/templates", f"/templates/{template}", "/devices", f"/devices/{device['id']}"):
        found = api.call("GET", path, 200)
        assert all(CAMEL.fullmatch(key) for key in keys_of(found)), path
    (value,) = api.call("GET", f"/devices/{device['id']}/values", 200)
    for moment in (
        value["updatedAt"],
        device["createdAt"],
        api.call("GET", f"/templates/{template}", 200)["updatedAt"],
    ):
        assert TIME.fullmatch(moment)
    assert isinstance(device["id"], int)


def test_a_page_has_fifty_items_unless_another_number_is_asked_for(api: Api) -> None:
    made = [api.template(f"kind {n}") for n in range(51)]
    page = api.call("GET", "/templates", 200)
    assert len(page["items"]) == 50
    rest = api.call("GET", "/templates", 200, params={"cursor": page["nextCursor"]})
    assert [one["id"] for one in (*page["items"], *rest["items"])] == made
    assert rest["nextCursor"] is None
    assert len(api.call("GET", "/templates", 200, params={"limit": 500})["items"]) == 51
    api.call("GET", "/templates", 422, params={"limit": 501})


def test_an_error_says_what_is_wrong_and_where_and_nothing_of_the_inside(api: Api) -> None:
    problem = api.call("POST", "/devices", 422, {"name": 5})
    assert problem["errors"][0]["loc"] == ["body", "name"]
    assert problem["errors"][0]["msg"]
    broken = api.http.post("/devices", content=b"{", headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["status"]) == (422, 422)
    for text in (str(problem), broken.text, str(api.call("GET", "/templates/none", 404))):
        assert not re.search(r"Traceback|\.py|sqlite|asyncpg|vpin_", text)


def test_a_patch_is_a_merge_and_null_takes_away(api: Api) -> None:
    device = api.device()
    path = f"/devices/{device['id']}"
    api.call("PATCH", path, 200, {"metadata": {"a": "1", "b": "2"}})
    template = api.template()
    api.call("PATCH", path, 200, {"templateId": template})
    assert api.call("PATCH", path, 200, {"metadata": {"a": None, "c": "3"}})["metadata"] == {"b": "2", "c": "3"}
    assert api.call("PATCH", path, 200, {"templateId": None})["templateId"] is None
    assert api.call("PATCH", path, 200, {"metadata": None})["metadata"] == {}


@pytest.mark.parametrize("made", ["template", "datastream", "event", "device", "value"])
def test_deleting_twice_is_204_then_404(api: Api, made: str) -> None:
    template = api.template(V1={})
    api.call("PUT", f"/templates/{template}/events/hot", 201, {"name": "Hot"})
    device = api.device()
    api.call("PUT", f"/devices/{device['id']}/values/V1", 204, {"value": 1})
    path = {
        "template": f"/templates/{template}",
        "datastream": f"/templates/{template}/datastreams/V1",
        "event": f"/templates/{template}/events/hot",
        "device": f"/devices/{device['id']}",
        "value": f"/devices/{device['id']}/values/V1",
    }[made]
    api.call("DELETE", path, 204)
    api.call("DELETE", path, 404)


def test_putting_the_same_twice_changes_nothing(api: Api) -> None:
    template = api.template()
    stream = {"name": "Level", "valueType": "INT", "max": 100}
    first = api.call("PUT", f"/templates/{template}/datastreams/V1", 201, stream)
    assert api.call("PUT", f"/templates/{template}/datastreams/V1", 200, stream) == first
    event = {"name": "Hot", "severity": "critical"}
    made = api.call("PUT", f"/templates/{template}/events/hot", 201, event)
    assert api.call("PUT", f"/templates/{template}/events/hot", 200, event) == made


def test_a_key_makes_any_post_happen_once(api: Api, make_api: Callable[..., Api]) -> None:
    device = api.device()
    key = {"Idempotency-Key": "once"}
    first = api.call("POST", "/templates", 201, {"name": "one"}, headers=key)
    assert api.call("POST", "/templates", 201, {"name": "one"}, headers=key) == first
    assert len(api.call("GET", "/templates", 200)["items"]) == 1
    token = api.call("POST", f"/devices/{device['id']}/token", 200, headers={"Idempotency-Key": "token"})
    assert api.call("POST", f"/devices/{device['id']}/token", 200, headers={"Idempotency-Key": "token"}) == token
    other = make_api()
    assert other.call("POST", "/templates", 201, {"name": "one"}, headers=key) != first, "a key is its account's"


def test_a_key_is_kept_for_a_day(api: Api, stored: Stored) -> None:
    key, me = {"Idempotency-Key": "daily"}, api.call("GET", "/me", 200)["id"]
    first = api.call("POST", "/devices", 201, {"name": "one"}, headers=key)
    ((ends,),) = stored.rows("SELECT expires_at FROM answer WHERE account_id = $1", me)
    assert 23.9 < (ends / 1000 - time.time()) / 3600 <= 24
    stored.rows(
        "UPDATE answer SET expires_at = $1 WHERE account_id = $2 RETURNING 1", int(time.time() * 1000) + 60_000, me
    )
    assert api.call("POST", "/devices", 201, {"name": "one"}, headers=key) == first
    stored.rows("UPDATE answer SET expires_at = $1 WHERE account_id = $2 RETURNING 1", int(time.time() * 1000) - 1, me)
    assert api.call("POST", "/devices", 201, {"name": "one"}, headers=key) != first


def test_each_post_takes_a_key(base: str) -> None:
    for path, item in httpx.get(f"{base}/openapi.json").json()["paths"].items():
        if path.startswith("/api/v1/") and "post" in item:
            named = [one["name"].lower() for one in item["post"].get("parameters", ())]
            assert "idempotency-key" in named, path


def test_what_a_key_keeps_tells_nobody_a_password(base: str, stored: Stored) -> None:
    """Neither a fast hash of it, which could be guessed at: the request's digest is of no use without the key."""
    email, key = random_email(), f"key {random_email()}"
    body = {"email": email, "password": "correct horse"}
    for path in ("users", "sessions"):
        answers = [
            httpx.post(f"{base}/api/v1/{path}", json=body, headers={"Idempotency-Key": key + path}) for _ in "12"
        ]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
    kept = stored.rows("SELECT key, body FROM answer")
    token = answers[0].json()["token"]
    assert not any(key in str(name) or token.encode() in body for name, body in kept)


def test_a_patch_may_be_called_what_it_is(api: Api) -> None:
    headers = {"content-type": "application/merge-patch+json"}
    assert api.call("PATCH", "/me", 200, {"name": "Anna"}, headers=headers)["name"] == "Anna"


def test_what_does_not_exist_and_what_can_not_be_done_are_problems_too(api: Api) -> None:
    api.call("GET", "/nothing", 404)
    api.call("DELETE", "/me", 405)
    api.call("PUT", "/templates", 405)


def test_events_are_a_list_like_the_others(api: Api) -> None:
    path = f"/devices/{api.device()['id']}/events"
    assert api.call("GET", path, 200) == {"items": [], "nextCursor": None}
    for wrong in ({"limit": 501}, {"limit": 0}, {"cursor": "no cursor"}):
        api.call("GET", path, 422, params=wrong)


def test_another_accounts_objects_are_as_if_they_were_not_there(api: Api, make_api: Callable[..., Api]) -> None:
    template, other = api.template(V1={}), make_api()
    api.call("PUT", f"/templates/{template}/events/hot", 201, {"name": "Hot"})
    for method, rest, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("GET", "/datastreams", None),
        ("PUT", "/datastreams/V1", {}),
        ("DELETE", "/datastreams/V1", None),
        ("PUT", "/events/hot", {"name": "x"}),
        ("DELETE", "/events/hot", None),
    ):
        theirs = other.call(method, f"/templates/{template}{rest}", 404, body)
        nobodys = other.call(method, f"/templates/TMPLnobodys1{rest}", 404, body)
        assert theirs == nobodys
    shown = api.call("GET", f"/templates/{template}", 200)
    assert (len(shown["datastreams"]), len(shown["events"])) == (1, 1)


def test_a_request_has_an_id(api: Api) -> None:
    assert api.http.get("/me", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    ours = [api.http.get("/me").headers["x-request-id"] for _ in range(2)]
    assert ours[0] != ours[1]
    assert api.http.get("/me", headers={"x-request-id": "not sane"}).headers["x-request-id"] != "not sane"


def test_what_has_not_changed_need_not_be_sent(api: Api) -> None:
    device = api.device()
    for path in ("/devices", f"/devices/{device['id']}", "/templates", "/me"):
        first = api.http.get(path)
        again = api.http.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path
    tag = api.http.get("/devices").headers["etag"]
    api.device()
    assert api.http.get("/devices", headers={"if-none-match": tag}).status_code == 200


def test_a_large_answer_is_compressed_for_those_who_can_take_it(api: Api) -> None:
    for n in range(5):
        api.device(name=f"board {n}")
    assert api.http.get("/devices").headers["content-encoding"] == "gzip"
    plain = api.http.get("/devices", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers


def test_pages_of_other_origins_are_not_served_unless_it_is_set(api: Api) -> None:
    answer = api.http.get("/me", headers={"origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in answer.headers
