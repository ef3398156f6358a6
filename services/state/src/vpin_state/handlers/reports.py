"""Commands 77–80: reports of a project's REPORT widget (spec 02, 11.7; 05, 4.2), and their runs by the clock.

A run only looks whether there is data: what the file holds is kept as a recipe, and the api makes the file (05, 4.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from vpin_messages import downloads
from vpin_protocol import Command, Status, parse_int32, split_first
from vpin_store.history import Step
from vpin_store.rows import StreamKey

from vpin_state import lookup, mails, reports, settling
from vpin_state.errors import Refused
from vpin_state.handlers.notifications import find_widget
from vpin_state.json_rules import encode, read_report
from vpin_state.kinds import REPORT_PRICE
from vpin_state.questions import Recorded
from vpin_state.registry import APP, handles, task
from vpin_state.reports import DAY_MS, is_sound, next_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpin_state.effects import Connection, Effects
    from vpin_state.model import Account, Dashboard, JsonObject, Widget
    from vpin_state.session import Session

RUN_EVERY_MS = 60_000
RUN_DUE = "reports.run"
"""Task: run those reports of the account whose time has come."""


def _find(session: Session, body: bytes) -> tuple[Dashboard, Widget, bytes]:
    """(dashboard, its REPORT widget, the rest) of `dash·rest`; no widget: Refused(2)."""
    fields = split_first(body, 2)
    if len(fields) < 2:
        raise Refused(Status.ILLEGAL_COMMAND)
    dash = lookup.dash(session, fields[0])
    widget = find_widget(dash, "REPORT")
    if widget is None:
        raise Refused(Status.ILLEGAL_COMMAND)
    return dash, widget, fields[1]


def _report(widget: Widget, report_id: int) -> JsonObject:
    found = next((r for r in widget.json.get("reports", ()) if r["id"] == report_id), None)
    if found is None:
        raise Refused(Status.ILLEGAL_COMMAND)
    return found


def _scheduled(report: JsonObject, now: int) -> JsonObject:
    """The report with its next run; unsound: Refused(2), over: Refused(11)."""
    if not is_sound(report):
        raise Refused(Status.ILLEGAL_COMMAND)
    at = next_run(report, now)
    if at is None:
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    return {**report, "nextReportAt": at}


def _set(fx: Effects, widget: Widget, reports: list[JsonObject]) -> None:
    _keep(widget, reports)
    settling.touch(widget.dash, fx.now)


def _keep(widget: Widget, reports: list[JsonObject]) -> None:
    bare = {key: value for key, value in widget.json.items() if key != "reports"}
    widget.json = {**bare, "reports": reports} if reports else bare
    widget.changed()
    widget.dash.reshape()


@handles(Command.CREATE_REPORT, APP)
def create(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·json` → the Report; it costs energy."""
    dash, widget, text = _find(session, body)
    report = read_report(text, fx.config.widget_size_max)
    reports = widget.json.get("reports", [])
    if len(reports) >= fx.config.reports_max or any(r["id"] == report["id"] for r in reports):
        raise Refused(Status.ILLEGAL_COMMAND)
    report = _scheduled({**report, "lastReportAt": 0}, fx.now)
    report.pop("lastRunResult", None)
    settling.pay(dash.account, REPORT_PRICE)
    _set(fx, widget, [*reports, report])
    fx.answer(Command.CREATE_REPORT, encode(report))


