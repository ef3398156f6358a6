"""CSV as exports have it: numbers, times, quoting, names of entries (spec 04, 1.5 and 2.2; 05, 4.3). No IO."""

from __future__ import annotations

import math
import re
import sys
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from vpin_store.rows import Rollup

PART_MAX = 16
"""Characters of a name in the name of an entry, and of a label in a line."""
_FORBIDDEN = re.compile(r'[\\/:*?"<>|\s\0-\x1f]')
_PATTERNS = {
    "ISO_SIMPLE": "%Y-%m-%d %H:%M:%S",
    "ISO_INSTANT_Z": "%Y-%m-%dT%H:%M:%S%Z",
    "ISO_US": "%m/%d/%y %I:%M:%S %p",
}


def number(value: float) -> float:
    """The value, or the greatest number that there is: sums of such are infinite, which no reader knows."""
    return value if math.isfinite(value) else math.copysign(sys.float_info.max, value)


def number_text(value: float) -> str:
    """The shortest decimal number with a fraction, such as ``8.0``; never an exponent."""
    text = repr(number(float(value)))
    if "e" not in text:
        return text
    text = format(Decimal(text), "f")
    return text if "." in text else text + ".0"


def aggregate(rollup: Rollup, name: str) -> float:
    """`avg`, `min`, `max`, `sum`, `count` or `last` of a period."""
    match name:
        case "min":
            return rollup.least
        case "max":
            return rollup.greatest
        case "sum":
            return number(rollup.total)
        case "count":
            return rollup.count
        case "last":
            return rollup.last
        case _:
            return number(rollup.total / rollup.count)


def zone(name: str) -> tzinfo | None:
    """An IANA zone, or an offset such as ``+03:00``; UTC for "", None for an unknown name."""
    if not name:
        return UTC
    try:
        return datetime.strptime(name, "%z").tzinfo if name[0] in "+-" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def moment(ms: int, form: str, place: tzinfo) -> str:
    """A time in a format of reports: TS (or none), ISO_SIMPLE, ISO_INSTANT, ISO_INSTANT_Z, ISO_US."""
    if form not in _PATTERNS and form != "ISO_INSTANT":
        return str(ms)
    local = datetime.fromtimestamp(ms // 1000, place)
    if form == "ISO_INSTANT":
        return local.isoformat(timespec="seconds").replace("+00:00", "Z")
    return local.strftime(_PATTERNS[form])


def quoted(text: str) -> str:
    """A field of a line."""
    doubled = text.replace('"', '""').replace("\n", " ").replace("\r", " ")
    return f'"{doubled}"' if any(sign in text for sign in ',;"') else doubled


def name_part(text: str) -> str:
    """A name of a device or report in the name of an entry."""
    return _FORBIDDEN.sub("", text)[:PART_MAX]


def label_part(text: str) -> str:
    """A pin's label in the name of an entry."""
    return "".join(sign for sign in text if sign.isalnum())[:PART_MAX]
