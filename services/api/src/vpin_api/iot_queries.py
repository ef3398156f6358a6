"""What stands in a query of the Blynk IoT HTTPS API (spec 04, part 2): pins are names of parameters. No IO."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from vpin_messages.requests import PinReply

from vpin_api import answers, parsing

WRONG_PARAMETERS = PinReply(400, b"Request with incorrect parameters")
WRONG_ID = PinReply(400, b"Wrong dataStreamId format.")

INTEGER = re.compile(r"[+-]?[0-9]{1,9}")
_PROPERTY = re.compile(r"[A-Za-z0-9]{1,50}")

Query = list[tuple[str, str]]


class Wanted(NamedTuple):
    """Pins and ids of datastreams, in the order of the owner's answer."""

    pins: list[parsing.Pin]
    ids: list[int]


def first(query: Query, name: str) -> str:
    """The first value of that name; "" where there is none."""
    return next((value for given, value in query if given == name), "")


def read_pin(query: Query) -> parsing.Pin | None:
    """The pin that `pin` names."""
    return _pin(first(query, "pin"))


def read_wanted(query: Query) -> Wanted | None:
    """What `get` asks for: `&v1&v2&dataStreamId=1`; None where that is nothing, or no pin."""
    wanted = Wanted([], [])
    for name, value in query:
        pin = _pin(name)
        if name == "dataStreamId" and INTEGER.fullmatch(value):
            wanted.ids.append(int(value))
        elif pin is None:
            return None
        elif pin not in wanted.pins:
            wanted.pins.append(pin)
    return wanted if wanted.ids or wanted.pins else None


def read_changes(query: Query) -> dict[str, Any] | PinReply:
    """What `iotUpdate` writes: `&v1=a&v1=b`, `&pin=V1&value=…` or `&dataStreamId=1&value=…`, mixed as one likes."""
    by_pin: dict[parsing.Pin, list[str]] = {}
    by_id: dict[int, list[str]] = {}
    values = [value for name, value in query if name == "value"]
    for name, value in query:
        if name == "value":
            continue
        if name == "dataStreamId":
            if not INTEGER.fullmatch(value):
                return WRONG_ID
            by_id[int(value)] = values
            continue
        pin = _pin(value if name == "pin" else name)
        if pin is None:
            return answers.WRONG_PIN
        if name == "pin":
            by_pin[pin] = values
        else:
            by_pin.setdefault(pin, []).append(value)
    if not by_pin and not by_id:
        return answers.WRONG_PIN
    if not all(by_pin.values()) or not all(by_id.values()):
        return WRONG_PARAMETERS
    return {"pins": list(by_pin), "ids": list(by_id), "values": [*by_pin.values(), *by_id.values()]}


def read_properties(query: Query) -> list[tuple[str, list[str]]] | None:
    """Properties and their values, by name; None where there are none, or a name is none."""
    properties: dict[str, list[str]] = {}
    for name, value in query:
        if name != "pin":
            properties.setdefault(name, []).append(value)
    return list(properties.items()) if properties and all(map(_PROPERTY.fullmatch, properties)) else None


def read_meta_field(query: Query) -> tuple[int, str] | None:
    """(number, name) of the field that is asked for; None: neither is there, or the number is none."""
    name, number = first(query, "metaFieldName"), first(query, "metaFieldId")
    if name:
        return 0, name
    return (int(number), "") if INTEGER.fullmatch(number) else None


def value_texts(value: Any) -> list[str]:
    """The texts of a point's value; ValueError where it is none."""
    items: list[Any] = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str | int | float) for item in items):
        raise ValueError("no value")
    return [str(int(item)) if isinstance(item, bool) else str(item) for item in items]


def _pin(text: str) -> parsing.Pin | None:
    return parsing.parse_pin(text.encode("utf-8", "replace"))
