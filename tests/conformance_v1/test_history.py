"""History of pins (spec 08, 4). Minutes are added up once a minute: of points that were sent before any other test."""

from __future__ import annotations

import csv
import io
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from conformance_v1.clients import Api
from conformance_v1.points import DAY, HOUR, MINUTE, Past, send

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

ROLL_UP_SECONDS = 80


def rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def past(recorded: Past) -> Past:
    """What was recorded when the tests began, added up."""
    deadline = time.monotonic() + ROLL_UP_SECONDS
    while not recorded.history("V2"):
        assert time.monotonic() < deadline, "nothing was added up"
        time.sleep(0.3)
    return recorded


def test_raw_points_are_there_at_once(api: Api, base: str) -> None:
    now = int(time.time() * 1000)
    device = api.device(api.template(V1={"valueType": "DOUBLE", "history": "raw"}))
    past = Past(api, device, now, device)
    send(base, device, "v1", [(now - 2000, 1.0), (now - 3000, 2.0)])
    api.call("PUT", f"/devices/{device['id']}/values/V1", 204, {"value": 3})
    before, after, written = past.history(step="raw")
    assert [before, after] == [[now - 3000, 2.0], [now - 2000, 1.0]]
    assert written[1] == 3
    assert now - 1000 <= written[0] <= now + 10_000


def test_only_raw_history_keeps_points(past: Past) -> None:
    assert [value for _, value in past.history("V1", step="raw")] == [5.0, 7.0, 10.0, -2.5]
    assert past.history("V2", step="raw") == []


def test_rollups_are_kept_of_numbers_and_nothing_of_the_rest_unless_it_is_said(api: Api) -> None:
    kinds: dict[str, dict[str, object]] = {
        "INT": {},
        "DOUBLE": {},
        "ENUM": {"enumValues": [0, 1]},
        "STRING": {},
        "LOCATION": {},
        "RAW": {},
    }
    template = api.template(**{f"V{n}": fields | {"valueType": kind} for n, (kind, fields) in enumerate(kinds.items())})
    shown = api.call("GET", f"/templates/{template}/datastreams", 200)
    assert [one["history"] for one in shown] == ["rollups", "rollups", "none", "none", "none", "none"]


