"""Pins: what boards and apps write, and what a write concerns.

A *pin* is (dashboard, target, kind, number) and has one state: a value as it was written (spec 07, 1), or for pins of a
terminal, map or advanced LCD the last few writes. The *target* is a device id or the id of a tag. What a write concerns
(spec 03, 8.1) is compiled into a :class:`Route` when it is first used, and forgotten whenever the dashboard's shape changes.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from vpin_state.numbering import number_erased

if TYPE_CHECKING:
    from vpin_state.model import Dashboard, Widget
    from vpin_state.recording import Recorder

VIRTUAL, DIGITAL, ANALOG = ord("v"), ord("d"), ord("a")
KINDS = {ord("v"): VIRTUAL, ord("V"): VIRTUAL, ord("d"): DIGITAL, ord("D"): DIGITAL, ord("a"): ANALOG, ord("A"): ANALOG}
KIND_OF_NAME = {"VIRTUAL": VIRTUAL, "DIGITAL": DIGITAL, "ANALOG": ANALOG}

FIRST_TAG = 100_000
FIRST_SELECTOR = 200_000


class Bank:
    """The pins of one target (device or tag) of a dashboard, and its properties of pins without a widget.

    `fast` maps the raw beginning of a board's write, b"vw\\0005", to the one pin that simply takes the value, or to
    its recorder. A write that is not in there takes the slow way, which fills it where the rules allow.
    """

    __slots__ = ("dash", "fast", "live", "moment", "pins", "properties", "routes", "target", "waits")

    def __init__(self, dash: Dashboard, target: int) -> None:
        self.dash = dash
        self.target = target
        self.pins: dict[tuple[int, int], Pin] = {}  # (kind, number)
        self.properties: dict[tuple[int, int, str], bytes] = {}  # (kind, number, name)
        self.routes: dict[tuple[int, int], Route] = {}
        self.fast: dict[bytes, Pin | Recorder] = {}
        self.moment = 0  # ms: of the group of writes that a board has open; 0: none
        self.live: dict[tuple[int, int], deque[tuple[int, float]]] | None = (
            None  # of graphs: (ms, number), oldest first
        )
        self.waits: dict[tuple[int, int], object] | None = None  # pins that wait for a confirmation

    def pin(self, kind: int, number: int) -> Pin:
        """The pin, made when it is new."""
        pin = self.pins.get((kind, number))
        if pin is None:
            pin = self.pins[kind, number] = Pin(self, kind, number)
        return pin

    def erase(self, kind: int, number: int) -> None:
        """The pin becomes never written."""
        if (pin := self.pins.get((kind, number))) is not None:
            pin.erase()

    def set_property(self, kind: int, number: int, name: str, value: bytes) -> None:
        """Store a property that no widget took (spec 03, 12)."""
        self.properties[kind, number, name] = value
        self.dash.account.mark().properties.add((self.dash.id, self.target, kind, number, name))

    def erase_properties(self, kind: int, number: int) -> None:
        for key in [k for k in self.properties if k[:2] == (kind, number)]:
            del self.properties[key]
            dirty = self.dash.account.mark()
            full = (self.dash.id, self.target, *key)
            dirty.properties.discard(full)
            dirty.deleted_properties.append(full)


class Pin:
    """State of one pin: `value` (parts joined by NUL, None: never written) or `lines` (several writes kept, oldest first).

    The hot path sets `value` and `updated_at` itself and calls nothing but ``owner.append`` for a pin that is not dirty yet.
    """

    __slots__ = ("bank", "dirty", "kind", "lines", "number", "seq", "updated_at", "value")

    def __init__(self, bank: Bank, kind: int, number: int) -> None:
        self.bank = bank
        self.kind = kind
        self.number = number
        self.value: bytes | None = None
        self.lines: list[bytes] | None = None
        self.updated_at = 0  # ms, with who wrote (vpin_state.origins)
        self.seq = 0  # number of the last write that was looked at (vpin_state.numbering)
        self.dirty = False

    def set(self, value: bytes, now: int) -> None:
        """Take a value at `now`, a moment of :mod:`vpin_state.origins`."""
        self.value = value
        self.updated_at = now
        self.mark()

    def mark(self) -> None:
        """The pin has to be stored."""
        if not self.dirty:
            self.dirty = True
            self.bank.dash.account.mark_quietly().pins.append(self)

    def erase(self) -> None:
        """Never written again."""
        self.value = None
        self.lines = None
        dash = self.bank.dash
        dirty = dash.account.mark()
        if self.dirty:
            self.dirty = False
            dirty.pins.remove(self)
        dirty.deleted_values.append((dash.id, self.bank.target, self.kind, self.number))
        dirty.account = True  # the number outlives the pin
        number_erased(dash.account, self)

    @property
    def known(self) -> bool:
        return self.value is not None or bool(self.lines)


class Route:
    """What a write of (kind, number) to a target concerns: the pins that take it, and the widgets behind them.

    No widget takes it: `pins` is the pin itself and `widgets` is empty (the pin store). `listed` is then the type of a
    widget behind a selector or in a tile template whose writes the store keeps as a list, or "" (spec 03, 12).
    """

    __slots__ = ("fast", "listed", "pins", "recorder", "widgets")

    def __init__(
        self,
        pins: list[Pin],
        widgets: list[Widget],
        fast: bool,
        listed: str = "",
        recorder: Recorder | None = None,
    ) -> None:
        self.pins = pins
        self.widgets = widgets
        self.listed = listed
        self.recorder = recorder  # what boards write becomes points of history
        self.fast = fast  # exactly one pin, nothing but the value to set, nobody else to run


LONGEST_NUMBER = 64
"""Bytes of a value from which on it is no number."""
_NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def parse_number(value: bytes) -> float | None:
    """The value as a finite number (spec 05, 2.2.1); None for a text or several parts."""
    if len(value) > LONGEST_NUMBER or not _NUMBER.fullmatch(value):
        return None
    number = float(value)
    return None if number in (float("inf"), float("-inf")) else number
