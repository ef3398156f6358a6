"""Points of graphs: series of devices merged into one, and the answer that apps get (spec 05, 3.5). No IO."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpin_store.rows import Rollup

Points = list[tuple[int, float]]
"""(ms, value), oldest first."""

_head = struct.Struct(">i").pack
_point = struct.Struct(">dq").pack


def averages(rollups: Iterable[Rollup]) -> Points:
    """One point per period: what it was on average, at its start."""
    return [(rollup.at, _mean(rollup.total, rollup.count)) for rollup in rollups]


def merge(series: Iterable[Points], function: str) -> Points:
    """Points of several devices as one series: those of one moment joined by MIN, MAX, AVG, SUM or MED."""
    moments: dict[int, list[float]] = {}
    for points in series:
        for at, value in points:
            moments.setdefault(at, []).append(value)
    return [(at, _join(moments[at], function)) for at in sorted(moments)]


def pack(dash_id: int, streams: Sequence[Points]) -> bytes:
    """The answer's body."""
    parts = [_head(dash_id)]
    for points in streams:
        parts.append(_head(len(points)))
        parts += [_point(value, at) for at, value in points]
    return zlib.compress(b"".join(parts))


def _join(values: list[float], function: str) -> float:
    match function:
        case "MIN":
            return min(values)
        case "MAX":
            return max(values)
        case "SUM":
            return sum(values)
        case "MED":
            middle = sorted(values)
            half = len(middle) // 2
            return middle[half] if len(middle) % 2 else (middle[half - 1] + middle[half]) / 2
        case _:
            return _mean(sum(values), len(values))


def _mean(total: float, count: int) -> float:
    """Sums of the greatest numbers that there are may be infinite, which no client can show."""
    return total / count if math.isfinite(total) else math.copysign(1.7976931348623157e308, total)
