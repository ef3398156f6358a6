"""Time zones as boards ask for them: wall clocks, offsets, the next changes, the rule of a zone (spec 01, 3.4; 05, 2.4)."""

from __future__ import annotations

import functools
import importlib.resources
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

DAYS_AHEAD = 400
"""Within so many days a zone that changes its clocks does so."""
CHANGES = 2


def zone(name: str | None) -> tzinfo:
    """The zone of that name: IANA, or an offset such as ``+03:00``; UTC for none and for an unknown one."""
    if not name or name == "UTC":
        return UTC
    if (offset := _fixed(name)) is not None:
        return timezone(offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def local_seconds(now: int, place: tzinfo) -> int:
    """Seconds of the wall clock of a zone at `now` (ms), counted as if it were UTC."""
    return now // 1000 + _offset(now // 1000, place)


def answer(word: str, now: int, name: str) -> list[str] | None:
    """The fields that answer ``utc·word`` at `now` (ms) in the zone `name`; None for an unknown word."""
    place = zone(name)
    local = datetime.fromtimestamp(now / 1000, place)
    saving = local.dst() or timedelta()
    match word:
        case "time":
            return [str(now)]
        case "iso":
            return [local.isoformat(timespec="seconds")]
        case "tz":
            return [str(_minutes((local.utcoffset() or timedelta()) - saving)), str(_minutes(saving))]
        case "tz_name":
            return [name]
        case "tz_rule":
            return [rule(name)]
        case "dst_next":
            return [str(field) for change in changes(now // 1000, place) for field in change]
        case _:
            return None


def changes(now: int, place: tzinfo) -> list[tuple[int, int]]:
    """(epoch seconds, offset in minutes from then on) of the next changes of a zone's clock after `now`, at most two."""
    found: list[tuple[int, int]] = []
    day = 86_400
    for start in range(now, now + DAYS_AHEAD * day, day):
        low, high = start, start + day
        if _offset(low, place) == _offset(high, place):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(middle, place) == _offset(low, place) else (low, middle)
        found.append((high, _offset(high, place) // 60))
        if len(found) == CHANGES:
            break
    return found


@functools.lru_cache(1024)
def rule(name: str) -> str:
    """The zone's rule as POSIX writes it, such as ``EET-2EEST,M3.5.0/3,M10.5.0/4``."""
    fixed = _fixed(name)
    if fixed is None:
        found = zone(name)
        footer = _footer(found.key) if isinstance(found, ZoneInfo) else ""
        return footer or "UTC0"
    minutes = _minutes(fixed)
    hours = f"{abs(minutes) // 60}" + (f":{abs(minutes) % 60:02}" if minutes % 60 else "")
    return f"<{name}>{'-' if minutes > 0 else ''}{hours}"  # POSIX counts westwards


def _footer(key: str) -> str:
    """The last line of the zone's TZif file."""
    for folder in TZPATH:
        file = Path(folder, key)
        if file.is_file():
            return file.read_bytes().rsplit(b"\n", 2)[-2].decode()
    package = importlib.resources.files("tzdata").joinpath("zoneinfo", *key.split("/"))
    return package.read_bytes().rsplit(b"\n", 2)[-2].decode()


def _fixed(name: str) -> timedelta | None:
    """The offset that a name such as ``+03:00`` or ``-0330`` is."""
    digits = name[1:].replace(":", "")
    if name[0] not in "+-" or not digits.isdecimal() or len(digits) not in (1, 2, 4) or int(digits[:2]) > 23:
        return None
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return offset if name[0] == "+" else -offset


def _offset(seconds: int, place: tzinfo) -> int:
    return int((datetime.fromtimestamp(seconds, place).utcoffset() or timedelta()).total_seconds())


def _minutes(delta: timedelta) -> int:
    return int(delta.total_seconds()) // 60
