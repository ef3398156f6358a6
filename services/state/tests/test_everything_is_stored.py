"""Whatever commands change in memory is among what is stored: loaded again, the account tells the same (spec 03; 07, 11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from state_generated import DEVICES, TEXTS, objects, of_type, widgets
from state_projects import QUICK
from state_world import NOW, World
from vpin_state import kinds_table as table
from vpin_state.collect import collect
from vpin_state.load import build_account
from vpin_state.profile import profile_json
from vpin_state.values import app_sync
from vpin_store.rows import AccountRows, Changes

FAST = frozenset(("updatedAt", "dataReceivedAt", "status"))
"""Stored some time, or not at all."""
CHILDREN = ("widgets", "devices", "values", "properties")
KEY_LENGTHS = {"accounts": 1, "dashboards": 2, "widgets": 3, "devices": 3, "values": 5, "properties": 6}
"""Columns of the primary keys: the first ones."""


class Tables:
    """A database in a few lines: rows by table and primary key."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[tuple[Any, ...], Any]] = {name: {} for name in KEY_LENGTHS}

    def commit(self, changes: Changes) -> None:
        for name in KEY_LENGTHS:
            self._delete(name, getattr(changes, f"deleted_{name}") if name != "accounts" else ())
        for name in CHILDREN:
            self._delete(name, changes.deleted_dashboards)
        for name in ("values", "properties"):
            self._delete(name, changes.deleted_devices)
        for name, length in KEY_LENGTHS.items():
            rows = getattr(changes, name)
            self.rows[name] |= {tuple(row[:length]) if name != "accounts" else (row.id,): row for row in rows}

    def _delete(self, name: str, prefixes: Sequence[tuple[Any, ...]]) -> None:
        rows = self.rows[name]
        self.rows[name] = {key: row for key, row in rows.items() if not any(key[: len(p)] == p for p in prefixes)}

    def load(self) -> AccountRows:
        by_position = lambda row: (row.position, row[2])  # noqa: E731
        rows = {name: list(found.values()) for name, found in self.rows.items()}
        return AccountRows(
            rows["accounts"][0],
            sorted(rows["dashboards"], key=lambda row: row.position),
            sorted(rows["widgets"], key=by_position),
            sorted(rows["devices"], key=by_position),
            values=rows["values"],
            properties=rows["properties"],
        )


def _numbered(pair: Any, number: int) -> Any:
    return {**pair[0], "id": number}


TYPES = {1: "DEVICE_TILES", 2: "TABLE", 3: "RGB", 4: "PLAYER", 5: "LED", 50: "SLIDER"}
"""Of the widgets that are there at first, by id; 50 is in the template of 1."""
ON_PIN = {"width": 1, "height": 1, "pinType": "VIRTUAL"}
AT_FIRST = [
    {"id": 2, "type": "TABLE", **ON_PIN, "pin": 2},
    {"id": 3, "type": "RGB", **ON_PIN, "pins": [{"pin": 3, "pinType": "VIRTUAL"}]},
    {"id": 4, "type": "PLAYER", **ON_PIN, "pin": 3},
    {"id": 5, "type": "LED", **ON_PIN, "deviceId": 1, "pin": 3},
    {"id": 1, "type": "DEVICE_TILES", **ON_PIN},
]
INNER = {"id": 50, "type": "SLIDER", **ON_PIN, "pin": 2, "deviceId": -1}
TEMPLATE = {"id": 1, "deviceIds": [0, 1], "pin": {"pin": 1, "pinType": "VIRTUAL"}}

