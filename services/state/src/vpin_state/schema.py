"""From the tables' key lists to readers of JSON (spec 03, 2.2): lenient about types, strict about everything else.

A reader takes a decoded JSON value and returns it in the one form that is kept, or raises Refused(11). What is empty
(null, "", [], {}) is left out of objects, so what a reader returns can be written as it is.
"""

from __future__ import annotations

import math
import re
import struct
import sys
import zoneinfo
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from vpin_protocol import Status

from vpin_state import kinds_table as table
from vpin_state.errors import Refused

Reader = Callable[[Any], Any]
"""Reads a value that is neither missing nor null."""

_MISSING = object()
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_OFFSET = re.compile(r"[+-](0[0-9]|1[0-7]):[0-5][0-9]|[+-]18:00")
_BOARDS = frozenset(table.BOARDS.split(";"))
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False, "": False}


def bad() -> Refused:
    """The refusal of a value that does not fit."""
    return Refused(Status.ILLEGAL_COMMAND_BODY)


class Field(NamedTuple):
    """One key of an object. `default` None: absent. `null` is what a null is read as."""

    name: str
    old_name: str
    read: Reader
    default: Any
    null: Any
    private: bool


Fields = tuple[Field, ...]


def read_object(fields: Fields, raw: Any) -> dict[str, Any]:
    """The object with these keys, defaults filled in and what is empty left out; other keys are dropped."""
    if type(raw) is not dict:
        raise bad()
    found: dict[str, Any] = {}
    for name, old_name, read, default, null, _ in fields:
        value = raw.get(name, _MISSING)
        if value is _MISSING and old_name:
            value = raw.get(old_name, _MISSING)
        value = default if value is _MISSING else null if value is None else read(value)
        if value is not None and value != "" and value != [] and value != {}:
            found[name] = value
    return found


# -- scalars


def _integer(bits: int) -> Reader:
    limit = 1 << (bits - 1)

    def read(raw: Any) -> int:
        kind = type(raw)
        if kind is str:
            text = raw.strip()
            if text and not _INTEGER.fullmatch(text):
                raise bad()
            raw = int(text or "0")
        elif kind is float:
            raw = int(raw)
        elif kind is not int:
            raise bad()
        if not -limit <= raw < limit:
            raise bad()
        return raw

    return read


def _number(raw: Any) -> float:
    kind = type(raw)
    if kind is str:
        text = raw.strip()
        if text and not _DECIMAL.fullmatch(text):
            raise bad()
        raw = text or "0"
    elif kind is not float and kind is not int:
        raise bad()
    try:
        value = float(raw)
    except OverflowError:  # an integer of hundreds of digits
        raise bad() from None
    if math.isinf(value):
        raise bad()
    return value


def read_double(raw: Any) -> float:
    return _number(raw)


def read_float(raw: Any) -> float:
    """A 32-bit float, as the shortest decimal that stands for the same 32 bits."""
    return shortest(_number(raw))


@lru_cache(4096)
def shortest(value: float) -> float:
    """The shortest decimal among those that are the same 32-bit float; out of range: Refused(11)."""
    single = _single(value)
    if math.isinf(single):
        raise bad()
    for digits in range(1, 9):
        if _single(short := float(f"{single:.{digits}g}")) == single:
            return short
    return float(f"{single:.9g}")


def _single(value: float) -> float:
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.inf


def read_text(raw: Any) -> str:
    kind = type(raw)
    if kind is str:
        return raw
    if kind is bool:
        return "true" if raw else "false"
    if kind is int or kind is float:
        return str(raw)
    raise bad()


def read_bool(raw: Any) -> bool:
    kind = type(raw)
    if kind is bool:
        return raw
    if kind is int:
        return raw != 0
    if kind is str and (text := raw.strip()) in _TRUTH:
        return _TRUTH[text]
    raise bad()


def read_board(raw: Any) -> str:
    """A board label; any other text is a generic board (spec 03, 15.7)."""
    if type(raw) is not str:
        raise bad()
    return raw if raw in _BOARDS else "Generic Board"


def read_zone(raw: Any) -> str:
    """A time zone's name or offset; what is neither is UTC."""
    if type(raw) is not str:
        raise bad()
    return zone(raw)


