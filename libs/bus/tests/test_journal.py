"""The journal: whatever the crash, what is read is a prefix of what was written; files go when they are not needed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vpin_bus import journal as module
from vpin_bus.journal import Journal, JournalError


def bodies(journal: Journal) -> list[bytes]:
    return [record.body for record in journal.live.values()]


def crash(journal: Journal) -> None:
    """The process dies: nothing is flushed; only the descriptors are given back."""
    for segment in journal._segments:
        if segment.fd >= 0:
            os.close(segment.fd)


def reopen(folder: Path, journal: Journal) -> Journal:
    crash(journal)
    return Journal(folder)


def test_messages_survive_and_acknowledged_ones_do_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    positions = [journal.append(b"%d" % number) for number in range(6)]
    for position in (positions[0], positions[1], positions[3]):
        journal.ack(position)
    journal.flush()
    journal = reopen(tmp_path, journal)
    assert bodies(journal) == [b"2", b"4", b"5"]
    assert journal.append(b"6") > positions[-1]
    journal = reopen(tmp_path, journal)
    assert bodies(journal) == [b"2", b"4", b"5", b"6"]
    journal.close()


def test_acknowledgements_ride_on_the_next_message(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.ack(journal.append(b"old"))
    journal.append(b"new")
    journal = reopen(tmp_path, journal)
    assert bodies(journal) == [b"new"]
    journal.close()


def test_a_replacement_and_its_acknowledgement_are_one_write(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    first = journal.append(b"job")
    journal.append(b"job again", due=123.5, acked=first)
    journal = reopen(tmp_path, journal)
    assert [(record.body, record.due) for record in journal.live.values()] == [(b"job again", 123.5)]
    journal.close()


def test_segments_go_when_all_is_acknowledged(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=2000)
    for _ in range(50):
        positions = [journal.append(b"x" * 500) for _ in range(10)]
        for position in positions:
            journal.ack(position)
    assert len(list(tmp_path.iterdir())) <= 2
    journal.close()


def test_one_old_message_does_not_keep_all_segments(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=2000)
    journal.append(b"slow job")
    for _ in range(200):
        journal.ack(journal.append(b"x" * 500))
    assert len(list(tmp_path.iterdir())) <= module.SEGMENTS + 2
    journal = reopen(tmp_path, journal)
    assert bodies(journal)[0] == b"slow job"
    assert len(bodies(journal)) <= 2
    journal.close()


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    first = journal.append(b"first")
    real = os.writev

    def half(fd: int, parts: Sequence[bytes]) -> int:
        return real(fd, [b"".join(parts)[:20]])

    monkeypatch.setattr(os, "writev", half)
    with pytest.raises(OSError) as caught:
        journal.append(b"second", acked=first)
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    journal.append(b"third")
    journal = reopen(tmp_path, journal)
    assert bodies(journal) == [b"first", b"third"]
    journal.close()


def test_finished_segments_are_synced_once_they_are_old(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=1000)
    for _ in range(4):
        journal.append(b"x" * 1000)
    assert journal.dirty
    rounds = [journal.take_unsynced() for _ in range(module.UNSYNCED + 1)]
    assert [len(found) for found in rounds] == [0] * module.UNSYNCED + [3]
    for fd in rounds[-1]:
        module.sync(fd)
    assert not journal.dirty
    journal.close()


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "000000000001.log").write_bytes(b"something else")
    with pytest.raises(JournalError):
        Journal(tmp_path)


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 60), min_size=1, max_size=25),
    acked=st.sets(st.integers(0, 24)),
    cut=st.integers(0, 3000),
    garbage=st.binary(max_size=12),
)
def test_any_crash_point_gives_a_prefix(sizes: list[int], acked: set[int], cut: int, garbage: bytes) -> None:
    folder = Path(tempfile.mkdtemp(prefix="journal-"))
    try:
        journal = Journal(folder)
        path = next(folder.glob("*.log"))
        ends: list[tuple[int, list[bytes]]] = [(8, [])]  # size of the file, what is alive then
        for number, size in enumerate(sizes):
            position = journal.append(bytes([number]) * size)
            ends.append((path.stat().st_size, bodies(journal)))
            if number in acked:
                journal.ack(position)
                journal.flush()
                ends.append((path.stat().st_size, bodies(journal)))
        crash(journal)
        written = path.read_bytes()
        cut = min(cut, len(written))
        path.write_bytes(
            written[:cut] + (garbage if cut < len(written) and garbage != written[cut:][: len(garbage)] else b"")
        )
        expected = next((alive for size, alive in reversed(ends) if size <= cut), [])
        if cut < 8 and garbage:
            return  # not even the magic number: refused or empty, by what the garbage is
        journal = Journal(folder)
        assert bodies(journal) == expected
        journal.append(b"after")
        crash(journal)
        journal = Journal(folder)
        assert bodies(journal) == [*expected, b"after"]
        journal.close()
    finally:
        shutil.rmtree(folder)
