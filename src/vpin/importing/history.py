"""Files of averages: 16 bytes a point, double value and int64 milliseconds, big endian (spec 05, 3.2)."""

from __future__ import annotations

import math
import struct
from pathlib import Path

from vpin_store.history import LAST_MS, Step
from vpin_store.rows import Rollup

RECORD = 16
_points = struct.Struct(">dq").iter_unpack


def count_points(path: Path) -> int:
    """How many points a file has, from its size."""
    return path.stat().st_size // RECORD


def read_rollups(path: Path, step: Step) -> tuple[list[Rollup], int]:
    """Rollups in the order of time, and the number of records that are none: no number, no time, cut off.

    A period that the old server wrote twice (late values) becomes one rollup of two.
    """
    text = path.read_bytes()
    whole = len(text) // RECORD * RECORD
    bad = int(whole < len(text))
    found: dict[int, Rollup] = {}
    for value, at in _points(memoryview(text)[:whole]):
        if not 0 < at < LAST_MS or not math.isfinite(value):
            bad += 1
            continue
        at -= at % step.ms
        before = found.get(at)
        found[at] = Rollup(at, 1, value, value, value, value) if before is None else _merged(before, value)
    return sorted(found.values()), bad


def _merged(before: Rollup, value: float) -> Rollup:
    least, greatest = min(before.least, value), max(before.greatest, value)
    return Rollup(before.at, before.count + 1, before.total + value, least, greatest, value)