@lru_cache(1024)
def zone(name: str) -> str:
    """The time zone that a text stands for: an IANA name, ``+03:00``, or UTC for anything else."""
    name = table.RENAMED_ZONES.get(name, name)
    if _OFFSET.fullmatch(name):
        return name
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"
    return name


# -- compounds


def _enumeration(members: tuple[str, ...]) -> Reader:
    known = {member: member for member in members}  # gives back the one text that all share

    def read(raw: Any) -> str:
        if type(raw) is str and raw in known:
            return known[raw]
        if type(raw) is int and 0 <= raw < len(members):
            return members[raw]
        raise bad()

    return read


def _list(read: Reader, null: Any, *, holes: bool) -> Reader:
    """A list. A null in it stays with `holes`, else becomes `null`, or goes where that is None."""

    def read_list(raw: Any) -> list[Any]:
        if type(raw) is not list:
            raise bad()
        if holes:
            return [None if item is None else read(item) for item in raw]
        return [null if item is None else read(item) for item in raw if item is not None or null is not None]

    return read_list


def _map(read: Reader) -> Reader:
    def read_map(raw: Any) -> dict[str, Any]:
        if type(raw) is not dict:
            raise bad()
        return {key: text for key, value in raw.items() if value is not None and (text := read(value)) != ""}

    return read_map


def _object(name: str) -> Reader:
    return lambda raw: read_object(OBJECTS[name], raw)


def _union(name: str) -> Reader:
    def read(raw: Any) -> dict[str, Any]:
        key, fallback, variants = UNIONS[name]
        if type(raw) is not dict:
            raise bad()
        tag = raw.get(key)
        tag = sys.intern(tag) if type(tag) is str and tag in variants else fallback
        if not tag:
            raise bad()
        return {key: tag, **read_object(variants[tag], raw)}

    return read


_ZERO: dict[str, Any] = {"bool": False, "int": 0, "short": 0, "long": 0, "float": 0.0, "double": 0.0}
_READERS: dict[str, Reader] = {
    "bool": read_bool,
    "int": _integer(32),
    "short": _integer(16),
    "long": _integer(64),
    "float": read_float,
    "double": read_double,
    "text": read_text,
    "zone": read_zone,
    "board": read_board,
    **{name: _enumeration(tuple(members.split())) for name, members in table.ENUMS.items()},
    **{name: _object(name) for name in table.OBJECTS},
    **{name: _union(name) for name in table.UNIONS},
    "Widget": lambda raw: _READERS["_Widget"](raw),
}


def _reader(kind: str) -> tuple[Reader, Any]:
    """The reader of a type of the tables, and what null and missing are without a default."""
    if kind.startswith("["):
        inner = kind[1:-1]
        read, null = _reader(inner.rstrip("?"))
        return _list(read, null, holes=inner.endswith("?") or inner == "text"), None
    if kind.startswith("{"):
        return _map(_reader(kind[1:-1])[0]), None
    return _READERS[kind], _ZERO.get(kind)


def compile_fields(keys: str) -> Fields:
    """The fields of a key list; a later key replaces an earlier one of the same name, which keeps its place."""
    fields: dict[str, Field] = {}
    for part in filter(None, map(str.strip, keys.split(","))):
        name, _, rest = part.partition(" ")
        kind, _, text = rest.partition("=")
        read, zero = _reader(kind)
        default = zero
        if text:
            given = text.split(" ") if kind.startswith("[") else float(text) if kind == "float" else text
            default = read(given)
        name, _, old_name = name.partition("|")
        private = name.startswith("!")
        name = sys.intern(name.removeprefix("!"))
        fields[name] = Field(name, old_name, read, default, default if zero is None else zero, private)
    return tuple(fields.values())


OBJECTS: dict[str, Fields] = {name: compile_fields(keys) for name, keys in table.OBJECTS.items()}
UNIONS: dict[str, tuple[str, str, dict[str, Fields]]] = {
    name: (key, fallback, {tag: compile_fields(keys) for tag, keys in variants.items()})
    for name, (key, fallback, variants) in table.UNIONS.items()
}
reader = _READERS.__getitem__
"""The reader of a named type."""


def register_widgets(read: Reader) -> None:
    """Tell how widgets are read: they are a union of their own (:mod:`vpin_state.kinds`)."""
    _READERS["_Widget"] = read
