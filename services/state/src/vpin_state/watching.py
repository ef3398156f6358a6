"""An account that is watched (:mod:`vpin_messages.stream`): what happens there, as the events that readers are shown.

No IO: the shell (:mod:`vpin_state.watches`) sends what is new and ends watches that nobody prolongs.
"""

from __future__ import annotations

import secrets
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from vpin_messages.stream import KEPT, Shown

from vpin_state import typed_values
from vpin_state.device_numbers import number_of
from vpin_state.origins import NAMES, origin_of

if TYPE_CHECKING:
    from vpin_store.rows import EventRow

    from vpin_state.device import Device
    from vpin_state.model import Account, JsonObject
    from vpin_state.pins import Pin
    from vpin_state.session import Instance

KEPT_BYTES = 4 * 1024 * 1024
"""Of one account's events."""

_json = msgspec.json.Encoder().encode


class Watch:
    """The events of one account since somebody began to watch: the last ones are `kept`, those not yet sent are `fresh`."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.epoch = secrets.randbits(48) or 1
        self.number = 0  # of the last event
        self.kept: deque[Shown] = deque()
        self.fresh: list[Shown] = []
        self.until: dict[Instance, float] = {}  # processes with readers, and when (s) their interest ends
        self.ends = 0.0  # when (s) nobody will come back for what is kept
        self.looked = 0.0  # when (s) the dirty pins were looked at
        self._bytes = 0

    def show(self, kind: str, device: Device, told: JsonObject) -> None:
        """An event of a device; `told` is its JSON without the device."""
        number = number_of(device)
        self._add(kind, number, {"deviceId": number} | told)

    def show_value(self, pin: Pin) -> None:
        """A pin was written or erased; nothing for the values of tags and for pins that their device does not have."""
        dash = pin.bank.dash
        device = dash.devices.get(pin.bank.target)
        if device is None or device.bank is not pin.bank:
            return
        now = int(pin.updated_at)
        parts = typed_values.read(device, pin.kind, pin.number, now)
        known = parts is not None
        if not known and pin.known:
            return
        stream = typed_values.stream_of(device, pin.kind, pin.number)
        origin = NAMES[origin_of(pin.updated_at)] if pin.known else "default"
        value = typed_values.to_json(stream, parts or [])
        name = f"{pin.kind:c}{pin.number}".upper()
        told: JsonObject = {"pin": name, "value": value, "at": rfc3339(now), "source": origin, "seq": pin.seq}
        self.show("value", device, told)

    def behind(self, number: int) -> list[Shown] | None:
        """What came behind that number; None: not all of it is kept."""
        if number > self.number or self.number - number > len(self.kept):
            return None
        return [shown for shown in self.kept if shown.number > number] if number < self.number else []

    def _add(self, kind: str, device: int, told: JsonObject) -> None:
        self.number += 1
        shown = Shown(self.number, kind, device, _json(told))
        self.kept.append(shown)
        self.fresh.append(shown)
        self._bytes += len(shown.data)
        while len(self.kept) > KEPT or (self._bytes > KEPT_BYTES and len(self.kept) > 1):
            self._bytes -= len(self.kept.popleft().data)


def show_status(device: Device, now: int) -> None:
    """A device came or went."""
    if (watch := device.dash.account.watch) is not None:
        watch.show("status", device, {"status": "online" if device.online else "offline", "at": rfc3339(now)})


def show_event(device: Device, row: EventRow) -> None:
    """A device has logged an event, or one is resolved."""
    if (watch := device.dash.account.watch) is not None:
        told: JsonObject = {"id": row.id, "code": row.code, "severity": row.severity, "description": row.description}
        resolved = rfc3339(row.resolved_at) if row.resolved_at else None
        watch.show("event", device, told | {"at": rfc3339(row.at), "resolvedAt": resolved})


def rfc3339(ms: int) -> str:
    """A time as the management API writes it."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


__all__ = ["Watch", "rfc3339", "show_event", "show_status"]
