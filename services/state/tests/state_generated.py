"""Objects of the model as apps might send them, each with what is to be kept of it (spec 03, 2.2), made from the tables.

A strategy here yields pairs (sent, kept): one JSON value in some spelling that is forgiven, and its normal form, ABSENT
where the key is left out. Nothing here looks at the readers that are tested by it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st
from vpin_state import kinds_table as table

Pair = tuple[Any, Any]
Pairs = st.SearchStrategy[Pair]


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
"""There is no such key, in what is sent or in what is kept."""
BITS = {"short": 16, "int": 32, "long": 64}
ZEROS = {"bool": False, "float": 0.0, "double": 0.0, **dict.fromkeys(BITS, 0)}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
DEVICES = [0, 1, 2]
TARGETS = [*DEVICES, 7, -1, 100_000, 100_009, 200_000, 200_001]
DEPTH = 2
"""How deep widgets are inside tile templates of each other."""


def _as_sent(*kept: Any) -> Pairs:
    return st.sampled_from(kept).map(lambda value: (value, value))


def _integers(bits: int) -> Pairs:
    limit = 1 << (bits - 1)
    numbers = st.integers(-limit, limit - 1) | st.integers(-3, 300)
    spelled = {
        "plain": lambda n: n,
        "text": str,
        "blanks": lambda n: f" {n} ",
        "plus": lambda n: f"+{n}" if n >= 0 else str(n),
        "cut off": lambda n: n + 0.75 if 0 <= n < 1 << 40 else n,
    }
    pairs = st.builds(lambda n, how: (spelled[how](n), n), numbers, st.sampled_from(sorted(spelled)))
    return pairs | st.just(("", 0))


def _floats(width: int) -> Pairs:
    numbers = st.floats(width=width, allow_nan=False, allow_infinity=False)  # type: ignore[arg-type]
    return st.builds(lambda n, text: (repr(n) if text else n, n), numbers, st.booleans()) | st.just(("", 0.0))


_BOOLS = st.sampled_from(
    [
        (True, True),
        (False, False),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("false", False),
        ("", False),
        (-5, True),
    ]
)
_TEXT_PAIRS = st.one_of(
    TEXTS.map(lambda t: (t, t)),
    st.sampled_from([(12, "12"), (1.5, "1.5"), (True, "true"), (False, "false"), ("a\0b", "a\0b"), ("", "")]),
)
_ZONE_PAIRS = st.sampled_from(
    [
        ("Europe/Kiev", "Europe/Kiev"),
        ("+03:00", "+03:00"),
        ("Asia/Hanoi", "Asia/Ho_Chi_Minh"),
        ("Nowhere", "UTC"),
        ("", "UTC"),
    ]
)
_BOARD_PAIRS = st.sampled_from(
    [("ESP8266", "ESP8266"), ("Bluz", "Bluz"), ("mine", "Generic Board"), ("", "Generic Board")]
)


def _is_empty(kept: Any) -> bool:
    return kept is None or (not kept and isinstance(kept, (str, list, dict)))


def _enumeration(members: list[str]) -> Pairs:
    return st.sampled_from([(m, m) for m in members] + list(enumerate(members)))


def _list(inner: Pairs, null: Any) -> Pairs:
    """A null in a list stays, becomes the `null` of numbers, or goes (ABSENT)."""
    items = st.lists(inner | st.just((None, null)), max_size=3)
    return items.map(lambda pairs: ([sent for sent, _ in pairs], [kept for _, kept in pairs if kept is not ABSENT]))


@cache
def _of(kind: str, depth: int) -> Pairs:
    """Pairs of a type of the tables, none of them null."""
    if kind.startswith("["):
        name = kind[1:-1].rstrip("?")
        inner = _of(name, depth)
        keeps_null = kind.endswith("?]") or name == "text"
        return _list(inner, None if keeps_null else ZEROS.get(name, ABSENT))
    if kind.startswith("{"):
        return st.dictionaries(TEXTS, _TEXT_PAIRS, max_size=2).map(
            lambda pairs: ({k: v[0] for k, v in pairs.items()}, {k: v[1] for k, v in pairs.items() if v[1]})
        )
    if kind in BITS:
        return _integers(BITS[kind])
    if kind in table.ENUMS:
        return _enumeration(table.ENUMS[kind].split())
    if kind in table.OBJECTS:
        return objects(table.OBJECTS[kind], depth)
    if kind in table.UNIONS:
        return _union(kind, depth)
    return {
        "bool": lambda: _BOOLS,
        "float": lambda: _floats(32),
        "double": lambda: _floats(64),
        "text": lambda: _TEXT_PAIRS,
        "zone": lambda: _ZONE_PAIRS,
        "board": lambda: _BOARD_PAIRS,
        "Widget": lambda: widgets(depth - 1) if depth else st.nothing(),
    }[kind]()


def _union(name: str, depth: int) -> Pairs:
    key, fallback, variants = table.UNIONS[name]
    tagged = st.sampled_from(sorted(variants)).flatmap(
        lambda tag: objects(variants[tag], depth).map(lambda pair: ({key: tag, **pair[0]}, {key: tag, **pair[1]}))
    )
    if not fallback:
        return tagged
    odd = st.sampled_from([None, "odd", 3])
    untold = st.builds(
        lambda tag, pair: ({key: tag, **pair[0]}, {key: fallback, **pair[1]}), odd, objects(variants[fallback], depth)
    )
    return tagged | untold


def objects(keys: str, depth: int = 0, given: dict[str, Pairs] | None = None) -> Pairs:
    """Objects with some of the keys of a list of the tables; `given`: other pairs for some keys, which are always there."""
    parts: dict[str, Pairs] = {}
    for part in filter(None, map(str.strip, keys.split(","))):
        names, _, rest = part.partition(" ")
        kind, _, text = rest.partition("=")
        name, _, old_name = names.removeprefix("!").partition("|")
        if given and name in given:
            parts[name] = given[name]
        elif depth or "Widget]" not in kind:
            parts[name] = _field(name, kind, text, depth)
        if old_name:  # one of both names
            parts[old_name] = st.just((ABSENT, ABSENT))
    return st.fixed_dictionaries(parts).map(_joined)


def _field(name: str, kind: str, text: str, depth: int) -> Pairs:
    """The pairs of a key, missing and null ones too."""
    default: Any = ZEROS.get(kind, ABSENT)
    if text:
        known: dict[str, Any] = {"true": True, "1.0": 1.0}
        default = known.get(text, int(text) if text.lstrip("-").isdecimal() else text)
        default = text.split(" ") if kind.startswith("[") else default
    null = ZEROS.get(kind, default)
    if name == "pin" and kind == "short":
        return _as_sent(0, 1, 2, 300)
    unset = st.sampled_from([(ABSENT, default), (ABSENT, default), (None, null)])
    found = _of(kind, depth) | _LIKELY[name] if name in _LIKELY else _of(kind, depth)
    if text and kind.startswith("["):  # an empty list is left out, and then read as the default
        found = found.filter(lambda pair: pair[1] != [])
    return st.one_of(unset, found)


_LIKELY = {
    "deviceIds": st.lists(st.sampled_from(DEVICES), min_size=1, max_size=3).map(lambda ids: (ids, ids)),
    "deviceId": _as_sent(*TARGETS),
}
"""Keys whose values would else seldom be of something that is there."""


def _joined(pairs: dict[str, Pair]) -> Pair:
    sent = {key: value for key, (value, _) in pairs.items() if value is not ABSENT}
    kept = {key: value for key, (_, value) in pairs.items() if value is not ABSENT and not _is_empty(value)}
    return sent, kept


@cache
def widgets(depth: int = DEPTH) -> Pairs:
    """Widgets of all types, on pins that are there and on others; `depth` 0: without widgets in tile templates."""
    return st.one_of(*(of_type(name, depth) for name in sorted(table.WIDGETS)))


@cache
def of_type(name: str, depth: int = DEPTH) -> Pairs:
    """Widgets of one type."""
    _, pins, _, _, keys, _ = table.WIDGETS[name]
    family = {table.ONE: table.ONE_PIN, table.MANY: table.MANY_PINS, table.NONE: ""}[pins]
    given = {"width": _as_sent(1, 2), "height": _as_sent(1, 5)}
    if "deviceId " in family + keys:
        given["deviceId"] = _as_sent(*TARGETS)
    if pins == table.ONE:
        given |= {"pin": _as_sent(-1, 0, 1, 2, 300), "pinType": _enumeration(table.ENUMS["PinType"].split())}
    merged = {part.split()[0].lstrip("!"): part for part in _keys(", ".join((table.COMMON, family, keys)))}
    return objects(", ".join(merged.values()), depth, given).map(
        lambda pair: ({"type": name, **pair[0]}, {"type": name, **pair[1]})
    )


def _keys(keys: str) -> list[str]:
    return [part.strip() for part in keys.split(",") if part.strip()]
