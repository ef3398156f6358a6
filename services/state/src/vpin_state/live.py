"""The last numbers that boards wrote to the pins of graphs (spec 05, 3.3): in memory only, lost with the process."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from vpin_state.pins import parse_number
from vpin_state.routes import route

if TYPE_CHECKING:
    from vpin_state.pins import Bank

POINTS = 60


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


def points_of(bank: Bank | None, kind: int, number: int) -> list[tuple[int, float]]:
    """(ms, number), oldest first."""
    return list((bank.live or {}).get((kind, number), ())) if bank is not None else []


def forget(bank: Bank, kind: int, number: int) -> None:
    if bank.live is not None:
        bank.live.pop((kind, number), None)
