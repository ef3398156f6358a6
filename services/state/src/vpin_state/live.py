"""The last numbers that boards wrote to the pins of graphs (spec 05, 3.3): in memory only, lost with the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpin_state.pins import Bank

POINTS = 60
"""Of a pin; :mod:`vpin_state.recording` puts them there."""


def points_of(bank: Bank | None, kind: int, number: int) -> list[tuple[int, float]]:
    """(ms, number), oldest first."""
    return list((bank.live or {}).get((kind, number), ())) if bank is not None else []


def forget(bank: Bank, kind: int, number: int) -> None:
    if bank.live is not None:
        bank.live.pop((kind, number), None)
