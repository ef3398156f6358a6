"""The simulator: its bytes are those of the firmware, its books find what is missing, and vpin loses nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from infra.vpin import COMMAND, EmbeddedRun, clean_environment

from vpin.bench.processes import Watch
from vpin.simulate.firmware import Firmware
from vpin.simulate.ledger import Stream
from vpin.simulate.memory import Memory

TOKEN = "t" * 32


def test_a_connect_of_the_current_library_byte_for_byte() -> None:
    board = Firmware(TOKEN, old=False)
    assert board.log_in() == b"\x1d\x00\x01\x00\x20" + TOKEN.encode()
    info = (
        b"mcu\x001.0.0\x00fw-type\0TMPLvpinsim0\0build\0Nov 21 2026 10:00:00\0blynk\x001.4.0\0"
        b"h-beat\x0040\0buff-in\x00256\0dev\0ESP32\0con\0WiFi\0tmpl\0TMPLvpinsim0"
    )
    assert board.info() == b"\x11\x00\x02" + len(info).to_bytes(2, "big") + info
    assert board.sync_all() == b"\x10\x00\x03\x00\x00"
    assert board.ping() == b"\x06\x00\x04\x00\x00"


def test_a_connect_of_the_old_library_byte_for_byte() -> None:
    board = Firmware(TOKEN, old=True)
    board.log_in()
    info = b"ver\x000.6.1\0h-beat\x0010\0buff-in\x00256\0dev\0ESP8266\0con\0ESP8266\0build\0Nov 21 2026 10:00:00"
    assert board.info() == b"\x11\x00\x02" + len(info).to_bytes(2, "big") + info
    assert board.sync(0, 1, 10) == b"\x10\x00\x03\x00\x09vr\x000\x001\x0010"


def test_writes_groups_and_answers_byte_for_byte() -> None:
    board = Firmware(TOKEN, old=False)
    assert board.begin_group(1_700_000_000_123) == b"\x15\x00\x01\x00\x0ft\x001700000000123"
    assert board.write(1, 23.4) == b"\x14\x00\x02\x00\x0bvw\x001\x0023.400"
    assert board.write(0, 7) == b"\x14\x00\x03\x00\x06vw\x000\x007"
    assert board.write(2, "on", 1) == b"\x14\x00\x04\x00\x09vw\x002\0on\x001"
    assert board.end_group() == b"\x15\x00\x05\x00\x01e"
    assert board.answer_read(7778, b"ar", b"7", 512) == b"\x14\x1e\x62\x00\x08aw\x007\x00512"
    assert board.answer_unknown(9) == b"\x00\x00\x09\x00\x02"


def test_message_ids_begin_again_at_1() -> None:
    board = Firmware(TOKEN, old=False)
    ids = [board.next_id() for _ in range(65_537)]
    assert ids[0] == 1
    assert ids[65_533:] == [65_534, 65_535, 1, 2]


def test_a_number_that_is_missing_is_lost() -> None:
    stream = sent(5)
    for number in (1, 2, 5):
        stream.arrived(number)
    assert (stream.lost, stream.swallowed, stream.reordered) == (2, 0, 0)


def test_a_number_that_comes_late_is_out_of_order() -> None:
    stream = sent(3)
    for number in (1, 3, 2):
        stream.arrived(number)
    assert (stream.lost, stream.reordered) == (1, 1)


def test_a_broken_network_may_swallow_what_nobody_has_seen() -> None:
    stream = sent(3)
    stream.arrived(1)
    stream.fenced = 1
    stream.broke()  # 2 and 3 are in doubt
    stream.next()
    stream.next()
    stream.arrived(5)
    assert (stream.swallowed, stream.lost) == (2, 1)


def test_what_never_came_is_lost_at_the_end() -> None:
    stream = sent(3)
    stream.arrived(1)
    stream.end()
    assert stream.lost == 2


def test_a_sync_must_give_what_the_last_writes_can_have_left() -> None:
    stream = sent(5)
    assert [number for number in range(8) if stream.may_be(number, 3)] == [3, 4, 5]
    stream.arrived(3)
    stream.caught_up(5)
    stream.caught_up(2)
    assert (stream.seen, stream.reordered) == (5, 1)


def sent(count: int) -> Stream:
    stream = Stream()
    for _ in range(count):
        stream.next()
    return stream


@pytest.mark.integration
def test_boards_that_lose_their_networks_lose_no_number(tmp_path: Path) -> None:
    server = EmbeddedRun(tmp_path, clean_environment())
    server.start()
    try:
        arguments = [
            "--boards",
            "30",
            "--minutes",
            "0.15",
            "--loss-every",
            "2",
            "--http",
            server.http,
            "--tls",
            server.tls,
        ]
        run = subprocess.run([*COMMAND, "simulate", *arguments], capture_output=True, text=True, timeout=100)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "networks lost" in run.stdout
    finally:
        server.stop()


def test_memory_may_grow_until_it_is_warm_and_not_then(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch({"state": 1, "api": 2})
    sizes = iter([(100, 50), (200, 60), (215, 70), (219, 61)])
    monkeypatch.setattr(
        watch, "resident_bytes", lambda: dict(zip(watch.pids, (s << 20 for s in next(sizes)), strict=True))
    )
    memory = Memory(watch)
    for at in (0.0, 1.0, 60.0, 100.0, 130.0):  # the second is too early for another sample
        memory.look(at)
    assert memory.figures()["memory of state"] == "100 at first, 200 warm, 219 at the end, 219 at most (MiB)"
    assert memory.faults() == []
    monkeypatch.setattr(watch, "resident_bytes", lambda: {"state": 221 << 20, "api": 60 << 20})
    memory.look(140.0)
    assert memory.faults() == ["state grew from 200 to 221 MiB"]
