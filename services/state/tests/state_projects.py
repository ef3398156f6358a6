"""Projects as Hypothesis makes them, in an account in memory."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from state_generated import DEVICES, TEXTS, Pair, objects, of_type, widgets
from state_world import World
from vpin_state import kinds_table as table
from vpin_state.kinds import read_widget

OK = 200
CREATE_DASH = 21
DASH = 2
QUICK = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)


DASHBOARDS = objects(table.OBJECTS["Dashboard"], 0, {"id": st.just((DASH, DASH)), "devices": st.just((None, None))})
BOARDS = objects(table.OBJECTS["Device"], 0, {"boardType": st.just(("ESP8266", "ESP8266"))})


@st.composite
def projects(draw: st.DrawFn, more: st.SearchStrategy[Pair] | None = None) -> Pair:
    """Projects with devices, tags and up to four widgets, and one of `more`; no two of them have an id."""
    sent, kept = draw(DASHBOARDS)
    made = draw(st.lists(widgets(), max_size=4))
    if more is not None:
        made.append(draw(more))
    for number, pair in enumerate(made):
        for widget in pair:
            widget["id"] = 200_000 + number
    devices = [draw(BOARDS) for _ in DEVICES]
    for number, pair in zip(DEVICES, devices, strict=True):
        for device in pair:
            device["id"] = number
    # a face: it costs nothing, so energy does not end
    sent |= {"widgets": [p[0] for p in made], "devices": [p[0] for p in devices], "parentId": 7}
    kept |= {"widgets": [p[1] for p in made], "devices": [p[1] for p in devices], "parentId": 7}
    return sent, kept


def created(sent: Any) -> World:
    world = World()
    assert world.app_status(CREATE_DASH, sent) == OK
    return world


def project(world: World) -> Any:
    found = world.profile(DASH)
    found.pop("updatedAt")
    return found


WRITES = st.lists(st.tuples(st.sampled_from("vda"), st.integers(0, 3), TEXTS), max_size=6)


@st.composite
def tiles(draw: st.DrawFn) -> Pair:
    """DEVICE_TILES whose templates have devices, pins and widgets."""
    sent, _ = draw(of_type("DEVICE_TILES"))
    pins = st.fixed_dictionaries({"pin": st.integers(0, 3), "pinType": st.sampled_from(["VIRTUAL", "DIGITAL"])})
    holders = st.lists(pins, min_size=1, max_size=2)
    sent["templates"] = [
        {
            "id": number,
            "deviceIds": DEVICES[:2],
            "pin": draw(pins),
            "widgets": [{**pin, "id": 9} for pin in draw(holders)],
        }
        for number in range(2)
    ]
    sent["tiles"] = [
        {"deviceId": d, "templateId": t["id"], "pin": t["pin"]} for t in sent["templates"] for d in t["deviceIds"]
    ]
    return sent, read_widget(sent)


def assert_written_by_the_rules(found: Any) -> None:
    """No null, empty text, list or object as the value of a key; the type first (spec 03, 2.1)."""
    if isinstance(found, list):
        for item in found:
            assert_written_by_the_rules(item)
    elif isinstance(found, dict):
        assert all(value or value == 0 for value in found.values()), found
        assert not {"type", "mode"} & found.keys() or next(iter(found)) in ("type", "mode")
        for value in found.values():
            assert_written_by_the_rules(value)
