"""Values as JSON: by the type of their datastream, or by their look where there is none (spec 04, 2.3; 08, 3 and 4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vpin_state import datastreams
from vpin_state.pins import KIND_OF_NAME

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.model import JsonObject

JsonValue = str | int | float | list[Any] | None

_number = re.compile(rb"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")
"""A number as JSON writes it; what is longer would not come back as it was."""


def read(device: Device, kind: int, number: int, now: int) -> list[bytes] | None:
    """The parts or lines of a pin at `now` (ms): its value, else its default, else []; None for one that the device lacks."""
    streams = datastreams.of(device)
    stream = None if streams is None else datastreams.find(streams, kind, number)
    if streams is not None and stream is None:
        return None
    pin = device.bank.pins.get((kind, number))
    if pin is not None and pin.lines and (stream is None or not datastreams.is_outdated(stream, pin, now)):
        return list(pin.lines)
    value = datastreams.current(stream, pin, now) if stream is not None else pin.value if pin is not None else None
    if value is None:
        return [] if stream is not None else None
    return value.split(b"\0")


def stream_of(device: Device, kind: int, number: int) -> JsonObject | None:
    """The datastream that speaks for a pin; None where it has none, or the device is of the legacy generation."""
    streams = datastreams.of(device)
    return None if streams is None else datastreams.find(streams, kind, number)


def known_pins(device: Device, now: int) -> list[tuple[int, int]]:
    """(kind, number) of the pins that have something to read: digital, analog, virtual, ascending; or in list order."""
    streams = datastreams.of(device)
    if streams is not None:
        pins = [(KIND_OF_NAME[s["pinType"]], s["pin"]) for s in streams]
        return [pin for pin in pins if read(device, *pin, now)]
    return sorted((p.kind, p.number) for p in device.bank.pins.values() if p.known)


def to_json(stream: JsonObject | None, parts: list[bytes]) -> JsonValue:
    """One part by itself, several as a list; null for none."""
    if not parts:
        return None
    values = [_part(stream, part) for part in parts]
    return values[0] if len(values) == 1 else values


def _part(stream: JsonObject | None, part: bytes) -> str | int | float:
    kind = stream["valueType"] if stream else ""
    text = part.decode(errors="replace")
    if kind == "STRING" or not _number.fullmatch(part):
        return text
    if kind == "DOUBLE":
        decimals = stream.get("decimals") if stream else None
        return float(text) if decimals is None else round(float(text), decimals)
    return float(text) if kind == "LOCATION" or not text.lstrip("-").isdigit() else int(text)
