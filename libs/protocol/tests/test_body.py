from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vpin_protocol import BodyError, join, parse_int32, parse_int64, parse_pin, parse_target, split_all, split_first


def test_join_takes_bytes_text_and_integers():
    assert join(b"vw", 1, "é") == b"vw\x001\x00\xc3\xa9"
    assert join() == b""


@given(st.lists(st.binary().filter(lambda f: b"\0" not in f), min_size=1))
def test_fields_come_back(fields):
    assert split_first(join(*fields), len(fields)) == fields
    full = split_all(join(*fields))
    assert full == fields[: len(full)]
    assert not any(fields[len(full) :])


def test_first_fields_leave_the_rest():
    assert split_first(b"1\x00{a\x00b}", 2) == [b"1", b"{a\x00b}"]
    assert split_first(b"", 2) == [b""]
    assert split_all(b"a\x00\x00b\x00\x00") == [b"a", b"", b"b"]
    assert split_all(b"\x00\x00") == split_all(b"") == []


@given(st.integers(-(1 << 31), (1 << 31) - 1))
def test_int32(number):
    assert parse_int32(str(number).encode()) == number
    assert parse_int64(f"{number:+025}".encode()) == number


@pytest.mark.parametrize("field", [b"", b"+", b"-", b" 1", b"1 ", b"1_0", b"0x1", b"1.0", b"--1", "\uff11".encode()])
def test_not_an_integer(field):
    with pytest.raises(BodyError):
        parse_int32(field)
    with pytest.raises(BodyError):
        parse_pin(field)


@pytest.mark.parametrize("field", [b"2147483648", b"-2147483649", b"9" * 20, b"1" * 5000])
def test_out_of_range(field):
    with pytest.raises(BodyError):
        parse_int32(field)


def test_int64_range():
    assert parse_int64(b"-9223372036854775808") == -(1 << 63)
    with pytest.raises(BodyError):
        parse_int64(b"9223372036854775808")


@given(st.binary(max_size=8))
def test_any_field_is_a_number_or_a_body_error(field):
    for parse in (parse_int32, parse_int64, parse_pin, parse_target):
        try:
            parse(field)
        except BodyError:
            pass


def test_pins():
    assert [parse_pin(f) for f in (b"0", b"255", b"+5", b"05", b"-0")] == [0, 255, 5, 5, 0]
    for field in (b"256", b"-1"):
        with pytest.raises(BodyError):
            parse_pin(field)


def test_targets():
    assert parse_target(b"1-0") == (1, 0)
    assert parse_target(b"17-200000") == (17, 200000)
    assert parse_target(b"17") == (17, 0)
    for field in (b"", b"-", b"1-", b"-1", b"1-2-3", b"a-1"):
        with pytest.raises(BodyError):
            parse_target(field)
