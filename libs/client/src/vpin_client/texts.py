"""Values as the pin APIs have them: texts."""

from __future__ import annotations

Part = bool | int | float | str
"""One part of a value; True and False are 1 and 0."""


def text_of(part: Part) -> str:
    """The text that is stored."""
    return part if isinstance(part, str) else str(int(part)) if isinstance(part, bool) else repr(part)


def texts_of(value: Part | list[Part]) -> list[str]:
    """Those of a value of one or several parts."""
    return [text_of(part) for part in value] if isinstance(value, list) else [text_of(value)]
