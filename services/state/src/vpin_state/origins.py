"""Who wrote a pin: `Pin.updated_at` is a moment (ms) whose type says it, so the hot way sets one attribute as ever.

A plain int is a moment at which a board wrote. The other types are ints in all that matters; give plain ints to what
encodes them (``int(moment)``).
"""

from __future__ import annotations

DEVICE, APP, HTTP, RULE = range(4)
"""As they are stored."""
NAMES = ("device", "app", "http", "rule")


class ByApp(int):
    """An app wrote."""

    __slots__ = ()


class ByHttp(int):
    """An HTTP API wrote."""

    __slots__ = ()


class ByRule(int):
    """A rule or timer of the server wrote."""

    __slots__ = ()


_TYPES: tuple[type[int], ...] = (int, ByApp, ByHttp, ByRule)
_ORIGINS = {kind: origin for origin, kind in enumerate(_TYPES)}


def moment(origin: int, now: int) -> int:
    """`now` as the moment of a write of that origin."""
    return _TYPES[origin](now)


def origin_of(moment: int) -> int:
    """Who wrote at it."""
    return _ORIGINS.get(type(moment), DEVICE)
