"""Files of averages: 16 bytes a point, double value and int64 milliseconds, big endian (spec 05, 3.2)."""

from __future__ import annotations

import math
import struct
from pathlib import Path

from vpin_store.history import LAST_MS, Step
from vpin_store.rows import Rollup

RECORD = 16
_record = struct.Struct(">dq")


def read_rollups(path: Path, step: Step) -> tuple[list[Rollup], int]:
    """Rollups in the order of time, and the number of records that are none: no number, no time, cut off. OSError.

    A period that the old server wrote twice (late values) becomes one rollup of two. Behind a record that was cut off (a
    crash, a full disk) and written on after, the records are found again.
    """
    text = memoryview(path.read_bytes())
    found: dict[int, Rollup] = {}
    bad = start = 0
    while start + RECORD <= len(text):
        rest = text[start:]
        for value, at in _record.iter_unpack(rest[: len(rest) // RECORD * RECORD]):
            if at % step.ms and (cut := _cut(text[start:], step)):
                bad += 1
                start += cut
                break
            start += RECORD
            if not 0 < at < LAST_MS or not math.isfinite(value):
                bad += 1
                continue
            at -= at % step.ms
            before = found.get(at)
            found[at] = Rollup(at, 1, value, value, value, value) if before is None else _merged(before, value)
    return sorted(found.values()), bad + (start < len(text))


def _cut(text: memoryview, step: Step) -> int:
    """How long the record at the start of `text` is that was cut off; 0: it was not."""
    for length in range(1, RECORD):
        behind = length + RECORD
        if _is_sure(text, length, step) and (behind == len(text) or _is_sure(text, behind, step)):
            return length
    return 0


def _is_sure(text: memoryview, start: int, step: Step) -> bool:
    """There is a record at `start`: by chance hardly any eight bytes are the beginning of a period."""
    if start + RECORD > len(text):
        return False
    value, at = _record.unpack_from(text, start)
    return 0 < at < LAST_MS and at % step.ms == 0 and math.isfinite(value)


def _merged(before: Rollup, value: float) -> Rollup:
    least, greatest = min(before.least, value), max(before.greatest, value)
    return Rollup(before.at, before.count + 1, before.total + value, least, greatest, value)
