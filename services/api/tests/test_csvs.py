"""CSV texts (spec 04, 1.5; 05, 4.3)."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vpin_api import csvs
from vpin_api.v1.history import _wants_csv
from vpin_store.rows import Rollup


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (8, "8.0"),
        (-1 / 6, "-0.16666666666666666"),
        (1e22, "10000000000000000000000.0"),
        (1.5e-7, "0.00000015"),
        (0, "0.0"),
    ],
)
def test_numbers_are_decimal(value: float, text: str) -> None:
    assert csvs.number_text(value) == text


@given(st.floats(allow_nan=False))
def test_every_number_comes_back(value: float) -> None:
    text = csvs.number_text(value)
    assert "." in text
    assert set(text) <= set("-.0123456789")
    assert float(text) == csvs.number(value)


MOMENT = 1_528_408_880_123


@pytest.mark.parametrize(
    ("form", "zone", "text"),
    [
        ("TS", "UTC", str(MOMENT)),
        ("", "UTC", str(MOMENT)),
        ("ISO_SIMPLE", "Europe/Kiev", "2018-06-08 01:01:20"),
        ("ISO_INSTANT", "Europe/Kiev", "2018-06-08T01:01:20+03:00"),
        ("ISO_INSTANT", "", "2018-06-07T22:01:20Z"),
        ("ISO_INSTANT_Z", "Europe/Kiev", "2018-06-08T01:01:20EEST"),
        ("ISO_US", "UTC", "06/07/18 10:01:20 PM"),
        ("ISO_SIMPLE", "-02:30", "2018-06-07 19:31:20"),
    ],
)
def test_times(form: str, zone: str, text: str) -> None:
    assert csvs.moment(MOMENT, form, csvs.zone(zone) or UTC) == text


@pytest.mark.parametrize("name", ["Mars/Base", "+99:99", "../etc/passwd", "+", "\0"])
def test_unknown_zones(name: str) -> None:
    assert csvs.zone(name) is None


def test_quoting_and_names_of_entries() -> None:
    assert [csvs.quoted(text) for text in ("a", 'a"b', "a;b", "a\nb")] == ["a", '"a""b"', '"a;b"', "a b"]
    assert csvs.name_part(' a/b\\c:d*e?f"g<h>i|j and more than 16') == "abcdefghijandmor"
    assert csvs.label_part("Temp., °C (in)") == "TempCin"


def test_aggregates() -> None:
    rollup = Rollup(0, 4, 10.0, 1.0, 5.0, 3.0)
    names = ("avg", "min", "max", "sum", "count", "last")
    assert [csvs.aggregate(rollup, name) for name in names] == [2.5, 1, 5, 10, 4, 3]


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("text/csv", True),
        ("text/csv, */*;q=0.1", True),
        ("", False),
        ("*/*", False),
        ("application/json, text/csv", False),
    ],
)
def test_who_wants_csv(accept: str, wanted: bool) -> None:
    assert _wants_csv(accept) is wanted
