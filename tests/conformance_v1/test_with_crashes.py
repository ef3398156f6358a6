"""What was answered is durable (spec 08, 1). The last file: other tests have streams that a crash would end."""

from __future__ import annotations

import httpx
import pytest
from infra.vpin import EmbeddedRun

from conformance_v1.clients import PASSWORD, Api

pytestmark = pytest.mark.integration


def test_each_kind_of_write_survives_a_crash(api: Api, server: EmbeddedRun, base: str) -> None:
    """All of them in one crash, each answered just before."""
    template = api.template(V1={"valueType": "INT"}, V2={}, V3={})
    path = f"/templates/{template}"
    gone, made, named = (api.device(template) for _ in range(3))
    api.call("PUT", f"{path}/events/hot", 201, {"name": "Hot", "severity": "critical"})
    token = {"token": made["token"], "code": "hot"}
    assert httpx.get(f"{base}/external/api/logEvent", params=token).status_code == 200
    (event,) = api.call("GET", f"/devices/{made['id']}/events", 200)["items"]
    api.call("POST", f"/devices/{made['id']}/events/{event['id']}/resolve", 204)
    api.call("PATCH", path, 200, {"description": "of the attic"})
    api.call("DELETE", f"{path}/datastreams/V3", 204)
    api.call("PUT", f"/devices/{made['id']}/values", 204, {"V1": 5, "V2": "x"})
    api.call("DELETE", f"/devices/{made['id']}/values/V2", 204)
    token = api.call("POST", f"/devices/{made['id']}/token", 200)["token"]
    api.call("DELETE", f"/devices/{gone['id']}", 204)
    api.call("PATCH", f"/devices/{named['id']}", 200, {"name": "named", "metadata": {"room": "attic"}})
    other = Api(base, api.email)
    other.call("DELETE", "/sessions/current", 204)
    server.kill()
    server.start()
    other.call("GET", "/me", 401)
    other.http.close()
    shown = api.call("GET", path, 200)
    assert ([one["pin"] for one in shown["datastreams"]], shown["description"]) == ([1, 2], "of the attic")
    assert [one["code"] for one in shown["events"]] == ["hot"]
    assert [one["id"] for one in api.call("GET", "/devices", 200)["items"]] == [made["id"], named["id"]]
    assert api.call("GET", f"/devices/{made['id']}", 200)["token"] == token
    assert [one["pin"] for one in api.call("GET", f"/devices/{made['id']}/values", 200)] == ["V1"]
    (event,) = api.call("GET", f"/devices/{made['id']}/events", 200)["items"]
    assert event["resolvedAt"] is not None
    shown = api.call("GET", f"/devices/{named['id']}", 200)
    assert (shown["name"], shown["metadata"]) == ("named", {"room": "attic"})


def test_a_new_password_outlives_a_restart_after_changes_of_the_account(api: Api, server: EmbeddedRun) -> None:
    api.call("PUT", "/me/password", 204, {"current": PASSWORD, "new": "new password"})
    api.call("PATCH", "/me", 200, {"name": "Anna"})
    server.kill()
    server.start()
    assert api.call("GET", "/me", 200)["name"] == "Anna"
    api.call("POST", "/sessions", 201, {"email": api.email, "password": "new password"})


def test_numbers_go_on_over_a_restart(api: Api, server: EmbeddedRun) -> None:
    path = f"/devices/{api.device()['id']}/values/V1"
    for n in range(3):
        api.call("PUT", path, 204, {"value": n})
    before = api.call("GET", path, 200)
    server.kill()
    server.start()
    assert api.call("GET", path, 200) == before
    api.call("PUT", path, 204, {"value": "new"})
    after = api.call("GET", path, 200)
    assert after["seq"] == before["seq"] + 1