def test_periods_begin_at_their_start_and_minutes_are_the_rule(past: Past) -> None:
    two_hours, three_minutes = past.now - 2 * HOUR, past.now - 3 * MINUTE
    expected = [[past.now - 2 * DAY, 5.0], [two_hours, 8.5], [three_minutes, -2.5]]
    for pin in ("V1", "V2"):
        assert past.read(pin) == {"pin": pin, "step": "minute", "points": expected}
    assert past.history(step="hour")[0] == [(past.now - 2 * DAY) // HOUR * HOUR, 5.0]
    assert past.history(step="day")[0] == [(past.now - 2 * DAY) // DAY * DAY, 5.0]


@pytest.mark.parametrize(
    ("aggregate", "value"), [("avg", 8.5), ("min", 7), ("max", 10), ("sum", 17), ("count", 2), ("last", 10)]
)
def test_aggregates(past: Past, aggregate: str, value: float) -> None:
    assert past.history("V2", aggregate=aggregate)[1] == [past.now - 2 * HOUR, value]


def test_from_and_to_and_limit(past: Past) -> None:
    def values(**wanted: object) -> list[float]:
        return [value for _, value in past.history("v2", **wanted)]

    start = past.now - 2 * HOUR
    assert values(from_=rfc3339(start)) == [8.5, -2.5]
    assert values(from_=rfc3339(start + 1)) == [-2.5]
    assert values(to=rfc3339(start)) == [5.0]
    assert values(from_=rfc3339(start), to=rfc3339(start + 1)) == [8.5]
    assert values(limit=1) == [-2.5]
    assert values(limit=2, to=rfc3339(past.now - HOUR)) == [5.0, 8.5]


def test_csv_has_a_header_line(past: Past) -> None:
    path = f"/devices/{past.device['id']}/history"
    answer = past.api.http.get(path, params={"pin": "V2"}, headers={"accept": "text/csv"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert answer.headers["transfer-encoding"] == "chunked", "it is streamed"
    assert rows[0] == ["time", "value"]
    assert [[int(at), float(value)] for at, value in rows[1:]] == past.history("V2")
    last = past.api.http.get(path, params={"pin": "V2", "limit": 1}, headers={"accept": "text/csv"})
    assert last.text.splitlines() == ["time,value", f"{past.now - 3 * MINUTE},-2.5"]


def test_a_pin_without_history_has_no_points(past: Past) -> None:
    for pin in ("V3", "V99", "D1"):
        assert past.history(pin) == []


def test_history_of_others_does_not_exist(past: Past, make_api: Callable[..., Api]) -> None:
    other = make_api()
    path = f"/devices/{past.device['id']}/history"
    other.call("GET", path, 404, params={"pin": "V1"})
    other.call("DELETE", path, 404, params={"pin": "V1"})
    past.api.call("GET", "/devices/123456/history", 404, params={"pin": "V1"})


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"pin": "V256"},
        {"pin": "x"},
        {"pin": "V1", "step": "year"},
        {"pin": "V1", "aggregate": "median"},
        {"pin": "V1", "limit": 0},
        {"pin": "V1", "from": "yesterday"},
    ],
)
def test_a_question_that_makes_no_sense_is_refused(past: Past, params: dict[str, str]) -> None:
    past.api.call("GET", f"/devices/{past.device['id']}/history", 422, params=params)


def test_what_is_deleted_is_gone_and_the_value_stays(api: Api, base: str) -> None:
    now = int(time.time() * 1000)
    kind: dict[str, object] = {"valueType": "DOUBLE", "history": "raw"}
    device = api.device(api.template(V1=kind, V2=kind, V4=kind))
    past = Past(api, device, now, device)
    for pin in ("V1", "V2", "V4"):
        send(base, device, pin, [(now - 1000, 4.0)])
    path = f"/devices/{device['id']}/history"
    api.call("DELETE", path, 204, params={"pin": "v1"})
    assert [len(past.history(pin, step="raw")) for pin in ("V1", "V2", "V4")] == [0, 1, 1]
    api.call("DELETE", path, 204)
    assert [len(past.history(pin, step="raw")) for pin in ("V1", "V2", "V4")] == [0, 0, 0]
    assert api.value(device, "V1") == 4
    api.call("DELETE", path, 204, params={"pin": "V1"})
    send(base, device, "V1", [(now, 5.0)])
    assert past.history(step="raw") == [[now, 5.0]]


def test_deleting_takes_periods_too_and_of_that_device_alone(past: Past) -> None:
    path, doomed = f"/devices/{past.other['id']}/history", past._replace(device=past.other)

    def left(pin: str) -> list[int]:
        return [len(doomed.history(pin, step=step)) for step in ("raw", "minute", "hour", "day")]

    before, counts = past.history("V2"), left("V1")
    assert counts[0] == 4
    assert all(counts)
    assert doomed.history("V2") == before
    past.api.call("DELETE", path, 204, params={"pin": "V2"})
    assert (left("V1"), left("V2")) == (counts, [0, 0, 0, 0])
    past.api.call("DELETE", path, 204)
    assert left("V1") == [0, 0, 0, 0]
    assert past.history("V2") == before


def test_an_export_of_the_iot_api_is_a_zip(past: Past, base: str) -> None:
    wanted = f"token={past.device['token']}&period=WEEK&granularityType=MINUTE&pin=V2"
    answer = httpx.get(f"{base}/external/api/data/get?{wanted}")
    assert answer.status_code == 200, answer.text
    link = answer.json()["link"]
    assert link.startswith(f"{base}/device_data_")
    file = httpx.get(link)
    assert file.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(file.content))
    assert archive.namelist() == ["V2.csv"]
    first, *_ = archive.read("V2.csv").decode().splitlines()
    assert first == f"5.0,{past.now - 2 * DAY}"
    nothing = httpx.get(f"{base}/external/api/data/get?token={past.device['token']}&pin=V3&granularityType=MINUTE")
    assert (nothing.status_code, nothing.json()) == (500, {"error": {"message": "No data"}})
