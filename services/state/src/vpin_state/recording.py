"""Which writes of boards and of the HTTP API become points of history (spec 05, 3.1 and 3.3), and how.

A pin that is recorded has a :class:`Recorder` in its route, compiled with it. Where such a pin simply takes its values, the
fast way finds the recorder in place of the pin (`Bank.fast`): it never looks dirty, so its :meth:`Recorder.mark` is called
for each write, and pins without history cost nothing. Points wait among the account's dirty marks for the next commit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vpin_store.history import LAST_MS
from vpin_store.rows import PointRow, StreamKey

from vpin_state import datastreams
from vpin_state.live import POINTS
from vpin_state.pins import FIRST_TAG, KIND_OF_NAME, parse_number
from vpin_state.places import members

if TYPE_CHECKING:
    from vpin_state.model import Dashboard, JsonObject
    from vpin_state.pins import Bank, Pin


class Recorder:
    """Takes what is written to one pin: for the fast way in the shape of a pin, else by :meth:`record`."""

    __slots__ = ("_keep", "_key", "_live", "_logged", "_pin", "_shard", "updated_at", "value")

    dirty = False

    def __init__(self, pin: Pin, *, logged: bool, keep: bool, live: bool) -> None:
        """`logged`: into the history, with `keep` each number as it came too; `live`: a graph shows the last numbers."""
        bank = pin.bank
        account = bank.dash.account
        self._pin = pin
        self._logged = logged
        self._keep = keep
        self._live = live
        self._key = StreamKey(account.id, bank.dash.id, bank.target, pin.kind, pin.number)
        self._shard = account.shard
        self.value: bytes | None = None
        self.updated_at = 0

    def mark(self) -> None:
        """The fast way has set `value` and `updated_at`."""
        pin = self._pin
        pin.value = value = self.value
        pin.updated_at = at = self.updated_at
        if not pin.dirty:
            pin.mark()
        if value is not None:
            self.record(value, pin.bank.moment or at)

    def record(self, value: bytes, at: int) -> None:
        """A board or the HTTP API has written `value` for the moment `at` (ms): a point, if it is one number."""
        number = parse_number(value)
        if number is None or not 0 <= at < LAST_MS:
            return
        bank = self._pin.bank
        if self._logged:
            bank.dash.account.mark_quietly().points.append(PointRow(self._key, at, number, self._keep, self._shard))
        if self._live:
            if bank.live is None:
                bank.live = {}
            key = (self._pin.kind, self._pin.number)
            points = bank.live.get(key)
            if points is None:
                points = bank.live[key] = deque(maxlen=POINTS)
            points.append((at, number))


def recorder(pin: Pin) -> Recorder | None:
    """What records the pin of a device; None where nothing does."""
    bank = pin.bank
    dash, key = bank.dash, (pin.kind, pin.number)
    if bank.target >= FIRST_TAG:
        return None
    live = key in live_pins(dash)
    keep = _kept(bank, *key) == "raw"
    logged = is_logged(bank, *key)
    return Recorder(pin, logged=logged, keep=keep, live=live) if logged or live else None


def is_logged(bank: Bank, kind: int, number: int) -> bool:
    """Whether the pin of a device has history: its datastream says so, or a report or graph of the dashboard names it."""
    key = (kind, number)
    return _kept(bank, *key) != "none" or _is_reported(bank.dash, key) or _is_drawn(bank.dash, bank.target, key)


def _kept(bank: Bank, kind: int, number: int) -> str:
    """What the datastream of the device's template says: none, rollups or raw."""
    device = bank.dash.devices.get(bank.target)
    if device is None or not device.template_id:
        return "none"
    stream = datastreams.find(datastreams.of(device) or [], kind, number)
    return (stream or {}).get("history") or "none"


def _is_reported(dash: Dashboard, key: tuple[int, int]) -> bool:
    """A report has the pin among its sources, for whatever device."""
    return any(
        "pinType" in stream and (KIND_OF_NAME[stream["pinType"]], stream["pin"]) == key
        for widget in dash.widgets
        if widget.type == "REPORT"
        for source in widget.json.get("reportSources", ())
        for stream in source.get("reportDataStreams", ())
    )


def _is_drawn(dash: Dashboard, device: int, key: tuple[int, int]) -> bool:
    """A graph shows the pin of this device."""
    for json, devices in _graphs(dash):
        for stream in json.get("dataStreams", ()):
            if pin_key(stream) != key:
                continue
            if devices is not None:
                covered = devices
            else:
                target = int(stream.get("targetId") or 0)
                covered = [target] if target < FIRST_TAG else members(dash, target)
            if device in covered:
                return True
    return False


def _graphs(dash: Dashboard) -> Iterator[tuple[JsonObject, list[int] | None]]:
    """Graphs; those in a tile template with its devices."""
    for widget in dash.widgets:
        if widget.type == "ENHANCED_GRAPH":
            yield widget.json, None
        for template in widget.json.get("templates", ()):
            for inner in template.get("widgets", ()):
                if inner["type"] == "ENHANCED_GRAPH":
                    yield inner, template.get("deviceIds", [])


def live_pins(dash: Dashboard) -> set[tuple[int, int]]:
    """(kind, number) of the pins of graphs that offer LIVE; of several graphs of a pin the first decides (spec 05, 3.3)."""
    decided: dict[tuple[int, int], bool] = {}
    for json, _ in _graphs(dash):
        offered = "LIVE" in json.get("selectedPeriods", ())
        for stream in json.get("dataStreams", ()):
            if (key := pin_key(stream)) is not None:
                decided.setdefault(key, offered)
    return {key for key, offered in decided.items() if offered}


def pin_key(stream: JsonObject | None) -> tuple[int, int] | None:
    """(kind, number) of the pin of a graph's data stream; None where it names none."""
    pin = stream.get("pin") if stream else None
    if not pin or "pinType" not in pin:
        return None
    return KIND_OF_NAME[pin["pinType"]], pin["pin"]
