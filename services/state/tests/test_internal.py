"""Command 17 of boards: hardware info and what it changes, meta data (spec 01, 3.3–3.5, 10.1)."""

from __future__ import annotations

import dataclasses

import pytest
from vpin_messages.slab import Down
from vpin_protocol import Command

IOT = ["mcu", "1.2.3", "fw-type", "TMPLx", "build", "Nov 21 2026", "blynk", "1.4.0", "h-beat", 40, "buff-in", 256]


def info(world, *parts):
    assert world.ask(world.board, Command.INTERNAL, *parts) == 200
    return world.device.body["hardwareInfo"]


def test_the_info_of_the_current_library(world):
    found = info(world, *IOT, "dev", "ESP32", "cpu", "c", "con", "WiFi", "tmpl", "TMPLx")
    assert found == {
        "version": "1.2.3",
        "fwType": "TMPLx",
        "build": "Nov 21 2026",
        "blynkVersion": "1.4.0",
        "heartbeatInterval": 40,
        "buffIn": 256,
        "boardType": "ESP32",
        "cpuType": "c",
        "connectionType": "WiFi",
        "templateId": "TMPLx",
    }


@pytest.mark.parametrize(
    "first", ["ver", "blynk", "fw", "mcu", "ncp", "fw-type", "build", "tmpl", "dev", "cpu", "con", "h-beat"]
)
def test_any_key_may_come_first(world, first):
    assert info(world, first, "x", "buff-in", 300)["buffIn"] == 300


def test_info_may_begin_with_a_key_that_nobody_knows(world):
    assert info(world, "id", "7", "ver", "1", "buff-in", 300)["buffIn"] == 300


def test_new_info_replaces_the_old_and_a_lonely_key_is_dropped(world):
    info(world, "ver", "1", "cpu", "old", "buff-in", 512)
    assert info(world, "ver", "2", "dev") == {"blynkVersion": "2", "heartbeatInterval": 0, "buffIn": 250}


@pytest.mark.parametrize(
    ("heartbeat", "seconds"), [(1, 3), (2, 5), (10, 23), (40, 92), (0, None), (-1, None), ("often", None)]
)
def test_the_heartbeat_sets_the_time_out(world, heartbeat, seconds):
    world.send(world.board, Command.INTERNAL, "ver", "1", "h-beat", heartbeat)
    found = [entry[9:] for _, entry in world.fx.entries if entry[0] == Down.IDLE]
    assert found == ([] if seconds is None else [seconds.to_bytes(4, "big")])


def test_without_a_time_out_the_heartbeat_changes_nothing(world):
    world.fx.config = dataclasses.replace(world.fx.config, hardware_idle_timeout=0)
    world.send(world.board, Command.INTERNAL, "ver", "1", "h-beat", 1)
    assert world.fx.entries == []


@pytest.mark.parametrize(("told", "limit"), [("512", 507), ("0", 245), ("plenty", 245), (None, 245)])
def test_the_buffer_limits_what_a_board_is_sent(world, told, limit):
    assert world.device.body_limit == 250  # as long as it has told nothing
    info(world, "ver", "1", *(["buff-in", told] if told else []))
    assert world.device.body_limit == limit
    value = "x" * (limit - len("vw\x001\0"))
    assert world.app_status(Command.HARDWARE, "1-0", "vw", 1, value) is None
    assert world.app_status(Command.HARDWARE, "1-0", "vw", 1, value + "x") == 7


@pytest.mark.parametrize("body", [(), ("", "x")])
def test_a_message_without_a_word_is_refused(world, body):
    assert world.ask(world.board, Command.INTERNAL, *body) == 2


@pytest.mark.parametrize("rest", [(), ("x", "y"), ("x", "ver", "2")])
@pytest.mark.parametrize("word", ["acon", "adis", "ota", "vfs", "dbg", "utc", "meta"])
def test_other_words_are_ignored_and_change_nothing(world, word, rest):
    before = info(world, "ver", "1")
    assert world.ask(world.board, Command.INTERNAL, word, *rest) is None
    assert world.device.body["hardwareInfo"] is before


@pytest.mark.parametrize("body", [("x",), ("x", "ver"), ("VER", "1"), ("x", "y", "z")])
def test_a_message_without_a_known_key_is_ignored(world, body):
    before = info(world, "ver", "1")
    assert world.ask(world.board, Command.INTERNAL, *body) is None
    assert world.device.body["hardwareInfo"] is before


def test_meta_data(world):
    world.device.body["metadata"] = {"room": "kitchen"}
    assert world.ask(world.board, Command.INTERNAL, "meta", "get", "room") == b"meta\0room\0kitchen"
    assert world.ask(world.board, Command.INTERNAL, "meta", "get", "Auth Token").endswith(world.device.token.encode())
    assert world.ask(world.board, Command.INTERNAL, "meta", "get", "Device Name") == b"meta\0Device Name\0board 0"
    assert world.ask(world.board, Command.INTERNAL, "meta", "get", "floor") is None
    assert world.ask(world.board, Command.INTERNAL, "meta", "set", "room", "hall") == 200
    assert world.ask(world.board, Command.INTERNAL, "meta", "set", "floor", "1") == 2
    assert world.device.body["metadata"] == {"room": "hall"}


def test_a_field_may_be_empty(world):
    world.device.body["metadata"] = {"room": "kitchen"}
    assert world.ask(world.board, Command.INTERNAL, "meta", "set", "room", "") == 200
    assert world.ask(world.board, Command.INTERNAL, "meta", "get", "room") == b"meta\0room\0"
    assert world.ask(world.board, Command.INTERNAL, "meta", "set", "floor", "") == 2
    assert world.ask(world.board, Command.INTERNAL, "meta", "set", "room") == 2


@pytest.mark.parametrize("own", ["mine", ""])
def test_a_field_of_that_name_hides_the_token(world, own):
    world.device.body["metadata"] = {"Auth Token": own}
    assert world.ask(world.board, Command.INTERNAL, "meta", "get", "Auth Token") == b"meta\0Auth Token\0" + own.encode()
