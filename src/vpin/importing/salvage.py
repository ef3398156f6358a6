"""The largest part of a JSON value that a reader takes: one number that does not fit must not cost a whole project."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vpin_state.errors import Refused

Read = Callable[[Any], Any]
Note = Callable[[str], None]

_GONE = object()
_TAGS = ("type", "mode")
"""Keys that decide how the rest of an object is read."""


def read_what_fits(read: Read, raw: Any, where: str, note: Note) -> Any:
    """What `read` makes of `raw` without the parts that it refuses; each of those is told to `note` by its path.

    None: nothing of it fits.
    """
    try:
        return read(raw)
    except (Refused, RecursionError):
        kept = _prune(read, raw, where, note)
        return None if kept is _GONE else read(kept)


def _prune(read: Read, raw: Any, where: str, note: Note) -> Any:
    if _fits(read, raw):
        return raw
    if type(raw) is dict:
        tags = {key: raw[key] for key in _TAGS if key in raw}
        if _fits(read, tags):
            kept = dict(tags)
            for key, value in raw.items():
                if key not in tags:
                    found = _prune(lambda part, key=key: read({**tags, key: part}), value, f"{where}.{key}", note)
                    if found is not _GONE:
                        kept[key] = found
            return kept
    elif type(raw) is list and _fits(read, []):
        parts = [_prune(lambda part: read([part]), part, f"{where}[{n}]", note) for n, part in enumerate(raw)]
        return [part for part in parts if part is not _GONE]
    note(where)
    return _GONE


def _fits(read: Read, raw: Any) -> bool:
    try:
        read(raw)
    except (Refused, RecursionError):
        return False
    return True
