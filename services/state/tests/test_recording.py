"""Which writes become points of history (spec 05, 3.1)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from vpin_messages.requests import PinRequest
from vpin_messages.slab import shard_of
from vpin_protocol import Command, hardware_frame
from vpin_state import sessions
from vpin_state.collect import collect
from vpin_state.handlers.graphs import forget
from vpin_state.handlers.pins import extra, update
from vpin_state.handlers.purging import PURGE
from vpin_state.outbox import Outbox
from vpin_state.pins import ANALOG, VIRTUAL
from vpin_state.purging import ACCOUNTS, ACTIVE_MS, WEEK_MS, Purging
from vpin_state.recording import Recorder
from vpin_state.rolling import DAY_MS, SETTLE_MS, Rolling
from vpin_state.templates import Template
from vpin_state.walk import hardware_frames
from vpin_store import StoreUnavailable
from vpin_store.rows import Changes, StreamKey

OK = 200


def graph(*pins, target=0, **fields):
    streams = [{"targetId": target, "pin": {"pin": p, "pinType": "VIRTUAL"}} for p in pins]
    return {"type": "ENHANCED_GRAPH", "id": 5, "width": 1, "height": 1, "dataStreams": streams, **fields}


@pytest.fixture
def drawn(world):
    """A graph of V1 of device 0."""
    assert world.app_status(Command.CREATE_WIDGET, 1, graph(1)) == OK
    world.clear()
    return world


def recorded(world):
    """(device, pin, at - now, value) of the points that wait for a commit, which takes them."""
    changes = Changes()
    collect(world.account, changes)
    return [(p.stream.device_id, p.stream.pin, p.at - world.fx.now, p.value) for p in changes.points]


def write(world, pin, value, board=None):
    world.send(board or world.board, 20, "vw", pin, value)


def walk(world, *frames):
    """Through the hot way."""
    data = b"".join(frames)
    slow = lambda session, command, message_id, body: world.send(session, command, body)  # noqa: E731
    hardware_frames(world.board, data, 0, len(data), world.fx.now, Outbox(), slow)


def frame(pin, value):
    return hardware_frame(20, 1, b"vw\0%d\0%s" % (pin, value))


def test_numbers_of_boards_to_pins_of_graphs(drawn):
    for pin, value in ((1, "2.5"), (1, "text"), (1, "1\x002"), (2, "3"), (1, "-7")):
        write(drawn, pin, value)
    assert recorded(drawn) == [(0, 1, 0, 2.5), (0, 1, 0, -7)]
    assert recorded(drawn) == []


def test_the_fast_way_records_the_same_and_keeps_the_pin(drawn):
    walk(drawn, frame(1, b"1"), frame(1, b"2"), frame(2, b"8"), frame(1, b"3"), frame(1, b"x"))
    bank = drawn.device.bank
    assert isinstance(bank.fast[b"vw\x001"], Recorder)
    assert bank.pin(VIRTUAL, 1).value == b"x"
    assert list(drawn.account.dirty.pins) == [bank.pin(VIRTUAL, 1), bank.pin(VIRTUAL, 2)]
    assert recorded(drawn) == [(0, 1, 0, 1), (0, 1, 0, 2), (0, 1, 0, 3)]
    assert [value for _, value in bank.live[VIRTUAL, 1]] == [1, 2, 3]


def test_apps_are_not_recorded(drawn):
    walk(drawn, frame(1, b"1"))
    recorded(drawn)
    drawn.send(drawn.app, 20, "1", "vw", 1, "5")
    assert recorded(drawn) == []


def test_without_an_active_dashboard_too(drawn):
    drawn.dash.active = False
    write(drawn, 1, "1")
    assert recorded(drawn) == [(0, 1, 0, 1)]


def test_only_devices_that_the_graph_covers(world):
    other = world.board_session(world.add_device(1))
    world.dash.settings["tags"] = [{"id": 100_000, "name": "t", "deviceIds": [1]}]
    assert world.app_status(Command.CREATE_WIDGET, 1, graph(1, target=100_000)) == OK
    write(world, 1, "1")
    write(world, 1, "2", other)
    assert recorded(world) == [(1, 1, 0, 2)]


def test_pins_of_reports_of_any_device(world):
    other = world.board_session(world.add_device(1))
    source = {"type": "DEVICE", "deviceIds": [0], "dataStreams": [{"pin": 5, "pinType": "VIRTUAL", "isSelected": True}]}
    report = {"type": "REPORT", "id": 9, "width": 1, "height": 1, "reportSources": [source]}
    assert world.app_status(Command.CREATE_WIDGET, 1, report) == OK
    write(world, 5, "1", other)
    write(world, 6, "1", other)
    assert recorded(world) == [(1, 5, 0, 1)]


@pytest.mark.parametrize(("history", "keep"), [("none", None), ("rollups", False), ("raw", True)])
def test_datastreams_of_templates(world, history, keep):
    stream = {"id": 1, "pin": 1, "pinType": "VIRTUAL", "valueType": "INT", "min": 0, "max": 9, "history": history}
    template = Template(world.account, "TMPLx", "t", {})
    template.streams.append({"enumValues": None, "enumFallback": None, "waitForConfirmation": 0, **stream})
    world.account.templates["TMPLx"] = template
    world.device.template_id = "TMPLx"
    write(world, 1, "12")
    points = world.account.dirty.points
    assert [(p.value, p.keep) for p in points] == ([] if keep is None else [(9, keep)])


def test_a_group_has_one_moment_on_the_fast_way_too(drawn):
    write(drawn, 1, "1")
    recorded(drawn)
    walk(drawn, hardware_frame(Command.GROUP, 1, b"t\x00%d" % (drawn.fx.now - 500)), frame(1, b"2"), frame(1, b"3"))
    walk(drawn, frame(1, b"4"), hardware_frame(Command.GROUP, 1, b"e"), frame(1, b"5"))
    assert recorded(drawn) == [(0, 1, -500, 2), (0, 1, -500, 3), (0, 1, -500, 4), (0, 1, 0, 5)]


class _Shell:
    """What the end of a session needs of an owner."""

    def __init__(self, world):
        self.begin = lambda account: world.fx
        self.settle = lambda account: None


@pytest.mark.parametrize(("who", "moment"), [("twin", -500), ("board", 0)])
def test_a_group_ends_with_its_own_connection_only(drawn, who, moment):
    sessions_of = {"board": drawn.board, "twin": drawn.board_session(drawn.device)}
    write(drawn, 1, "1")
    recorded(drawn)
    walk(drawn, hardware_frame(Command.GROUP, 1, b"t\x00%d" % (drawn.fx.now - 500)))
    shell: Any = _Shell(drawn)
    sessions.end(shell, sessions_of[who])
    other = drawn.board if who == "twin" else sessions_of["twin"]
    data = frame(1, b"2")
    hardware_frames(other, data, 0, len(data), drawn.fx.now, Outbox(), lambda *message: False)
    assert recorded(drawn) == [(0, 1, moment, 2)]


def test_http_writes_and_points_with_their_times(drawn):
    update(drawn.fx, drawn.device, PinRequest("update", "v", 1, ["4"]))
    points = [[drawn.fx.now - 9, "1"], [drawn.fx.now - 5, "x"], [drawn.fx.now - 7, "2.5"], [-1, "3"]]
    extra(drawn.fx, drawn.device, PinRequest("extra", "v", 1, ["1"], payload=json.dumps(points).encode()))
    assert recorded(drawn) == [(0, 1, 0, 4), (0, 1, -9, 1), (0, 1, -7, 2.5)]
    assert drawn.device.bank.pin(VIRTUAL, 1).value == b"1"


def test_deleted_history_takes_points_that_wait_along(drawn):
    write(drawn, 1, "1")
    forget(drawn.dash, 0, (VIRTUAL, 1))
    write(drawn, 1, "2")
    changes = Changes()
    collect(drawn.account, changes)
    assert [p.value for p in changes.points] == [2]
    assert changes.deleted_history == [(1, 1, 0, VIRTUAL, 1)]
    write(drawn, 1, "3")
    drawn.dash.remove_device(drawn.device)
    assert recorded(drawn) == []


class Store:
    """Counts."""

    def __init__(self):
        self.rolled, self.tidied, self.trimmed, self.away = [], 0, [], False
        self.accounts, self.since = [], 0

    async def roll_up(self, owner, shards):
        if self.away:
            raise StoreUnavailable
        self.rolled.append(shards)
        return 1

    async def tidy(self, now, raw_days):
        self.tidied += 1

    async def trim_minutes(self, keep, after, count):
        self.trimmed.append(after)
        return 7 if after == 0 else 0

    async def active_accounts(self, active_since, after, limit):
        if self.away:
            raise StoreUnavailable
        self.since = active_since
        return [account for account in self.accounts if account > after][:limit]


class Shard:
    def __init__(self, active):
        self.active = active


def rolling(store: Any, **shards: bool) -> Rolling:
    owned: Any = {int(k[1:]): Shard(v) for k, v in shards.items()}
    return Rolling(store, b"o" * 16, owned, Purging(store, 4, print), raw_days=7, minute_days=10)


def test_rolling_up_once_a_minute_and_again_after_the_database_was_away():
    store = Store()
    work = rolling(store, s0=True, s1=False, s2=True)
    start = 20_000 * DAY_MS + SETTLE_MS
    store.away = True
    work.tick(start, asyncio.run)
    assert store.rolled == []
    store.away = False
    for second in range(121):
        work.tick(start + second * 1000, asyncio.run)
    assert store.rolled == [[0, 2]] * 3
    assert store.tidied == 3
    assert store.trimmed == [0, 7]  # then all are done for the day
    work.tick(start + DAY_MS, asyncio.run)
    assert store.trimmed == [0, 7, 0]


def test_only_the_owner_of_shard_0_tidies_up():
    store = Store()
    rolling(store, s1=True).tick(DAY_MS, asyncio.run)
    assert store.rolled == [[1]]
    assert not store.tidied


def test_accounts_are_purged_once_a_week_some_a_minute():
    store: Any = Store()
    handed: list[int] = []
    work = Purging(store, 4, handed.append)
    start = 1000 * WEEK_MS

    def minutes(first: int, *shards: int) -> list[int]:
        handed.clear()
        for minute in range(5):
            asyncio.run(work.go_on(first + minute * 60_000, list(shards)))
        return list(handed)

    store.accounts = list(range(1, 2 * ACCOUNTS + 3))
    assert minutes(start - 60_000 * 5, 0, 1, 2, 3) == [], "the week in which the process starts"
    store.away = True
    with pytest.raises(StoreUnavailable):
        minutes(start, 0)
    store.away = False
    assert minutes(start, 0, 1, 2, 3) == store.accounts
    assert store.since == start + 2 * 60_000 - ACTIVE_MS
    assert minutes(start + WEEK_MS - 300_000, 0, 1, 2, 3) == [], "enough for this week"
    assert minutes(start + WEEK_MS, 1, 2) == [a for a in store.accounts if shard_of(a, 4) in (1, 2)]


def test_history_that_nothing_names_is_purged(drawn):
    drawn.add_device(1)
    source = {"type": "DEVICE", "deviceIds": [0], "dataStreams": [{"pin": 5, "pinType": "VIRTUAL", "isSelected": True}]}
    report = {"type": "REPORT", "id": 9, "width": 1, "height": 1, "reportSources": [source]}
    assert drawn.app_status(Command.CREATE_WIDGET, 1, report) == OK
    template = drawn.account.templates["TMPLx"] = Template(drawn.account, "TMPLx", "t", {})
    template.streams += [{"pin": pin, "pinType": "VIRTUAL", "history": h} for pin, h in ((7, "rollups"), (8, "none"))]
    drawn.add_device(2).template_id = "TMPLx"
    named = {(1, 0, VIRTUAL, 1), (1, 0, VIRTUAL, 5), (1, 1, VIRTUAL, 5), (1, 2, VIRTUAL, 7)}
    others = {(1, 0, VIRTUAL, 2), (1, 0, ANALOG, 1), (1, 1, VIRTUAL, 1), (1, 2, VIRTUAL, 8), (1, 9, VIRTUAL, 1)}
    others |= {(7, 0, VIRTUAL, 1)}
    for pin in named | others:
        drawn.past.record(StreamKey(drawn.account.id, *pin), 0, 1.0)
    drawn.perform(PURGE)
    drawn.store()
    assert {stream[1:] for _, stream in drawn.past.kept} == named
    assert drawn.app_status(Command.DELETE_WIDGET, "1\x005") == OK
    drawn.perform(PURGE)
    drawn.store()
    assert {stream[1:] for _, stream in drawn.past.kept} == named - {(1, 0, VIRTUAL, 1)}
