"""Values and properties of pins without a widget, as a profile has them in `pinsStorage` (spec 03, 12 and 17)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vpin_state.kinds import PROPERTIES

if TYPE_CHECKING:
    from vpin_state.model import Account

    from vpin.importing.report import Notes

_KEY = re.compile(r"(-?\d{1,10})-(-?\d{1,10})-([vda])(\d{1,5})(?:-(.+))?", re.DOTALL)
_INT32 = 1 << 31


def take_values(account: Account, storage: Any, prefix: str, at: int, notes: Notes) -> None:
    """Put the entries where they belong, as written at `at` (ms); `prefix` is the part that their keys lack."""
    for key, value in storage.items() if type(storage) is dict else ():
        _store(account, prefix + key, value, at, notes)


def _store(account: Account, key: str, value: Any, at: int, notes: Notes) -> None:
    """Put one entry of the pin storage where it belongs (spec 03, 12)."""
    match = _KEY.fullmatch(key)
    if match is None:
        notes.add("value", "pinsStorage", "a key that names no pin")
        return
    dash_id, target, number = int(match[1]), int(match[2]), int(match[4])
    dash = account.dashboards.get(dash_id)
    if dash is None:
        notes.add("value", "pinsStorage", f"values of project {dash_id}, which is gone")
        return
    if number > 255 or not -_INT32 <= target < _INT32:
        notes.add("value", "pinsStorage", "values of pins that cannot be")
        return
    kind, name = ord(match[3]), match[5]
    bank = dash.bank(target)
    lines = value.get("values") if type(value) is dict else None
    if name is not None and type(value) is str:
        bank.set_property(kind, number, name if name in PROPERTIES else "label", value.encode())
    elif name is None and type(value) is str:
        if not (pin := bank.pin(kind, number)).known:  # a widget's own value counts
            pin.set(value.encode(), at)
    elif name is None and type(lines) is list and all(type(line) is str for line in lines):
        pin = bank.pin(kind, number)
        pin.lines, pin.updated_at = [line.encode() for line in lines], at
        pin.mark()
    else:
        notes.add("value", "pinsStorage", "neither a text nor a list")
