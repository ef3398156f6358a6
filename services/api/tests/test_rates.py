"""Limits of how often one may ask, and what they answer (spec 04, 1.11 and 2.4)."""

from __future__ import annotations

import pytest
from tiny_owner import TOKEN, world
from vpin_api.rates import Daily, Rate, address_key

IOT = "/external/api"


def test_a_rate_lets_a_burst_through_then_so_many_a_second() -> None:
    rate = Rate(10, burst_seconds=2)
    assert [rate.wait("a", 100) for _ in range(20)] == [0] * 20
    assert rate.wait("a", 100) == pytest.approx(0.1)
    assert rate.wait("b", 100) == 0
    assert rate.wait("a", 100.05) == pytest.approx(0.05)
    assert [rate.wait("a", 100.5) == 0 for _ in range(6)] == [True] * 5 + [False]
    assert [rate.wait("a", 200) for _ in range(20)] == [0] * 20


def test_what_is_remembered_of_a_rate_is_bounded() -> None:
    rate = Rate(1, kept=100)
    for key in range(1000):
        assert rate.wait(key, 0) == 0
        assert len(rate._free) <= 100  # pyright: ignore[reportPrivateUsage]
    rate.wait("busy", 5000)
    for key in range(150):
        rate.wait(key, 5000 + key)
    assert "busy" not in rate._free, "whoever has asked nothing lately is forgotten"  # pyright: ignore[reportPrivateUsage]


def test_a_daily_limit_begins_anew_with_the_day() -> None:
    daily = Daily(10)
    assert daily.allows("a", 8, 0)
    assert not daily.allows("a", 3, 1)
    assert daily.allows("a", 2, 2)
    assert not daily.allows("a", 1, 86_399)
    assert daily.allows("b", 1, 86_399)
    assert daily.allows("a", 10, 86_400)


def test_what_is_remembered_of_a_day_is_bounded() -> None:
    daily = Daily(10, kept=100)
    for key in range(1000):
        daily.allows(key, 1, 0)
    assert len(daily._counts) <= 100  # pyright: ignore[reportPrivateUsage]


def test_an_address_of_ipv6_is_counted_by_its_network() -> None:
    assert address_key("192.0.2.1") == "192.0.2.1"
    assert address_key("2001:db8:1:2:3:4:5:6") == address_key("2001:db8:1:2:ffff::1")


@pytest.mark.anyio
async def test_a_device_that_asks_too_often_is_told_so() -> None:
    async with world(device_rate=1) as w:
        answers = [await w.http.get(f"{IOT}/isHardwareConnected?token={TOKEN}") for _ in range(11)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]
        assert answers[-1].json() == {"error": {"message": "Too many requests."}}
        assert answers[-1].headers["retry-after"] == "1"
        assert (await w.http.get(f"/{TOKEN}/isHardwareConnected")).status_code == 200


@pytest.mark.anyio
async def test_only_so_many_updates_exports_and_points_a_day() -> None:
    async with world(device_updates_per_day=2, device_exports_per_day=1, device_points_per_day=3) as w:
        updates = [await w.http.get(f"{IOT}/update?token={TOKEN}&v1=1") for _ in range(3)]
        assert [answer.status_code for answer in updates] == [200, 200, 429]
        exports = [await w.http.get(f"{IOT}/data/get?token={TOKEN}&pin=V1") for _ in range(2)]
        assert exports[0].status_code != 429
        assert exports[1].status_code == 429


@pytest.mark.anyio
async def test_points_beyond_the_days_limit_are_refused() -> None:
    async with world(device_points_per_day=3) as w:
        for points, status in (([[1, 1], [2, 2]], 200), ([[3, 3], [4, 4]], 400), ([[5, 5]], 200)):
            answer = await w.http.post(f"{IOT}/batch/update?token={TOKEN}&pin=V1", json=points)
            assert answer.status_code == status, answer.text
            if status == 400:
                assert answer.json()["error"]["message"].startswith("Too much data in batch.")


@pytest.mark.anyio
async def test_an_address_is_limited_everywhere_but_on_the_oldest_routes() -> None:
    async with world(address_rate=1) as w:
        for _ in range(10):
            assert (await w.http.get(f"{IOT}/isHardwareConnected?token={TOKEN}")).status_code == 200
        for path in (f"{IOT}/isHardwareConnected?token={TOKEN}", "/api/v1/me", "/openapi.json"):
            answer = await w.http.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "1"), path
            assert answer.json()["error"]["message"] == "Too many requests."
        for _ in range(20):
            assert (await w.http.get(f"/{TOKEN}/isHardwareConnected")).status_code == 200


@pytest.mark.anyio
async def test_the_oldest_routes_have_no_limits_unless_they_are_asked_for() -> None:
    async with world() as w:
        for _ in range(300):
            assert (await w.http.get(f"/{TOKEN}/update/v1?value=1")).status_code == 200
    async with world(legacy_update_rate=2, legacy_notify_interval=60) as w:
        answers = [await w.http.get(f"/{TOKEN}/update/v1?value=1") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert (answers[2].text, answers[2].headers["retry-after"]) == ("Too many requests.", "1")
        assert (await w.http.put(f"/{TOKEN}/pin/v1", json=["1"])).status_code == 429
        assert (await w.http.get(f"/{TOKEN}/get/v1")).status_code == 200
        for path, body in (("notify", {"body": "x"}), ("email", {"to": "a", "subj": "b"})):
            statuses = [(await w.http.post(f"/{TOKEN}/{path}", json=body)).status_code for _ in range(2)]
            assert statuses == [200, 429]
