"""The last numbers that boards wrote to the pins of graphs (spec 05, 3.3): in memory only, lost with the process."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from vpin_state.routes import route

if TYPE_CHECKING:
    from vpin_state.pins import Bank

POINTS = 60
LONGEST = 64
"""Bytes of a value from which on it is no number worth a point."""
_NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def record(bank: Bank, kind: int, number: int, value: bytes, at: int) -> None:
    """A board has written at `at` (ms): keep the number, if it is one and a graph of the pin offers LIVE."""
    if not route(bank, kind, number).live or (point := parse_number(value)) is None:
        return
    if bank.live is None:
        bank.live = {}
    points = bank.live.get((kind, number))
    if points is None:
        points = bank.live[kind, number] = deque(maxlen=POINTS)
    points.append((at, point))


def parse_number(value: bytes) -> float | None:
    """The value as a finite number; None for a text or several parts."""
    if len(value) > LONGEST or not _NUMBER.fullmatch(value):
        return None
    number = float(value)
    return None if number in (float("inf"), float("-inf")) else number


def points_of(bank: Bank | None, kind: int, number: int) -> list[tuple[int, float]]:
    """(ms, number), oldest first."""
    return list((bank.live or {}).get((kind, number), ())) if bank is not None else []


def forget(bank: Bank, kind: int, number: int) -> None:
    if bank.live is not None:
        bank.live.pop((kind, number), None)
