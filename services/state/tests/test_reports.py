"""Reports: commands, soundness, next run (spec 02, 11.7; 05, 4)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vpin_protocol import Command
from vpin_state.reports import DAY_MS, next_run

OK, QUOTA, ILLEGAL, BAD_BODY, ENERGY = 200, 1, 2, 11, 21
SOURCE = {"type": "DEVICE", "deviceIds": [0], "dataStreams": [{"pin": 1, "pinType": "VIRTUAL", "isSelected": True}]}
ONCE = {"type": "ONE_TIME", "rangeMillis": DAY_MS}
DAILY = {"type": "DAILY", "atTime": 0, "durationType": "INFINITE", "startTs": 0, "endTs": 0}


def report(report_id=1, **fields):
    return {"id": report_id, "reportSources": [SOURCE], "reportType": ONCE, "recipients": "b@example.com", **fields}


@pytest.fixture
def reporting(world):
    assert world.app_status(Command.CREATE_WIDGET, 1, {"type": "REPORT", "id": 5, "width": 1, "height": 1}) == OK
    return world


def kept(world):
    return world.dash.find_widget(5).json.get("reports", [])


def test_a_report_is_paid_kept_and_paid_back(reporting):
    made = reporting.json(Command.CREATE_REPORT, 1, report(lastReportAt=7, nextReportAt=7, lastRunResult="OK"))
    assert (made["nextReportAt"], made["lastReportAt"], made.get("lastRunResult")) == (0, 0, None)
    assert kept(reporting) == [made]
    assert reporting.account.row.energy == 97_100
    assert reporting.app_status(Command.CREATE_REPORT, 1, report()) == ILLEGAL
    assert reporting.app_status(Command.DELETE_REPORT, 1, 1) == OK
    assert kept(reporting) == []
    assert reporting.account.row.energy == 100_000
    assert reporting.app_status(Command.DELETE_REPORT, 1, 1) == ILLEGAL


def test_a_report_that_cannot_be_paid(reporting):
    reporting.account.change(energy=2899)
    assert reporting.app_status(Command.CREATE_REPORT, 1, report()) == ENERGY
    assert kept(reporting) == []


def test_25_reports_and_no_more(reporting):
    for i in range(25):
        reporting.json(Command.CREATE_REPORT, 1, report(i))
    assert reporting.app_status(Command.CREATE_REPORT, 1, report(25)) == ILLEGAL


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"recipients": ""}, ILLEGAL),
        ({"recipients": "b@example.com,nobody"}, ILLEGAL),
        ({"recipients": ",".join(["b@example.com"] * 6)}, ILLEGAL),
        ({"reportSources": []}, ILLEGAL),
        ({"reportType": None}, ILLEGAL),
        ({"reportType": {**ONCE, "rangeMillis": DAY_MS - 1}}, ILLEGAL),
        ({"reportType": {**DAILY, "type": "WEEKLY", "dayOfTheWeek": 8}}, ILLEGAL),
        ({"reportType": {**DAILY, "durationType": "CUSTOM", "startTs": 5, "endTs": 1}}, ILLEGAL),
        ({"reportType": {**DAILY, "durationType": "CUSTOM", "startTs": 0, "endTs": 1}}, BAD_BODY),
        ({"reportType": {"type": "NEVER"}}, BAD_BODY),
    ],
)
@pytest.mark.parametrize("command", [Command.CREATE_REPORT, Command.UPDATE_REPORT])
def test_a_bad_report_changes_nothing(reporting, change, status, command):
    reporting.json(Command.CREATE_REPORT, 1, report(1))
    before = (kept(reporting), reporting.account.row.energy)
    report_id = 1 if command == Command.UPDATE_REPORT else 2
    assert reporting.app_status(command, 1, report(report_id, **change)) == status
    assert (kept(reporting), reporting.account.row.energy) == before


def test_an_update_replaces_all_but_the_last_run(reporting):
    reporting.json(Command.CREATE_REPORT, 1, report(name="a"))
    done = reporting.json(Command.EXPORT_REPORT, 1, 1)
    assert (done["lastReportAt"], done["lastRunResult"]) == (reporting.fx.now, "NO_DATA")
    changed = reporting.json(Command.UPDATE_REPORT, 1, report(name="b", reportType=DAILY))
    assert changed["name"] == "b"
    assert changed["nextReportAt"] > reporting.fx.now
    assert (changed["lastReportAt"], changed["lastRunResult"]) == (reporting.fx.now, "NO_DATA")
    assert reporting.app_status(Command.UPDATE_REPORT, 1, report(2)) == ILLEGAL


def test_a_report_runs_once_a_minute(reporting):
    reporting.json(Command.CREATE_REPORT, 1, report())
    reporting.json(Command.EXPORT_REPORT, 1, 1)
    reporting.fx.now += 59_999
    assert reporting.app_status(Command.EXPORT_REPORT, 1, 1) == QUOTA
    reporting.fx.now += 1
    reporting.json(Command.EXPORT_REPORT, 1, 1)
    assert reporting.app_status(Command.EXPORT_REPORT, 1, 9) == ILLEGAL


@pytest.mark.parametrize("command", [77, 78, 79, 80])
def test_reports_need_a_report_widget_and_all_fields(world, command):
    assert world.app_status(command, 1, report()) == ILLEGAL
    assert world.app_status(command, 1) == ILLEGAL
    assert world.app_status(command, 9, report()) == ILLEGAL


# -- the next run


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1000


def following(now: str, kind: dict, zone: str = "UTC") -> str | None:
    found = next_run({"reportType": {**DAILY, **kind}, "tzName": zone}, at(now, zone))
    return None if found is None else datetime.fromtimestamp(found / 1000, ZoneInfo(zone)).isoformat()[:19]


NINE = 9 * 3_600_000


def test_every_day_week_and_month():
    assert following("2024-01-31T08:00:00", {"atTime": NINE}) == "2024-01-31T09:00:00"
    assert following("2024-01-31T09:00:00", {"atTime": NINE}) == "2024-02-01T09:00:00"  # strictly after
    weekly = {"type": "WEEKLY", "atTime": NINE, "dayOfTheWeek": 1}
    assert following("2024-01-31T08:00:00", weekly) == "2024-02-05T09:00:00"
    assert following("2024-02-05T09:00:00", weekly) == "2024-02-12T09:00:00"
    monthly = {"type": "MONTHLY", "atTime": NINE, "dayOfMonth": "FIRST"}
    assert following("2024-01-31T08:00:00", monthly) == "2024-02-01T09:00:00"
    last = {**monthly, "dayOfMonth": "LAST"}
    assert following("2024-02-01T08:00:00", last) == "2024-02-29T09:00:00"
    assert following("2024-02-29T10:00:00", last) == "2024-03-31T09:00:00"


def test_between_two_days():
    custom = {"atTime": NINE, "durationType": "CUSTOM", "startTs": at("2024-03-01"), "endTs": at("2024-03-02")}
    assert following("2024-01-01T00:00:00", custom) == "2024-03-01T09:00:00"
    assert following("2024-03-01T12:00:00", custom) == "2024-03-02T09:00:00"
    assert following("2024-03-02T12:00:00", custom) is None


def test_the_clock_is_that_of_the_zone():
    moment = at("2024-07-01T06:30:00", "Europe/Berlin")  # atTime is a moment: half past six there
    assert following("2024-07-02T06:00:00", {"atTime": moment}, "Europe/Berlin") == "2024-07-02T06:30:00"
    assert following("2024-12-02T06:00:00", {"atTime": at("2024-12-01T06:30:00", "Europe/Berlin")}, "Europe/Berlin") == "2024-12-02T06:30:00"  # fmt: skip  # noqa: E501


def test_a_report_that_runs_once_never_runs_by_itself():
    assert next_run({"reportType": ONCE}, 5) == 0


TIMES = st.integers(-(2**63), 2**63 - 1)


@given(
    now=st.integers(0, int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1000),
    at_time=TIMES, start=TIMES, end=TIMES,
    kind=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"]),
    duration=st.sampled_from(["CUSTOM", "INFINITE", None]),
    zone=st.sampled_from([None, "UTC", "America/New_York", "Asia/Kolkata", "+14:00", "nonsense"]),
)  # fmt: skip
def test_whatever_an_app_sends_the_next_run_is_in_the_future_or_never(now, at_time, start, end, kind, duration, zone):
    kind = {"type": kind, "atTime": at_time, "startTs": start, "endTs": end, "dayOfTheWeek": 3, "dayOfMonth": "LAST"}
    if duration:
        kind["durationType"] = duration
    found = next_run({"reportType": kind, "tzName": zone} if zone else {"reportType": kind}, now)
    assert found is None or found > now
    if duration != "CUSTOM":
        assert found is not None
        assert found - now < 63 * DAY_MS
