"""Runs of reports, asked for and by the clock (spec 05, 4.2 and 4.3)."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

import pytest
from test_reports import DAILY, ONCE, kept, report, reporting  # noqa: F401  a fixture
from vpin_messages.downloads import Report, Series, decode
from vpin_protocol import Command
from vpin_state.handlers.reports import RUN_DUE
from vpin_state.reports import DAY_MS, next_due, plan, times_of
from vpin_state.timetable import RETRY_MS, Timetable
from vpin_store.history import ADDED_UP_MS
from vpin_store.rows import StreamKey

MINUTE = 60_000


def record(world, minutes=1, pin=1, device=0, value=1.0):
    world.past.record(StreamKey(1, 1, device, ord("v"), pin), world.fx.now - minutes * MINUTE, value)


def test_a_run_with_data_mails_a_link(reporting):  # noqa: F811
    record(reporting)
    sent = report(
        7, name="All <1>", recipients="b@example.com, c@example.com", tzName="Asia/Tokyo", format="ISO_SIMPLE"
    )
    reporting.json(Command.CREATE_REPORT, 1, sent)
    reporting.send(reporting.app, Command.EXPORT_REPORT, 1, 7)
    ((command, _, body),) = reporting.sent_to(reporting.app)
    answer = json.loads(body)
    assert (command, answer["lastRunResult"], answer["lastReportAt"]) == (80, "OK", reporting.fx.now)
    (mail,) = reporting.fx.jobs
    assert (mail.to, mail.subject) == (["b@example.com", "c@example.com"], "Your one time All <1> is ready")
    assert "Report name: All &lt;1&gt;<br>" in mail.html
    (link,) = re.findall(r'href="http://localhost:8080/([^"]+\.zip)"', mail.html)
    reporting.store()
    row = reporting.tokens[unquote(link)]
    assert (row.kind, row.expires_at) == ("download", reporting.fx.now + 45 * DAY_MS)
    recipe = decode(row.body)
    assert isinstance(recipe, Report)
    assert (recipe.zone, recipe.format, recipe.points) == ("Asia/Tokyo", "ISO_SIMPLE", 1440)
    assert recipe.end == reporting.fx.now // MINUTE * MINUTE
    assert recipe.end - recipe.start == DAY_MS
    assert recipe.series == [Series(0, "board 0", ord("v"), 1, "")]


def test_only_selected_pins_of_known_devices_and_of_the_days_count(reporting):  # noqa: F811
    record(reporting, minutes=24 * 60 + 1)
    record(reporting, pin=2)
    record(reporting, device=1)
    streams = [
        {"pin": 1, "pinType": "VIRTUAL", "isSelected": True},
        {"pin": 2, "pinType": "VIRTUAL", "isSelected": False},
    ]
    source = {"type": "DEVICE", "deviceIds": [0, 1], "reportDataStreams": streams}
    reporting.json(Command.CREATE_REPORT, 1, report(reportSources=[source]))
    reporting.send(reporting.app, Command.EXPORT_REPORT, 1, 1)
    assert kept(reporting)[0]["lastRunResult"] == "NO_DATA"
    assert reporting.fx.jobs == []


def test_two_runs_on_a_day_share_a_name(reporting):  # noqa: F811
    record(reporting)
    reporting.json(Command.CREATE_REPORT, 1, report())
    reporting.json(Command.EXPORT_REPORT, 1, 1)
    reporting.fx.now += MINUTE
    reporting.json(Command.EXPORT_REPORT, 1, 1)
    reporting.store()
    assert len([row for row in reporting.tokens.values() if row.kind == "download"]) == 1


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ONCE, ""),
        ({**DAILY, "atTime": 9 * 3_600_000 + 5 * MINUTE}, ", at 09:05"),
        ({**DAILY, "type": "WEEKLY", "dayOfTheWeek": 1}, ", at 00:00 every Monday"),
        ({**DAILY, "type": "MONTHLY", "dayOfMonth": "LAST"}, ", at 00:00 at the last day of every month"),
        ({**DAILY, "durationType": "CUSTOM", "endTs": DAY_MS}, ", at 00:00, from 1970-01-01 to 1970-01-02"),
    ],
)
def test_the_mail_says_when_it_runs(kind, text):
    assert times_of({"reportType": kind, "tzName": "UTC"}) == text


def test_what_is_due_runs_and_gets_its_next_time(reporting):  # noqa: F811
    made = reporting.json(Command.CREATE_REPORT, 1, report(isActive=True, reportType=DAILY))
    assert next_due(reporting.account) == made["nextReportAt"]
    reporting.perform(RUN_DUE)
    assert kept(reporting) == [made]
    reporting.fx.now = made["nextReportAt"]
    record(reporting, minutes=2)
    reporting.perform(RUN_DUE)
    assert [job.subject for job in reporting.fx.jobs] == ["Your daily Report is ready"]
    (after,) = kept(reporting)
    assert (after["lastRunResult"], after["lastReportAt"]) == ("OK", reporting.fx.now)
    assert after["nextReportAt"] == made["nextReportAt"] + DAY_MS
    reporting.perform(RUN_DUE)
    assert len(reporting.fx.jobs) == 1


def test_the_last_run_leaves_it_expired_until_it_is_updated(reporting):  # noqa: F811
    now = reporting.fx.now
    kind = {**DAILY, "durationType": "CUSTOM", "startTs": now, "endTs": now + DAY_MS}
    made = reporting.json(Command.CREATE_REPORT, 1, report(isActive=True, reportType=kind))
    reporting.fx.now = made["nextReportAt"] + 3 * DAY_MS
    reporting.perform(RUN_DUE)
    assert kept(reporting)[0]["lastRunResult"] == "EXPIRED"
    assert next_due(reporting.account) is None
    updated = reporting.json(Command.UPDATE_REPORT, 1, report(isActive=True, reportType=DAILY))
    assert "lastRunResult" not in updated
    assert next_due(reporting.account) == updated["nextReportAt"]


@pytest.mark.parametrize("fields", [{"isActive": False, "reportType": DAILY}, {"isActive": True, "reportType": ONCE}])
def test_nothing_else_runs_by_the_clock(reporting, fields):  # noqa: F811
    reporting.json(Command.CREATE_REPORT, 1, report(**fields))
    assert next_due(reporting.account) is None
    reporting.fx.now += 400 * DAY_MS
    reporting.perform(RUN_DUE)
    assert kept(reporting)[0]["lastReportAt"] == 0


def test_a_timetable_names_an_account_once_and_again_when_its_run_did_not_succeed(reporting):  # noqa: F811
    table = Timetable()
    table.set(reporting.account)
    assert table.due(reporting.fx.now + 400 * DAY_MS) == []
    at = reporting.json(Command.CREATE_REPORT, 1, report(isActive=True, reportType=DAILY))["nextReportAt"]
    table.set(reporting.account)
    assert table.due(at - 1) == []
    assert table.due(at) == [1]
    assert table.due(at + 1) == []
    table.set(reporting.account)  # changed while it runs
    assert table.due(at + 2) == []
    assert table.due(at + RETRY_MS) == [1]
    reporting.fx.now = at
    reporting.perform(RUN_DUE)
    table.set(reporting.account)
    assert table.due(at + 2 * RETRY_MS) == []
    assert table.due(at + DAY_MS) == [1]
    reporting.app_status(Command.DELETE_REPORT, 1, 1)
    table.set(reporting.account)
    assert table.due(at + 9 * DAY_MS) == []


def test_a_run_at_midnight_holds_the_day_that_is_over_once_it_is_added_up(reporting):  # noqa: F811
    midnight = reporting.fx.now // DAY_MS * DAY_MS + DAY_MS
    for late, end in ((0, midnight - DAY_MS), (ADDED_UP_MS, midnight)):
        assert plan(report(granularityType="DAILY", reportType=DAILY), reporting.dash, midnight + late).end == end
