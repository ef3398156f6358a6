"""Too many failed attempts (spec 08, 2). On a server of its own: the address of the tests has to wait afterwards."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator

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


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    run = EmbeddedRun(tmp_path_factory.mktemp("failures"), clean_environment())
    run.start()
    try:
        yield f"http://{run.http}"
    finally:
        run.stop()


def from_address(base: str, last: int) -> httpx.Client:
    """A client that comes from 127.0.0.`last`."""
    transport = httpx.HTTPTransport(local_address=f"127.0.0.{last}")
    return httpx.Client(base_url=f"{base}/api/v1", transport=transport, timeout=10)


def fail(http: httpx.Client, email: str) -> tuple[float, str]:
    """Seconds until the refusal, and its text."""
    began = time.perf_counter()
    answer = http.post("/sessions", json={"email": email, "password": "wrong horse"})
    seconds = time.perf_counter() - began
    assert answer.status_code == 401
    return seconds, answer.text


def test_ten_failures_in_a_minute_are_enough_for_an_address_and_tell_nothing(base: str) -> None:
    """Unknown user and wrong password in turns: same text, about the same time. Then the address has to wait."""
    with contextlib.closing(Api(base).http) as registered, from_address(base, 2) as http:
        email = registered.get("/me").json()["email"]
        known, unknown = zip(*((fail(http, email), fail(http, random_email())) for _ in range(5)), strict=True)
        assert len({text for _, text in (*known, *unknown)}) == 1
        times = [statistics.median(seconds for seconds, _ in tries) for tries in (known, unknown)]
        assert max(times) < 2 * min(times), times
        for body in ({"email": random_email(), "password": "wrong horse"}, {"email": email, "password": PASSWORD}):
            answer = http.post("/sessions", json=body)
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert registered.get("/me").status_code == 200, "who is logged in stays so"
        with from_address(base, 3) as elsewhere:
            assert elsewhere.post("/sessions", json={"email": email, "password": PASSWORD}).status_code == 201


def test_ten_failures_of_an_account_are_enough_wherever_they_come_from(base: str) -> None:
    with contextlib.closing(Api(base).http) as registered:
        email = registered.get("/me").json()["email"]
        for last in (10, 11):
            with from_address(base, last) as http:
                for _ in range(5):
                    fail(http, email)
        with from_address(base, 12) as http:
            answer = http.post("/sessions", json={"email": email.upper(), "password": PASSWORD})
            assert (answer.status_code, answer.headers["content-type"]) == (429, "application/problem+json")
            fail(http, random_email())
