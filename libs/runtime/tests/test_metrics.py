"""Numbers that are read when they are asked for."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY, generate_latest
from vpin_runtime.metrics import counter, gauge


def test_the_value_is_read_at_the_time_of_the_scrape():
    frames = [1]
    counter("vpin_test_frames_total", "Frames.", lambda: frames[0], side="up")
    counter("vpin_test_frames_total", "Frames.", lambda: 7, side="down")
    frames[0] = 5
    text = generate_latest(REGISTRY).decode()
    assert 'vpin_test_frames_total{side="up"} 5.0' in text
    assert 'vpin_test_frames_total{side="down"} 7.0' in text
    assert "# TYPE vpin_test_frames_total counter" in text


def test_the_newest_reader_of_a_name_is_shown():
    gauge("vpin_test_sessions", "Sessions.", lambda: 1)
    gauge("vpin_test_sessions", "Sessions.", lambda: 2)
    assert REGISTRY.get_sample_value("vpin_test_sessions") == 2


def test_a_name_has_one_kind():
    gauge("vpin_test_kind", "Kind.", lambda: 1)
    with pytest.raises(ValueError, match="another kind"):
        counter("vpin_test_kind", "Kind.", lambda: 1)


def test_the_process_is_measured():
    assert REGISTRY.get_sample_value("process_resident_memory_bytes")
