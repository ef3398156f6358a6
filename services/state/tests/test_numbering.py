"""The running number of writes and who wrote (vpin_state.numbering, vpin_state.origins), and what a watch is shown."""

from __future__ import annotations

import json

from state_world import NOW, World
from vpin_protocol import Command, app_frame, hardware_frame
from vpin_state.collect import collect
from vpin_state.domain_events import value_events
from vpin_state.load import build_account
from vpin_state.numbering import number_writes
from vpin_state.origins import NAMES, ByApp, origin_of
from vpin_state.outbox import Outbox
from vpin_state.walk import app_frames, hardware_frames
from vpin_state.watching import Watch
from vpin_store.rows import AccountRows, Changes, DashboardRow, ValueRow


def pin(world: World, number: int = 1):
    return world.device.bank.pin(118, number)


def board_writes(world: World, value: bytes, now: int) -> None:
    """By the way that the owner takes: the hot one where it can."""
    frame = hardware_frame(Command.HARDWARE, 1, b"vw\0" + b"1\0" + value)
    slow = lambda *message: bool(world.send(message[0], message[1], *message[3].split(b"\0")))  # noqa: E731
    hardware_frames(world.board, frame, 0, len(frame), now, Outbox(), slow)


def app_writes(world: World, value: bytes, now: int) -> None:
    frame = app_frame(Command.HARDWARE, 1, b"1-0\0vw\0" + b"1\0" + value)
    slow = lambda *message: bool(world.send(message[0], message[1], *message[3].split(b"\0")))  # noqa: E731
    app_frames(world.app, frame, 0, len(frame), ByApp(now), Outbox(), slow)


def commit(world: World) -> list[ValueRow]:
    changes = Changes()
    collect(world.account, changes)
    return changes.values


def test_each_write_between_two_looks_has_one_number(world: World) -> None:
    for now in range(3):
        board_writes(world, b"%d" % now, 1000 + now)
    number_writes(world.account)
    assert (world.account.seq, pin(world).seq) == (1, 1)
    number_writes(world.account)
    assert world.account.seq == 1, "nothing is new"
    board_writes(world, b"7", 2000)
    number_writes(world.account)
    assert (world.account.seq, pin(world).seq) == (2, 2)


def test_the_same_value_later_is_another_write(world: World) -> None:
    for now in (3000, 4000):
        board_writes(world, b"7", now)
        number_writes(world.account)
    assert pin(world).seq == 2


def test_a_commit_numbers_what_nobody_has_looked_at_and_nothing_twice(world: World) -> None:
    board_writes(world, b"1", 1000)
    number_writes(world.account)
    world.send(world.board, Command.HARDWARE, "vw", 2, "x")
    assert {(row.pin, row.seq) for row in commit(world)} == {(1, 1), (2, 2)}
    assert commit(world) == []
    board_writes(world, b"2", 2000)
    assert [(row.pin, row.seq) for row in commit(world)] == [(1, 3)]


def test_who_wrote_is_known_on_the_fast_ways_too(world: World) -> None:
    for now in range(5000, 5003):  # the first one teaches the fast way
        board_writes(world, b"1", now)
        assert NAMES[origin_of(pin(world).updated_at)] == "device"
        app_writes(world, b"1", now)
        assert NAMES[origin_of(pin(world).updated_at)] == "app"
    assert world.account.routes
    assert world.device.bank.fast
    (row,) = commit(world)
    assert (row.source, row.updated_at, type(row.updated_at)) == (1, 5002, int)


def test_numbers_and_origins_are_loaded(world: World) -> None:
    row = world.account.row
    rows = AccountRows(row._replace(seq=9), [DashboardRow(1, 1, 0, True, 0, b"{}")])
    rows.values = [ValueRow(1, 1, 0, 118, 1, b"x", None, 77, 5, 2)]
    account = build_account(rows, 0)
    loaded = account.dashboards[1].banks[0].pins[118, 1]
    assert (account.seq, loaded.seq, loaded.updated_at, NAMES[origin_of(loaded.updated_at)]) == (9, 5, 77, "http")


def test_the_number_of_an_account_outlives_the_pin_that_had_it(world: World) -> None:
    board_writes(world, b"1", 1000)
    commit(world)
    pin(world).erase()
    changes = Changes()
    collect(world.account, changes)
    assert [row.seq for row in changes.accounts] == [2]


def test_a_watch_is_shown_values_in_order(world: World) -> None:
    board_writes(world, b"1", 1000)
    number_writes(world.account)
    watch = world.account.watch = Watch(world.account)
    board_writes(world, b"21.5", 2000)
    board_writes(world, b"22.5", 2000)
    number_writes(world.account)
    (shown,) = watch.fresh
    assert (shown.number, shown.kind) == (1, "value")
    told = json.loads(shown.data)
    assert (told["pin"], told["value"], told["source"], told["seq"]) == ("V1", 22.5, "device", 2)
    assert told["at"] == "1970-01-01T00:00:02.000Z"


def test_a_watch_keeps_a_bounded_number_of_events(world: World) -> None:
    watch = world.account.watch = Watch(world.account)
    for now in range(1500):
        board_writes(world, b"%d" % now, NOW + now)
        number_writes(world.account)
    assert len(watch.kept) == 1000
    assert watch.behind(499) is None
    assert len(watch.behind(500) or ()) == 1000
    assert watch.behind(1500) == []
    assert watch.behind(1501) is None, "of another time"


def test_large_events_are_kept_in_bounds_too(world: World) -> None:
    watch = world.account.watch = Watch(world.account)
    for now in range(300):
        board_writes(world, b"x" * 30_000, NOW + now)
        number_writes(world.account)
    assert sum(len(shown.data) for shown in watch.kept) <= 4 * 1024 * 1024
    assert watch.number == 300


def test_what_a_commit_has_stored_is_a_domain_event_for_those_who_want_it(world: World) -> None:
    board_writes(world, b"1", 1000)
    world.send(world.board, Command.HARDWARE, "vw", 2, "a", "b")
    ((key, body),) = value_events(commit(world))
    assert key == "value.changed"
    told = json.loads(body)
    assert told["account"] == 1
    first, second = sorted(told["values"], key=lambda value: value["pin"])
    assert first == {"dash": 1, "device": 0, "pin": "V1", "value": ["1"], "at": NOW, "source": "device", "seq": 1}
    assert second["value"] == ["a", "b"]


def test_values_of_tags_are_nobodys(world: World) -> None:
    watch = world.account.watch = Watch(world.account)
    world.dash.bank(100_000).pin(118, 1).set(b"1", NOW)
    number_writes(world.account)
    assert watch.fresh == []
