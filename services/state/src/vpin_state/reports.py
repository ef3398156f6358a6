"""Reports: what a sound one is, when it runs, what a run holds (spec 02, 11.7; 05, 4). Pure functions of a report's JSON."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

from vpin_messages.downloads import Report, Series
from vpin_store.history import Step, finished

from vpin_state.addresses import is_email
from vpin_state.clocks import zone
from vpin_state.pins import KIND_OF_NAME

if TYPE_CHECKING:
    from vpin_state.model import Account, Dashboard, JsonObject

DAY_MS = 86_400_000
RECIPIENTS_MAX = 5
DAYS_MAX = 3660
"""Most days that one report covers."""
STEPS = {"MINUTE": Step.MINUTE, "HOURLY": Step.HOUR, "DAILY": Step.DAY}
DAYS = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 30}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAYS_LOOKED_AT = 62
"""Among so many days there are two first and two last days of a month, and every weekday."""

_LATEST = int(datetime(9990, 1, 1, tzinfo=UTC).timestamp())


def is_sound(report: JsonObject) -> bool:
    """Whether a report has a sound type, a source, and 1 to 5 addresses."""
    kind = report.get("reportType")
    recipients = recipients_of(report)
    return (
        kind is not None
        and (kind["rangeMillis"] >= DAY_MS if kind["type"] == "ONE_TIME" else kind["startTs"] <= kind["endTs"])
        and (kind["type"] != "WEEKLY" or 1 <= kind["dayOfTheWeek"] <= 7)
        and bool(report.get("reportSources"))
        and len(recipients) <= RECIPIENTS_MAX
        and all(is_email(address) for address in recipients)
    )


def recipients_of(report: JsonObject) -> list[str]:
    return [address.strip() for address in report.get("recipients", "").split(",")]


def due_at(report: JsonObject) -> int | None:
    """When the report is to run by itself (ms); None: never, or not any more."""
    if not report.get("isActive") or report.get("lastRunResult") == "EXPIRED" or not is_sound(report):
        return None
    return report["nextReportAt"] or None


def next_due(account: Account) -> int | None:
    """When the first report of an account is to run by itself."""
    times = [at for _, report in reports_of(account) if (at := due_at(report)) is not None]
    return min(times, default=None)


def reports_of(account: Account) -> list[tuple[Dashboard, JsonObject]]:
    """All reports of an account, with their dashboards."""
    return [
        (dash, report)
        for dash in account.dashboards.values()
        for widget in dash.widgets
        if widget.type == "REPORT"
        for report in widget.json.get("reports", ())
    ]


def plan(report: JsonObject, dash: Dashboard, now: int) -> Report:
    """What a run of a sound report at `now` holds: finished periods only, names and labels as they are now."""
    kind = report["reportType"]
    days = min(kind["rangeMillis"] // DAY_MS, DAYS_MAX) if kind["type"] == "ONE_TIME" else DAYS[kind["type"]]
    step = STEPS[report["granularityType"]]
    start, end = (now - days * DAY_MS) // step.ms * step.ms, finished(now, step)
    return Report(
        dash=dash.id,
        start=max(0, start),
        end=end,
        step=step.value,
        points=days * DAY_MS // step.ms,
        output=report.get("reportOutput", ""),
        format=report.get("format", ""),
        zone=report.get("tzName", ""),
        name=report.get("name", ""),
        series=[
            Series(
                device.id, device.name or "", KIND_OF_NAME[stream["pinType"]], stream["pin"], stream.get("label", "")
            )
            for source in report["reportSources"]
            for device_id in source.get("deviceIds", ())
            if (device := dash.devices.get(device_id)) is not None
            for stream in source.get("reportDataStreams", ())
            if stream.get("isSelected") and "pinType" in stream
        ],
    )


def day_of(report: JsonObject, now: int) -> str:
    """The date in the report's zone, as it stands in the name of its file."""
    return _moment(now, zone(report.get("tzName"))).date().isoformat()


def kind_of(report: JsonObject) -> str:
    """`one time`, `daily`, `weekly` or `monthly`."""
    return report["reportType"]["type"].replace("_", " ").lower()


def times_of(report: JsonObject) -> str:
    """What follows the kind in the mail, such as ``, at 09:30 every Monday``; "" for a report that runs once."""
    kind = report["reportType"]
    if kind["type"] == "ONE_TIME":
        return ""
    place = zone(report.get("tzName"))
    text = f", at {_moment(kind['atTime'], place):%H:%M}"
    if kind["type"] == "WEEKLY":
        text += f" every {_WEEKDAYS[kind['dayOfTheWeek'] - 1]}"
    elif kind["type"] == "MONTHLY":
        text += f" at the {'last' if kind['dayOfMonth'] == 'LAST' else 'first'} day of every month"
    if kind.get("durationType") == "CUSTOM":
        first, last = (_moment(kind[key], place).date() for key in ("startTs", "endTs"))
        text += f", from {first} to {last}"
    return text


def next_run(report: JsonObject, now: int) -> int | None:
    """When a sound report runs next after `now` (ms; 0: never by itself), or None: its time is over.

    A wall clock that skips the hour runs it at the moment the skipped time would have been; one that repeats the hour
    runs it once.
    """
    kind = report["reportType"]
    if kind["type"] == "ONE_TIME":
        return 0
    place = zone(report.get("tzName"))
    at = _moment(kind["atTime"], place).time().replace(microsecond=0)
    custom = kind.get("durationType") == "CUSTOM"
    today = _moment(now, place).date()
    first = max(today, _moment(kind["startTs"], place).date()) if custom else today
    last = _moment(kind["endTs"], place).date() if custom else date.max
    for ahead in range(_DAYS_LOOKED_AT):
        day = first + timedelta(days=ahead)
        if day > last:
            return None
        if _runs_on(kind, day) and (moment := _milliseconds(day, at, place)) > now:
            return moment
    return None


def _runs_on(kind: JsonObject, day: date) -> bool:
    match kind["type"]:
        case "WEEKLY":
            return day.isoweekday() == kind["dayOfTheWeek"]
        case "MONTHLY":
            return (day + timedelta(days=1)).day == 1 if kind["dayOfMonth"] == "LAST" else day.day == 1
        case _:
            return True


def _moment(milliseconds: int, place: tzinfo) -> datetime:
    """The wall clock of a zone; times out of all bounds are those of the nearest bound."""
    return datetime.fromtimestamp(min(max(milliseconds // 1000, 0), _LATEST), UTC).astimezone(place)


def _milliseconds(day: date, at: time, place: tzinfo) -> int:
    return int(datetime.combine(day, at, place).timestamp()) * 1000
