"""The token bucket of a connection; the clock is the test's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from vpin_protocol import HARDWARE_HEADER, hardware_frame, hardware_response
from vpin_sessions.quota import BURST, Bucket, first_frames


def test_a_burst_passes_and_then_the_rate():
    bucket, full = Bucket(100, 0.0), 100 * BURST
    assert bucket.take(full, 100, 0.0) == full
    assert bucket.take(1, 100, 0.0) == 0
    assert bucket.take(500, 100, 1.0) == 100
    assert bucket.take(10 * full, 100, 1000.0) == full


def test_how_long_to_wait_for_the_next():
    bucket = Bucket(100, 0.0)
    assert bucket.take(100 * BURST, 100, 0.0)
    assert bucket.take(1, 100, 0.004) == 0
    assert 0.0059 < bucket.wait(100) < 0.0061
    assert bucket.take(1, 100, 0.004 + 0.0061) == 1


def test_the_warning_comes_once_a_minute():
    bucket = Bucket(1, 0.0)
    assert [bucket.may_warn(now) for now in (0.0, 1.0, 59.9, 60.0, 61.0, 120.0)] == [
        True,
        False,
        False,
        True,
        False,
        True,
    ]


@given(st.lists(st.tuples(st.integers(1, 300), st.floats(0, 3)), max_size=50), st.integers(1, 200))
def test_never_more_than_the_burst_and_the_rate(reads, rate):
    bucket, now, passed = Bucket(rate, 0.0), 0.0, 0
    for frames, pause in reads:
        now += pause
        took = bucket.take(frames, rate, now)
        assert 0 <= took <= frames
        passed += took
        assert passed <= rate * (BURST + now) + 1e-6 * (1 + now)


def test_cutting_after_the_first_frames():
    frames = [hardware_frame(20, 1, b"ab"), hardware_response(2, 200), hardware_frame(6, 3)]
    data = b"".join(frames)
    assert first_frames(data, 0, HARDWARE_HEADER) == (0, 1)
    assert first_frames(data, 1, HARDWARE_HEADER) == (7, 2)
    assert first_frames(data, 2, HARDWARE_HEADER) == (12, 3)