PINS = st.integers(1, 3)
OLD = st.sampled_from(sorted(TYPES))
NEW = st.builds(_numbered, widgets(1), st.integers(6, 8))
CHANGED = OLD.flatmap(lambda number: st.builds(_numbered, of_type(TYPES[number], 0), st.just(number)))
TEMPLATES = st.fixed_dictionaries(
    {
        "id": st.integers(1, 2),
        "deviceIds": st.lists(st.sampled_from(DEVICES)),
        "pin": st.just({"pin": 1, "pinType": "VIRTUAL"}),
    }
)
BOARDS = st.fixed_dictionaries({"id": st.sampled_from(DEVICES), "boardType": st.just("ESP8266"), "name": TEXTS})
TAGS = st.just({"id": 100_000, "name": "t", "deviceIds": [0]})
SETTINGS = objects(table.OBJECTS["Settings"]).map(lambda pair: pair[0])
VALUES = TEXTS | st.sampled_from(["add\x001\x00n\x00v", "clr", "pick\x002", "play", "1\x002\x003"])
PROPERTIES = st.sampled_from(["label", "color", "min", "isOnPlay", "labels"])
PROJECTS = st.builds(
    lambda pair, found: {**pair[0], "id": 1, "widgets": found, "parentId": 7},
    objects(table.OBJECTS["Dashboard"]),
    st.lists(NEW | CHANGED, max_size=3),
)
PARTS: dict[tuple[int, ...], tuple[Any, ...]] = {
    (33,): (1, NEW),
    (33, 33): (1, 1, 1, NEW),
    (34, 34): (1, CHANGED),
    (35, 35): (1, OLD),
    (67, 68, 68): (1, 1, TEMPLATES),
    (69,): (1, 1, st.integers(1, 2)),
    (42, 43): (1, BOARDS),
    (44,): (1, st.sampled_from(DEVICES)),
    (46, 47): (1, TAGS),
    (48,): (1, 100_000),
    (38,): (1, SETTINGS),
    (7, 8, 23): (1,),
    (21, 22): (PROJECTS,),
    (19,): (1, OLD, PROPERTIES, VALUES),
    (20,): (st.sampled_from(["1-0", "1-1", "1-100000"]), "vw", PINS, VALUES),
}
"""What apps send: commands, and their parts."""
COMMANDS = st.one_of(
    *(
        st.tuples(st.sampled_from(commands), *(p if isinstance(p, st.SearchStrategy) else st.just(p) for p in parts))
        for commands, parts in PARTS.items()
    )
)
WRITES = st.tuples(st.just(20), st.just("vw"), PINS, VALUES) | st.tuples(st.just(19), PINS, PROPERTIES, VALUES)
"""(command of a board, parts)."""


@settings(QUICK, max_examples=60)
@given(
    st.lists(st.tuples(st.just("app"), COMMANDS) | st.tuples(st.just("board"), WRITES), max_size=14), st.integers(1, 4)
)
def test_what_is_loaded_again_is_what_was_there(commands: list[tuple[str, tuple[Any, ...]]], every: int) -> None:
    world, tables = World(), Tables()
    world.account.change(energy=10_000_000)
    world.dash.changed()
    world.device.changed()
    for command, *parts in (
        (42, 1, {"id": 1, "boardType": "ESP8266"}),
        *((33, 1, widget) for widget in AT_FIRST),
        (67, 1, 1, TEMPLATE),
        (33, 1, 1, 1, INNER),
    ):
        assert isinstance(answer := world.app_status(command, *parts), bytes) or answer == 200
    for number, (who, (command, *parts)) in enumerate(commands):
        boards = [s for dash in world.account.dashboards.values() for d in dash.devices.values() for s in d.sessions]
        session = world.app if who == "app" else boards[0] if boards else None
        if session is not None:
            world.send(session, command, *parts)
            assert 19 not in [body for kind, _, body in world.sent_to(session) if kind == 0], (command, parts)
            world.clear()
        if number % every == 0:
            _store(world, tables)
    _store(world, tables)
    account = build_account(tables.load(), 0)
    assert account.row.energy == world.account.row.energy
    assert _lasting(profile_json(account, NOW)) == _lasting(profile_json(world.account, NOW))
    for dash in world.account.dashboards.values():
        assert sorted(app_sync(account.dashboards[dash.id], NOW)) == sorted(app_sync(dash, NOW))


def _store(world: World, tables: Tables) -> None:
    changes = Changes()
    collect(world.account, changes)
    tables.commit(changes)


def _lasting(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _lasting(value) for key, value in found.items() if key not in FAST}
    return [_lasting(item) for item in found] if isinstance(found, list) else found
