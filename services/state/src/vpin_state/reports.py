"""Reports: what a sound one is, and when it runs next (spec 02, 11.7; 05, 4.1). Pure functions of a report's JSON."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

from vpin_state.addresses import is_email
from vpin_state.clocks import zone

if TYPE_CHECKING:
    from vpin_state.model import JsonObject

DAY_MS = 86_400_000
RECIPIENTS_MAX = 5
_DAYS_LOOKED_AT = 62
"""Among so many days there are two first and two last days of a month, and every weekday."""

_LATEST = int(datetime(9990, 1, 1, tzinfo=UTC).timestamp())


def is_sound(report: JsonObject) -> bool:
    """Whether a report has a sound type, a source, and 1 to 5 addresses."""
    kind = report.get("reportType")
    recipients = [address.strip() for address in report.get("recipients", "").split(",")]
    return (
        kind is not None
        and (kind["rangeMillis"] >= DAY_MS if kind["type"] == "ONE_TIME" else kind["startTs"] <= kind["endTs"])
        and (kind["type"] != "WEEKLY" or 1 <= kind["dayOfTheWeek"] <= 7)
        and bool(report.get("reportSources"))
        and len(recipients) <= RECIPIENTS_MAX
        and all(is_email(address) for address in recipients)
    )


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