@handles(Command.UPDATE_REPORT, APP)
def update(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·json` → the Report; what the server knows of its last run stays, but for EXPIRED."""
    _, widget, text = _find(session, body)
    sent = read_report(text, fx.config.widget_size_max)
    old = _report(widget, sent["id"])
    sent.pop("lastRunResult", None)
    report = _scheduled({**sent, "lastReportAt": old["lastReportAt"]}, fx.now)
    if old.get("lastRunResult", "EXPIRED") != "EXPIRED":
        report["lastRunResult"] = old["lastRunResult"]
    _set(fx, widget, [report if r is old else r for r in widget.json["reports"]])
    fx.answer(Command.UPDATE_REPORT, encode(report))


@handles(Command.DELETE_REPORT, APP)
def delete(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·report`: the energy comes back."""
    dash, widget, raw_report = _find(session, body)
    report = _report(widget, parse_int32(raw_report))
    _set(fx, widget, [r for r in widget.json["reports"] if r is not report])
    settling.pay(dash.account, -REPORT_PRICE)
    fx.reply(Status.OK)


@handles(Command.EXPORT_REPORT, APP)
def export(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·report` → the Report after a run of it."""
    _, widget, raw_report = _find(session, body)
    report_id = parse_int32(raw_report)
    old = _report(widget, report_id)
    if not is_sound(old):
        raise Refused(Status.ILLEGAL_COMMAND)
    if fx.now - old["lastReportAt"] < RUN_EVERY_MS:
        raise Refused(Status.QUOTA_LIMIT)
    _keep(widget, [{**r, "lastReportAt": fx.now} if r is old else r for r in widget.json["reports"]])

    def then(fx: Effects, result: str) -> None:
        found = _report(widget, report_id)
        report = {**found, "lastRunResult": result}
        _keep(widget, [report if r is found else r for r in widget.json["reports"]])
        fx.answer(Command.EXPORT_REPORT, encode(report))

    _run(fx, widget, old, then)


@task(RUN_DUE)
def run_due(fx: Effects, account: Account, connection: Connection, fields: list[bytes]) -> None:
    """Run the reports of the account whose time has come. A second time it finds nothing to do."""
    for dash in account.dashboards.values():
        for widget in dash.widgets:
            for report in widget.json.get("reports", ()) if widget.type == "REPORT" else ():
                if (at := reports.due_at(report)) is not None and at <= fx.now:
                    _run_by_clock(fx, widget, report)


def _run_by_clock(fx: Effects, widget: Widget, report: JsonObject) -> None:
    """Run a report and set its next time; where it was changed meanwhile, the clock will find it again."""

    def then(fx: Effects, result: str) -> None:
        at = next_run(report, fx.now)
        after = {**report, "lastReportAt": fx.now, "lastRunResult": result if at is not None else "EXPIRED"}
        if at is not None:
            after["nextReportAt"] = at
        _keep(widget, [after if r is report else r for r in widget.json["reports"]])

    _run(fx, widget, report, then, only_unchanged=True)


def _run(
    fx: Effects,
    widget: Widget,
    report: JsonObject,
    then: Callable[[Effects, str], None],
    *,
    only_unchanged: bool = False,
) -> None:
    """See whether there is data, mail a link to it, go on with `then`, given OK or NO_DATA.

    It ends in between when the widget is gone or, with `only_unchanged`, the report is not the same any more.
    """
    dash, now = widget.dash, fx.now
    account = dash.account
    made = reports.plan(report, dash, now)
    pins = (StreamKey(account.id, dash.id, each.device, each.kind, each.pin) for each in made.series)

    def found(fx: Effects, answer: tuple[bytes, frozenset[StreamKey]]) -> None:
        key, recorded = answer
        if account.dashboards.get(dash.id) is not dash or widget not in dash.widgets:
            raise Refused(Status.ILLEGAL_COMMAND)
        if only_unchanged and not any(r is report for r in widget.json.get("reports", ())):
            return
        if recorded:
            _publish(fx, account, report, made, key)
        then(fx, "OK" if recorded else "NO_DATA")

    fx.ask(Recorded(tuple(dict.fromkeys(pins)), Step(made.step), made.start, made.end), found)


def _publish(fx: Effects, account: Account, report: JsonObject, made: downloads.Report, key: bytes) -> None:
    """Keep what the file is to hold, and mail the link to it."""
    row, day = account.row, reports.day_of(report, made.end)
    name = downloads.report_name(key, row.email, row.app_name, account.id, made.dash, report["id"], day)
    expires_at = fx.now + fx.config.download_days * DAY_MS
    account.set_token(name, downloads.KIND, made.dash, -1, expires_at=expires_at, body=downloads.encode(made))
    link = fx.config.link(name)
    receivers, kind, times = reports.recipients_of(report), reports.kind_of(report), reports.times_of(report)
    mail = mails.report_ready(receivers, kind, made.name, times, link)
    fx.notify(msgspec.structs.replace(mail, account=account.id, created_at=fx.now / 1000))
