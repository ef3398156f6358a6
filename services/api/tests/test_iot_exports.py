"""What an export of a device is asked for (spec 04, 2.2)."""

from __future__ import annotations

import pytest
from vpin_api.iot_exports import DAY_MS, Asked, read_query

NOW = 100 * DAY_MS


def asked(*query: tuple[str, str]) -> Asked:
    found = read_query(list(query), 1, 0, NOW)
    assert isinstance(found, Asked), found
    return found


def test_what_is_left_out_has_its_default() -> None:
    data = asked().data
    assert (data.start, data.end, data.step, data.aggregate) == (NOW - 31 * DAY_MS, NOW, "raw", "avg")
    assert (data.format, data.zone, data.events, data.series) == ("TS", "", False, None)


def test_everything_that_may_be_said() -> None:
    found = asked(
        ("period", "THREE_MONTHS"), ("granularityType", "HOURLY"), ("sourceType", "COUNT"), ("tzName", "Asia/Tokyo"),
        ("format", "ISO_US"), ("sendEvents", "true"), ("pin", "V7"), ("pin", "V8"), ("dataStreamId", "3"),
    )  # fmt: skip
    data = found.data
    assert (data.start, data.step, data.aggregate, data.zone) == (NOW - 92 * DAY_MS, "hour", "count", "Asia/Tokyo")
    assert (data.format, data.events, found.pins, found.ids) == ("ISO_US", True, [("v", 7)], [])
    assert asked(("dataStreamId", "3")).ids == [3]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ([("pin", "x")], "Wrong pin format."),
        ([("pin", "V256")], "Wrong pin format."),
        ([("dataStreamId", "x")], "Wrong dataStreamId format."),
        ([("period", "YEAR")], "Request with incorrect parameters"),
        ([("granularityType", "raw")], "Request with incorrect parameters"),
        ([("sourceType", "")], "Request with incorrect parameters"),
        ([("sendEvents", "yes")], "Request with incorrect parameters"),
        ([("tzName", "Mars/Base")], "Request with incorrect parameters"),
        ([("period", "THREE_MONTHS")], "Request with incorrect parameters"),
    ],
)
def test_refusals(query: list[tuple[str, str]], text: str) -> None:
    found = read_query(query, 1, 0, NOW)
    assert not isinstance(found, Asked)
    assert (found.status, found.body.decode()) == (400, text)
