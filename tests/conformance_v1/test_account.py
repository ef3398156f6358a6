"""Sessions and users (spec 08, 1 and 2)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from vpin_store.passwords import app_hash, verify_password

from conformance_v1.clients import PASSWORD, Api, random_email
from conformance_v1.stored import Stored, sha256, token_of

pytestmark = pytest.mark.integration

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_new_user_may_log_in(api: Api) -> None:
    me = api.call("GET", "/me", 200)
    assert me.keys() == {"id", "email", "name", "tz", "role", "createdAt"}
    assert (me["email"], me["role"]) == (api.email, "user")
    assert TIME.fullmatch(me["createdAt"])


def test_a_session_is_valid_for_thirty_days(base: str, api: Api) -> None:
    answer = httpx.post(f"{base}/api/v1/sessions", json={"email": api.email, "password": PASSWORD}).json()
    assert answer.keys() == {"token", "expiresAt", "user"}
    left = datetime.fromisoformat(answer["expiresAt"]) - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)
    assert len(answer["token"]) * 6 >= 256, "random bits, six a character"
    assert answer["user"] == api.call("GET", "/me", 200)


def test_a_session_slides_while_it_is_used_and_then_ends(api: Api, stored: Stored) -> None:
    day = 24 * 3600 * 1000

    def left(days: float | None = None) -> float:
        if days is not None:
            ends = int(time.time() * 1000 + days * day)
            stored.rows("UPDATE token SET expires_at = $1 WHERE token = $2 RETURNING 1", ends, sha256(token_of(api)))
        ((ends,),) = stored.rows("SELECT expires_at FROM token WHERE token = $1", sha256(token_of(api)))
        return (ends - time.time() * 1000) / day

    assert 29.9 < left() <= 30
    assert left(days=10) < 10.1
    api.call("GET", "/me", 200)
    assert 29.9 < left() <= 30
    left(days=-0.001)
    api.call("GET", "/me", 401)


def test_a_session_token_is_stored_hashed(api: Api, stored: Stored) -> None:
    tokens = [token for (token,) in stored.rows("SELECT token FROM token WHERE kind = 'session'")]
    assert sha256(token_of(api)) in tokens
    assert token_of(api) not in tokens


def test_the_server_keeps_argon2id_of_what_the_app_sends(api: Api, stored: Stored) -> None:
    ((kept,),) = stored.rows("SELECT password_hash FROM account WHERE email = $1", api.email)
    assert kept.startswith("$argon2id$")
    assert verify_password(kept, app_hash(api.email, PASSWORD))
    assert not verify_password(kept, PASSWORD)


def test_an_address_is_taken_only_once_whatever_its_case(api: Api) -> None:
    api.call("POST", "/users", 409, {"email": api.email.upper(), "password": PASSWORD})


@pytest.mark.parametrize("body", [{"email": "no address"}, {"password": "1234567"}, {"email": ""}])
def test_a_bad_address_or_a_short_password_is_refused(api: Api, body: dict[str, str]) -> None:
    problem = api.call("POST", "/users", 422, {"email": random_email(), "password": PASSWORD} | body)
    assert problem["errors"][0]["loc"] == ["body", next(iter(body))]


def test_an_unknown_user_and_a_wrong_password_are_refused_alike(api: Api) -> None:
    wrong = api.call("POST", "/sessions", 401, {"email": api.email, "password": "wrong horse"})
    unknown = api.call("POST", "/sessions", 401, {"email": random_email(), "password": PASSWORD})
    assert wrong == unknown


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic YTpi"}])
@pytest.mark.parametrize("path", ["/me", "/templates", "/devices", "/devices/1/values"])
def test_without_a_session_nothing_is_told(base: str, path: str, header: dict[str, str]) -> None:
    answer = httpx.get(f"{base}/api/v1{path}", headers=header)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


def test_after_logging_out_the_token_is_worthless(api: Api, make_api: Callable[..., Api]) -> None:
    other = make_api(api.email)
    api.call("DELETE", "/sessions/current", 204)
    api.call("GET", "/me", 401)
    other.call("GET", "/me", 200)


def test_name_and_zone_may_change(api: Api) -> None:
    api.call("PATCH", "/me", 200, {"name": "Anna", "tz": "Asia/Tokyo"})
    assert api.call("PATCH", "/me", 200, {})["tz"] == "Asia/Tokyo"
    assert api.call("PATCH", "/me", 200, {"tz": "Europe/Berlin"})["name"] == "Anna"
    api.call("PATCH", "/me", 422, {"tz": "Mars/Olympus"})
    api.call("PATCH", "/me", 422, {"name": None})
    me = api.call("GET", "/me", 200)
    api.http.patch("/me", json={"role": "admin", "email": "other@example.com", "id": 1})
    assert api.call("GET", "/me", 200) == me, "nothing else may"
    assert api.call("GET", "/me", 200)["tz"] == "Europe/Berlin"


def test_a_new_password_ends_all_other_sessions(api: Api, make_api: Callable[..., Api]) -> None:
    other = make_api(api.email)
    api.call("PUT", "/me/password", 422, {"current": "wrong horse", "new": "new password"})
    api.call("PUT", "/me/password", 422, {"current": PASSWORD, "new": "short"})
    api.call("PUT", "/me/password", 204, {"current": PASSWORD, "new": "new password"})
    api.call("GET", "/me", 200)
    other.call("GET", "/me", 401)
    api.call("POST", "/sessions", 401, {"email": api.email, "password": PASSWORD})
    api.call("POST", "/sessions", 201, {"email": api.email, "password": "new password"})


def test_health_needs_no_session(base: str) -> None:
    health = httpx.get(f"{base}/api/v1/health").json()
    assert health.keys() == {"status", "version"}, "details are elsewhere"
    assert health["status"] == "ok"
    assert re.match(r"\d+\.\d+", health["version"])


def test_too_large_a_body_is_refused(api: Api) -> None:
    api.call("POST", "/templates", 413, {"name": "x" * 600_000})


def test_the_same_key_gives_the_first_answer_again(api: Api) -> None:
    key = {"Idempotency-Key": "first"}
    first = api.call("POST", "/devices", 201, {"name": "one"}, headers=key)
    assert api.call("POST", "/devices", 201, {"name": "one"}, headers=key) == first
    api.call("POST", "/devices", 422, {"name": "two"}, headers=key)
    assert len(api.call("GET", "/devices", 200)["items"]) == 1
