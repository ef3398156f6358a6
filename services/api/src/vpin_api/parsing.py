"""What stands in a pin request: path, pin, query and body, as spec 04 sections 1.2–1.4 read them. No IO."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec

BODY_LIMIT = 524_288  # bytes of a request body (web.request.max.size of the peer)

PROPERTIES = (
    "label", "color", "onBackColor", "offBackColor", "onColor", "offColor", "onLabel", "offLabel", "labels", "min",
    "max", "isOnPlay", "url", "urls", "step", "valueFormatting", "suffix", "maximumFractionDigits", "opacity", "scale",
    "rotation",
)  # fmt: skip
"""Widget properties in the order in which an update looks for them: the first that is there is taken."""

_RESERVED = frozenset((b"admin", b"static", b"docs", b"oauth2", b"device_uploads", b".well-known"))
"""First segments that are never a token (spec 04 section 3.1)."""

PUSH_MAX = 255  # characters of a push message

_PIN = re.compile(rb"([aAdDvV])\+?0*([0-9]{1,3})")
_TOKEN = re.compile(rb"[A-Za-z0-9_.~-]{1,64}")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_list_of_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode


class Pin(NamedTuple):
    kind: str  # "a", "d" or "v"
    number: int  # 0…255


class Path(NamedTuple):
    """`/{token}/{action}` or `/{token}/{action}/{pin}`, undecoded; `extra/pin` is one action."""

    token: bytes
    action: bytes
    pin: bytes  # empty when the path has none


class Change(NamedTuple):
    """What an update by GET asks for: a value (`name` is empty) or a widget property."""

    name: str
    values: list[str]


class Point(msgspec.Struct):
    """A point of history as `extra/pin` takes it; other keys are ignored."""

    timestamp: int = 0
    value: str | int | float | None = None

    def text(self) -> str | None:
        return None if self.value is None else str(self.value)


class Push(msgspec.Struct):
    body: str | None = None


class Mail(msgspec.Struct):
    to: str | None = None
    subj: str | None = None
    title: str | None = None


decode_points = msgspec.json.Decoder(list[Point]).decode
decode_push = msgspec.json.Decoder(Push | None).decode
decode_mail = msgspec.json.Decoder(Mail | None).decode


def parse_path(raw: bytes) -> Path | None:
    """The parts of a path that may be a pin route; None for anything else. No trailing, no doubled slash."""
    parts = raw.split(b"/")
    count = len(parts)
    if count == 5 and parts[2:4] == [b"extra", b"pin"] and parts[4]:
        parts[2:4] = [b"extra/pin"]
        count = 4
    if not 3 <= count <= 4 or parts[0] or not all(parts[1:]) or parts[1] in _RESERVED:
        return None
    return Path(parts[1], parts[2], parts[3] if count == 4 else b"")


def parse_token(raw: bytes) -> str | None:
    """The token as text; None when no token can look like this (that is: an unknown token)."""
    return raw.decode("ascii") if _TOKEN.fullmatch(raw) else None


def parse_pin(raw: bytes) -> Pin | None:
    """A letter, an optional `+`, a decimal 0…255 with any leading zeros; None for anything else."""
    found = _PIN.fullmatch(raw)
    if found is None or (number := int(found[2])) > 255:
        return None
    return Pin(found[1].decode("ascii").lower(), number)


def parse_change(query: bytes) -> Change | None:
    """All `value`s in order, else the first known property; None when there is neither, or an escape is broken."""
    if _BROKEN_ESCAPE.search(query):
        return None
    fields = parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True)
    values = [value for name, value in fields if name == "value"]
    if values:
        return Change("", values)
    given = dict(reversed(fields))  # of a repeated name the first one
    for name in PROPERTIES:
        if name in given:
            return Change(name, [given[name]])
    return None


def parse_values(body: bytes) -> list[str] | None:
    """The texts of a JSON array of scalars, numbers and words as they are written; None for any other body."""
    try:
        return [_scalar(bytes(item)) for item in _list_of_raw(body)]
    except (msgspec.MsgspecError, UnicodeError, RecursionError, _NoScalarError):
        return None


class _NoScalarError(ValueError):
    """An array or object inside the list."""


def _scalar(item: bytes) -> str:
    first = item[:1]
    if first == b'"':
        return _text(item)
    if first in (b"[", b"{"):
        raise _NoScalarError
    return item.decode("ascii")


def is_json(content_type: bytes) -> bool:
    """Whether a `Content-Type` names JSON anywhere, whatever its case."""
    return b"application/json" in content_type.lower()
