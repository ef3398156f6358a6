"""The check that every frame arrives, in order: right streams in any chunks pass, each fault is seen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vpin_protocol import app_frame, app_response

from vpin.bench.stream import Checker, Direction, Stream

STREAMS = {direction: Stream(direction) for direction in Direction}
STREAM = STREAMS[Direction.DEVICE_APP]
SIZE = STREAM.expected_size


def arriving(first: int, count: int, stream: Stream = STREAM) -> bytes:
    start = first * stream.expected_size
    return (stream.expected * 2)[start : start + count * stream.expected_size]


@pytest.mark.parametrize("direction", Direction)
@settings(max_examples=50, deadline=None)
@given(
    first=st.integers(0, 8191),
    count=st.integers(0, 12_000),
    cuts=st.lists(st.integers(1, 100_000), max_size=6),
    responses=st.integers(0, 2),
)
def test_whole_streams_in_any_chunks(direction, first, count, cuts, responses):
    stream = STREAMS[direction]
    checker = Checker(stream, first)
    data = arriving(first, count, stream)
    if direction is Direction.DEVICE_APP:
        middle = count // 2 * stream.expected_size
        data = data[:middle] + app_response(5, 200) * responses + data[middle:]
    for cut in cuts:
        checker.feed(data[:cut])
        data = data[cut:]
    checker.feed(data)
    assert (checker.received, checker.errors, checker.statuses) == (count, [], {})


def test_a_lost_frame_is_seen():
    checker = Checker(STREAM)
    checker.feed(arriving(0, 10) + arriving(11, 10))
    assert checker.received == 10
    assert checker.errors


def test_a_frame_of_another_pair_is_seen():
    checker = Checker(STREAM, 7)
    checker.feed(arriving(7, 3) + arriving(500, 1) + arriving(10, 3))
    assert checker.received == 6
    assert len(checker.errors) == 1


def test_changed_values_and_refusals_are_seen():
    checker = Checker(STREAM)
    checker.feed(arriving(0, 1)[:-1] + b"x")
    checker.feed(app_response(9, 1) + app_frame(4, 1, b"1-0"))
    assert checker.received == 0
    assert checker.errors
    assert checker.statuses == {1: 1}


def test_the_values_run_and_wrap():
    assert STREAM.value(0) == STREAM.value(STREAM.cycle) == "000000"
    assert STREAM.value(STREAM.cycle - 1) == f"{STREAM.cycle - 1:06d}"
    assert arriving(5, 1).endswith(b"000005")
