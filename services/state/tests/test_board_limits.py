"""Boards at the edges of what their framing carries: heart-beats, buffers, values beyond measure (spec 01, 1.1, 3.5, 4.4)."""

from __future__ import annotations

import pytest
from state_world import NOW
from vpin_messages.entry import Opening
from vpin_messages.slab import Down
from vpin_protocol import HARDWARE_MAX_BODY, Command, app_frame
from vpin_state.handlers import presence
from vpin_state.outbox import Outbox
from vpin_state.walk import app_frames

LONGEST_VALUE = HARDWARE_MAX_BODY - len("vw\x001\0")
FOR_EVER = 0xFFFF_FFFF


@pytest.mark.parametrize(
    ("told", "seconds", "kept"),
    [
        ("1867377084", 4294967294, 1867377084),
        ("2147483647", FOR_EVER, 2147483647),
        ("2147483648", None, -1),
        ("9" * 60, None, -1),
        ("-2147483648", None, -2147483648),
        ("1e3", None, -1),
        ("", None, -1),
    ],
)
def test_a_heart_beat_beyond_all_measure(world, told, seconds, kept):
    world.send(world.board, Command.INTERNAL, "ver", "1", "h-beat", told, "cpu", "c")
    assert world.sent_to(world.board) == [(0, 5, 200)]
    found = [int.from_bytes(entry[9:], "big") for _, entry in world.fx.entries if entry[0] == Down.IDLE]
    assert found == ([] if seconds is None else [seconds])
    assert world.device.body["hardwareInfo"]["heartbeatInterval"] == kept


@pytest.fixture
def boastful(world):
    """The world with a board that says it takes two gigabytes."""
    assert world.ask(world.board, Command.INTERNAL, "ver", "1", "buff-in", "2000000000") == 200
    assert world.device.body["hardwareInfo"]["buffIn"] == 2_000_000_000
    return world


def test_no_buffer_takes_more_than_a_frame_carries(boastful):
    assert boastful.app_status(Command.HARDWARE, "1-0", "vw", 1, "x" * LONGEST_VALUE) is None
    assert boastful.app_status(Command.HARDWARE, "1-0", "vw", 1, "x" * (LONGEST_VALUE + 1)) == 7
    assert boastful.device.bank.pin(ord("v"), 1).value == b"x" * (LONGEST_VALUE + 1)


def test_the_fast_way_stops_at_a_frame_as_well(boastful):
    boastful.ask(boastful.app, Command.HARDWARE, "1-0", "vw", 1, "0")
    body = b"1-0\0vw\x001\0" + b"x" * (LONGEST_VALUE + 1)
    frame = app_frame(Command.HARDWARE, 7, body)
    slow = []
    app_frames(boastful.app, frame, 0, len(frame), NOW, Outbox(), lambda *message: bool(slow.append(message)))
    assert slow == [(boastful.app, Command.HARDWARE, 7, body)]


def test_only_short_spellings_of_a_pin_are_remembered(world):
    for pin in ("1", "001", "+1", "0" * 60_000 + "1"):
        world.send(world.board, Command.HARDWARE, "vw", pin, "5")
        world.ask(world.app, Command.HARDWARE, "1-0", "vw", pin, "5")
    assert list(world.device.bank.fast) == [b"vw\x001", b"vw\x00001", b"vw\0+1"]
    assert list(world.account.routes) == [b"1-0\0vw\x001", b"1-0\0vw\x00001", b"1-0\0vw\0+1"]


@pytest.fixture
def heavy(boastful):
    """The boastful world where 64 pins hold 64 KiB each: a sync of 4 MiB."""
    for pin in range(64):
        boastful.device.bank.pin(ord("v"), pin).set(b"x" * 65_500, NOW)
    return boastful


def test_who_asks_for_more_than_it_can_take_is_disconnected(heavy):
    twin = heavy.board_session(heavy.device)
    for _ in range(16):
        heavy.send(heavy.board, Command.HARDWARE_SYNC)
        assert len(heavy.sent_to(heavy.board)) == 64
    heavy.send(twin, Command.HARDWARE_SYNC)
    assert not heavy.closed(heavy.board)
    heavy.send(heavy.board, Command.HARDWARE_SYNC)
    assert heavy.closed(heavy.board)
    assert heavy.sent_to(heavy.board) == []
    assert len(heavy.sent_to(twin)) == 64
    assert not heavy.closed(twin)


def test_in_the_course_of_time_any_number_of_syncs_is_answered(heavy):
    for _ in range(40):
        heavy.fx.now += 1000
        heavy.send(heavy.board, Command.HARDWARE_SYNC)
        assert len(heavy.sent_to(heavy.board)) == 64
    assert not heavy.closed(heavy.board)


def test_one_request_for_gigabytes_is_not_answered(heavy):
    heavy.send(heavy.board, Command.HARDWARE_SYNC, "vr", *[1] * 30_000)
    assert heavy.sent_to(heavy.board) == []
    assert heavy.closed(heavy.board)


@pytest.fixture
def overgrown(boastful):
    """The boastful world where V1 holds more than a frame to a board carries, V2 what it just carries, V3 little."""
    for pin, value in ((1, "x" * (LONGEST_VALUE + 1)), (2, "y" * LONGEST_VALUE), (3, "3")):
        boastful.ask(boastful.app, Command.HARDWARE, "1-0", "vw", pin, value)
    return boastful


def test_a_sync_leaves_out_what_no_frame_carries(overgrown):
    whole = [(20, 5, b"vw\x002\0" + b"y" * LONGEST_VALUE), (20, 5, b"vw\x003\x003")]
    overgrown.send(overgrown.board, Command.HARDWARE_SYNC)
    assert overgrown.sent_to(overgrown.board) == whole
    overgrown.send(overgrown.board, Command.HARDWARE_SYNC, "vr", 1, 2, 3)
    assert overgrown.sent_to(overgrown.board) == whole


def test_a_board_logs_in_whatever_its_datastreams_hold(overgrown):
    streams = [{"id": n, "pin": n, "syncWithLatest": True} for n in (1, 2, 3)]
    overgrown.dash.settings["dataStreams"] = None
    assert overgrown.app_status(Command.UPDATE_DASH, {"id": 1, "name": "t", "dataStreams": streams}) == 200
    overgrown.fx.begin(overgrown.board, 1)
    presence.device_connected(overgrown.fx, overgrown.board, Opening(1, 29, "127.0.0.1"))
    status, *values = overgrown.sent_to(overgrown.board)
    assert status == (0, 1, 200)
    assert values == [(20, 1111, b"vw\x002\0" + b"y" * LONGEST_VALUE), (20, 1111, b"vw\x003\x003")]
