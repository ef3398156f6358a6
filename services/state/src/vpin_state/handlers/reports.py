"""Commands 77–80: reports of a project's REPORT widget (spec 02, 11.7; 05, 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status, parse_int32, split_first

from vpin_state import lookup, settling
from vpin_state.errors import Refused
from vpin_state.handlers.notifications import find_widget
from vpin_state.json_rules import encode, read_report
from vpin_state.kinds import REPORT_PRICE
from vpin_state.registry import APP, handles
from vpin_state.reports import is_sound, next_run

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard, JsonObject, Widget
    from vpin_state.session import Session

RUN_EVERY_MS = 60_000


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
    bare = {key: value for key, value in widget.json.items() if key != "reports"}
    widget.json = {**bare, "reports": reports} if reports else bare
    widget.changed()
    settling.touch(widget.dash, fx.now)


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
    """`dash·report` → the Report after a run of it; no history is kept so far, so there is never data."""
    _, widget, raw_report = _find(session, body)
    old = _report(widget, parse_int32(raw_report))
    if not is_sound(old):
        raise Refused(Status.ILLEGAL_COMMAND)
    if fx.now - old["lastReportAt"] < RUN_EVERY_MS:
        raise Refused(Status.QUOTA_LIMIT)
    report = {**old, "lastReportAt": fx.now, "lastRunResult": "NO_DATA"}
    _set(fx, widget, [report if r is old else r for r in widget.json["reports"]])
    fx.answer(Command.EXPORT_REPORT, encode(report))
