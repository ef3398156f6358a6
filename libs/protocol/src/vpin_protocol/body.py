"""Bodies: fields between NULs, decimal integers, pins, targets (spec 02, section 2)."""

from __future__ import annotations

NUL = b"\0"

_INT32 = 1 << 31
_INT64 = 1 << 63


class BodyError(ValueError):
    """A body that cannot be understood; the answer is ILLEGAL_COMMAND (2) unless the command's table says otherwise."""


def join(*fields: bytes | str | int) -> bytes:
    """Fields with one NUL between; text as UTF-8, integers as digits."""
    return NUL.join([f if isinstance(f, bytes) else str(f).encode() for f in fields])


def split_first(body: bytes, fields: int) -> list[bytes]:
    """At most ``fields`` fields; the last one keeps the rest with its NULs. An empty body is one empty field."""
    return body.split(NUL, fields - 1)


def split_all(body: bytes) -> list[bytes]:
    """Every field, empty ones at the end dropped: of an empty body none is left."""
    stripped = body.rstrip(NUL)
    return stripped.split(NUL) if stripped else []


def parse_int32(field: bytes) -> int:
    """A signed decimal integer of 32 bits; ``+5`` and ``05`` are numbers, blanks and anything else are not."""
    return _parse(field, _INT32)


def parse_int64(field: bytes) -> int:
    """The same with 64 bits: ids of widgets and tile templates."""
    return _parse(field, _INT64)


def parse_pin(field: bytes) -> int:
    """A pin, 0…255; ``+5`` and ``05`` are accepted."""
    pin = _PINS.get(field)
    if pin is not None:
        return pin
    pin = _parse(field, _INT32)
    if not 0 <= pin <= 255:
        raise BodyError(f"pin {pin} is not in 0…255")
    return pin


def parse_target(field: bytes) -> tuple[int, int]:
    """(dashboard, target) of ``dash-target``; without a target it is 0, the first device."""
    dash, dashed, target = field.partition(b"-")
    return parse_int32(dash), parse_int32(target) if dashed else 0


_PINS = {str(pin).encode(): pin for pin in range(256)}


def _parse(field: bytes, limit: int) -> int:
    digits = field[1:] if field[:1] in (b"+", b"-") else field
    if not digits.isdigit():
        raise BodyError("not a decimal integer")
    digits = digits.lstrip(b"0")
    if len(digits) > 19:  # no 64-bit integer has more, and long ones are slow to convert
        raise BodyError("integer out of range")
    value = int(digits or b"0")
    if field[:1] == b"-":
        value = -value
    if not -limit <= value < limit:
        raise BodyError("integer out of range")
    return value
