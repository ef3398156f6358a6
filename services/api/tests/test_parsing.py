from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vpin_api.parsing import (
    PROPERTIES,
    Change,
    Path,
    Pin,
    is_json,
    parse_change,
    parse_path,
    parse_pin,
    parse_token,
    parse_values,
)


@pytest.mark.parametrize(
    ("raw", "pin"),
    [
        (b"v1", Pin("v", 1)),
        (b"V255", Pin("v", 255)),
        (b"D0", Pin("d", 0)),
        (b"a7", Pin("a", 7)),
        (b"v01", Pin("v", 1)),
        (b"v+1", Pin("v", 1)),
        (b"v0000000255", Pin("v", 255)),
        (b"v", None),
        (b"1", None),
        (b"x1", None),
        (b"v-1", None),
        (b"v256", None),
        (b"v1x", None),
        (b"v99999999999", None),
        (b"%76%31", None),
        (b"vv1", None),
        (b"", None),
        ("v\u0661".encode(), None),
    ],
)
def test_pins(raw: bytes, pin: Pin | None) -> None:
    assert parse_pin(raw) == pin


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/t/get/v1", Path(b"t", b"get", b"v1")),
        (b"/t/isAppConnected", Path(b"t", b"isAppConnected", b"")),
        (b"/external/get/v1", Path(b"external", b"get", b"v1")),
        (b"/", None),
        (b"/t", None),
        (b"/t/get/", None),
        (b"/t/get/v1/", None),
        (b"/t/get/v1/x", None),
        (b"//get/v1", None),
        (b"/t//v1", None),
        (b"t/get/v1", None),
        (b"", None),
        (b"/static/get/v1", None),
        (b"/admin/get", None),
    ],
)
def test_paths(raw: bytes, path: Path | None) -> None:
    assert parse_path(raw) == path


def test_tokens_are_up_to_64_plain_characters() -> None:
    assert parse_token(b"aZ09_.~-") == "aZ09_.~-"
    assert parse_token(b"a" * 64) == "a" * 64
    assert [parse_token(raw) for raw in (b"a" * 65, b"a%20", b"\xff", b"")] == [None] * 4


@pytest.mark.parametrize(
    ("query", "change"),
    [
        (b"value=5", Change("", ["5"])),
        (b"value=3&value=1&value=2", Change("", ["3", "1", "2"])),
        (b"value=a%20b+c%23%E2%82%AC", Change("", ["a b c#€"])),
        (b"value=", Change("", [""])),
        (b"value", Change("", [""])),
        ("value=é".encode(), Change("", ["é"])),
        (b"value=%B0C", Change("", ["\ufffdC"])),
        (b"value=a%00b", Change("", ["a\0b"])),
        (b"label=x&value=1", Change("", ["1"])),
        (b"color=%23ff0000&label=Lamp", Change("label", ["Lamp"])),
        (b"max=9&max=8", Change("max", ["9"])),
        (b"label=New%20Label", Change("label", ["New Label"])),
        (b"", None),
        (b"foo=5", None),
        (b"VALUE=1", None),
        (b"isDisabled=1", None),
        (b"value=%", None),
        (b"value=%2", None),
        (b"value=%zz", None),
        (b"value=1&x=%", None),
    ],
)
def test_updates_by_query(query: bytes, change: Change | None) -> None:
    assert parse_change(query) == change


def test_the_first_property_of_the_list_is_taken() -> None:
    query = "&".join(f"{name}={name}" for name in reversed(PROPERTIES)).encode()
    assert parse_change(query) == Change("label", ["label"])


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (b'["1"]', ["1"]),
        (b"[]", []),
        (b' [ "a" , "b" ] ', ["a", "b"]),
        (b"[7, 7.50, 1e3, -0, true, null]", ["7", "7.50", "1e3", "-0", "true", "null"]),
        (b"[123456789012345678901234567890]", ["123456789012345678901234567890"]),
        ('["é"]'.encode(), ["é"]),
        (rb'["x\u0000y"]', ["x\0y"]),
        (rb'["\u20ac"]', ["€"]),
    ],
)
def test_lists_of_scalars(body: bytes, values: list[str]) -> None:
    assert parse_values(body) == values


@pytest.mark.parametrize(
    "body",
    [
        b'"100"',
        b"",
        b"7",
        b"{}",
        b'{"a":1}',
        b"[",
        b"[[1]]",
        b'[{"a":1}]',
        b"['7']",
        b"null",
        b'["7"] junk',
        b"[01]",
        b"[1.]",
        b"[NaN]",
        b"[tru]",
        b'["\xff"]',
        rb'["\ud800"]',
        b"\xff\xfe[\x001\x00]",
        b"[" * 500_000,
        b'["a\nb"]',
    ],
    ids=range(20),
)
def test_no_lists_of_scalars(body: bytes) -> None:
    assert parse_values(body) is None


@given(st.lists(st.text().filter(lambda text: text.isprintable())))
def test_every_list_of_texts_is_read(values: list[str]) -> None:
    assert parse_values(json.dumps(values).encode()) == values


@given(st.binary(max_size=60))
def test_any_body_gives_texts_that_can_be_sent_or_nothing(body: bytes) -> None:
    for value in parse_values(body) or []:
        value.encode()


def test_content_types() -> None:
    assert is_json(b"application/json")
    assert is_json(b"Application/JSON; charset=utf-8")
    assert not any(map(is_json, (b"", b"text/json", b"text/plain", b"application/x-www-form-urlencoded")))
