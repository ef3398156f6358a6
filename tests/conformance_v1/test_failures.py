"""Too many failed attempts (spec 08, 2). On a server of its own: the address of the tests has to wait afterwards."""

from __future__ import annotations

import contextlib

import httpx
import pytest
from infra.vpin import EmbeddedRun, clean_environment

from conformance_v1.clients import PASSWORD, Api, random_email

pytestmark = pytest.mark.integration


def test_registration_may_be_switched_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    run = EmbeddedRun(tmp_path_factory.mktemp("closed"), clean_environment(VPIN_REGISTRATIONS_PER_HOUR="0"))
    run.start()
    try:
        answer = httpx.post(f"http://{run.http}/api/v1/users", json={"email": random_email(), "password": PASSWORD})
        assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    finally:
        run.stop()


def test_ten_failures_in_a_minute_are_enough(tmp_path_factory: pytest.TempPathFactory) -> None:
    run = EmbeddedRun(tmp_path_factory.mktemp("failures"), clean_environment())
    run.start()
    try:
        base = f"http://{run.http}"
        api = Api(base)
        with contextlib.closing(api.http), httpx.Client(base_url=f"{base}/api/v1") as http:
            wrong = {"email": random_email(), "password": "wrong horse"}
            assert [http.post("/sessions", json=wrong).status_code for _ in range(10)] == [401] * 10
            for body in (wrong, {"email": api.email, "password": PASSWORD}):
                answer = http.post("/sessions", json=body)
                assert answer.status_code == 429
                assert 1 <= int(answer.headers["retry-after"]) <= 60
            api.call("GET", "/me", 200)
    finally:
        run.stop()
