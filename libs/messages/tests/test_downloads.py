"""Names of downloads."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from vpin_messages import downloads
from vpin_messages.downloads import Csv, DeviceData, Report, Series

KEY = b"k" * 32


@given(
    email=st.text(max_size=50),
    csv=st.builds(
        Csv,
        account=st.integers(1, 2**62),
        dash=st.integers(-(2**31), 2**31 - 1),
        target=st.integers(0, 2**31 - 1),
        kind=st.sampled_from(b"vda"),
        pin=st.integers(0, 255),
        at=st.integers(0, 10**15),
    ),
)
def test_a_name_says_what_it_stands_for_and_nobody_else_can_make_it(email: str, csv: Csv) -> None:
    name = downloads.csv_name(KEY, email, csv)
    assert re.fullmatch(r"[\w@.+-]+\.csv\.gz", name, re.ASCII)
    assert downloads.read_csv_name(KEY, name) == csv
    assert downloads.read_csv_name(b"other", name) is None
    assert downloads.read_csv_name(KEY, "x" + name) is None


def test_the_old_form_of_names_stays() -> None:
    name = downloads.csv_name(KEY, "a@example.com", Csv(7, 1, 0, ord("v"), 8, 1795304400734))
    assert re.fullmatch(r"a@example\.com_1_0_v8_1795304400734_7-[\w-]{22}\.csv\.gz", name)
    assert downloads.read_csv_name(KEY, name.replace("_7-", "_8-")) is None
    report = downloads.report_name(KEY, "a/b@example.com", "Blynk", 7, 1, 11, "2026-11-22")
    assert re.fullmatch(r"a-b@example\.com_Blynk_11_2026-11-22_[\w-]{22}\.zip", report)
    assert report != downloads.report_name(KEY, "a/b@example.com", "Blynk", 7, 2, 11, "2026-11-22")


def test_recipes_come_back_as_they_were() -> None:
    series = [Series(0, "Board, 1", ord("v"), 5, "Temp")]
    report = Report(1, 5, 9, "minute", 1440, "MERGED_CSV", "TS", "UTC", "all", series)
    data = DeviceData(1, 0, 5, 9, "raw", "avg", "TS", "UTC", events=True, series=None)
    for recipe in (report, data):
        assert downloads.decode(downloads.encode(recipe)) == recipe
