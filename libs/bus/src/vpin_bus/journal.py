"""The journal of one in-memory queue: what was appended and not acknowledged is there again after ``kill -9``.

Files ``000000000001.log``, ``000000000002.log``, … in the queue's folder, each a magic number and records::

    crc32 u32 · length u32 · kind u8 · position u64 · due f64 · payload          (big endian)

``MESSAGE``: payload is the body, ``position`` its place in the queue, ``due`` the wall time before which it must not be
delivered (0: at once). ``ACKED``: payload is pairs of u64, first and last position acknowledged.

* A record is one ``write`` before the message is delivered: the page cache keeps it when the process dies. Nothing
  waits for the disk; :func:`sync` of finished segments (off the loop) bounds what a power failure can cost.
* Acknowledgements are written in front of the next message or by :meth:`Journal.flush`: a crash in between delivers
  again.
* A segment goes when all messages in it and in all older segments are acknowledged. Few messages left over in an old
  segment are written again at the end, so disk stays in proportion to what is unacknowledged.
* A record that was cut off by a crash fails its checksum or its length, and is cut away: what is read is a prefix of
  what was written.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import structlog

MAGIC = b"vpinbus1"
MESSAGE, ACKED = 1, 2
SEGMENT_BYTES = 8 * 1024 * 1024
UNSYNCED = 4  # rounds of the caller's clock
SEGMENTS = 4  # from so many on, the leftovers of the oldest are written again

_CRC = struct.Struct(">I")
_HEAD = struct.Struct(">IBQd")
_RANGE = struct.Struct(">QQ")
_START = _CRC.size + _HEAD.size

log = structlog.get_logger(__name__)


class JournalError(Exception):
    """The folder holds files that this version cannot read."""


@dataclass(slots=True, eq=False)
class Segment:
    path: Path
    fd: int = -1  # -1: synced and closed
    size: int = 0
    live: int = 0  # messages in it that are not acknowledged
    live_bytes: int = 0
    rounds: int = 0  # of take_unsynced since it was finished


@dataclass(slots=True, eq=False)
class Record:
    """A message that is not acknowledged."""

    position: int
    body: bytes
    due: float
    segment: Segment


class Journal:
    """Opens (and repairs) the journal in `folder`; :attr:`live` has what is to be delivered, by position."""

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segments: list[Segment] = []  # oldest first, the last one is written to
        self._acked: list[int] = []  # positions whose acknowledgement is not written yet
        self._last = 0  # position
        self.live: dict[int, Record] = {}
        paths = sorted(folder.glob("*.log"))
        for path in paths:
            self._recover(path, last=path == paths[-1])
        self.live = dict(sorted(self.live.items()))
        self._file_number = int(paths[-1].stem) if paths else 0
        self._rotate()
        self._drop()

    @property
    def dirty(self) -> bool:
        """Whether :meth:`flush` or :meth:`sync` has something to do."""
        return bool(self._acked) or any(segment.fd >= 0 for segment in self._segments[:-1])

    def append(self, body: bytes, due: float = 0.0, acked: int = 0) -> int:
        """Write a message, and in the same write that `acked` (a position) is acknowledged. Its position.

        OSError (disk full): nothing is written, nothing is acknowledged.
        """
        if self._segments[-1].size >= self._segment_bytes:
            self._rotate()
            self._compact()
        position = self._last + 1
        acks = [*self._acked, acked] if acked else self._acked
        head = _head(MESSAGE, position, due, body)
        self._write(_acks(acks) + head if acks else head, body)
        self._last = position
        self._acked.clear()
        self._admit(Record(position, body, due, self._segments[-1]))
        if acked:
            self._forget(acked)
        return position

    def ack(self, position: int) -> None:
        """The message is done with; written later."""
        self._acked.append(position)
        self._forget(position)

    def flush(self) -> None:
        """Write the acknowledgements that wait. OSError: they go on waiting."""
        if self._acked:
            self._write(_acks(self._acked), b"")
            self._acked.clear()

    def take_unsynced(self) -> list[int]:
        """Descriptors of segments that were finished `UNSYNCED` calls ago: sync and close them (in a thread).

        Most segments are acknowledged and deleted before that, and never cost the disk anything.
        """
        found: list[int] = []
        for segment in self._segments[:-1]:
            segment.rounds += 1
            if segment.fd >= 0 and segment.rounds > UNSYNCED:
                found.append(segment.fd)
                segment.fd = -1
        return found

    def close(self) -> None:
        """Write and sync everything."""
        self.flush()
        for segment in self._segments:
            if segment.fd >= 0:
                sync(segment.fd)
                segment.fd = -1

    def _admit(self, record: Record) -> None:
        old = self.live.get(record.position)
        if old is not None:  # written again by _compact
            old.segment.live -= 1
            old.segment.live_bytes -= len(old.body)
        self.live[record.position] = record
        record.segment.live += 1
        record.segment.live_bytes += len(record.body)

    def _forget(self, position: int) -> None:
        record = self.live.pop(position, None)
        if record is None:
            return
        segment = record.segment
        segment.live -= 1
        segment.live_bytes -= len(record.body)
        if not segment.live and segment is self._segments[0]:
            self._drop()

    def _drop(self) -> None:
        """Delete the oldest segments as long as nothing in them is needed."""
        while len(self._segments) > 1 and not self._segments[0].live:
            segment = self._segments.pop(0)
            if segment.fd >= 0:
                os.close(segment.fd)
            segment.path.unlink(missing_ok=True)

    def _compact(self) -> None:
        """Write the few messages that keep the oldest segment alive again, at the end."""
        while len(self._segments) > SEGMENTS and self._segments[0].live_bytes <= self._segment_bytes // 4:
            oldest, newest = self._segments[0], self._segments[-1]
            for record in [record for record in self.live.values() if record.segment is oldest]:
                self._write(_head(MESSAGE, record.position, record.due, record.body), record.body)
                self._admit(Record(record.position, record.body, record.due, newest))
            self._drop()

    def _rotate(self) -> None:
        self._file_number += 1
        path = self._folder / f"{self._file_number:012}.log"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        segment = Segment(path, fd)
        try:
            _write(segment, MAGIC, b"")
        except OSError:
            os.close(fd)
            path.unlink()
            raise
        self._segments.append(segment)

    def _write(self, head: bytes, body: bytes) -> None:
        _write(self._segments[-1], head, body)

    def _recover(self, path: Path, *, last: bool) -> None:
        data = path.read_bytes()
        if not MAGIC.startswith(data[: len(MAGIC)]):
            raise JournalError(f"{path} is no journal of this version")
        segment = Segment(path)
        self._segments.append(segment)
        at = len(MAGIC)
        while (end := _record_end(data, at)) is not None:
            _, kind, position, due = _HEAD.unpack_from(data, at + _CRC.size)
            payload = data[at + _START : end]
            at = end
            if kind == MESSAGE:
                self._last = max(self._last, position)
                self._admit(Record(position, payload, due, segment))
                continue
            for first, final in _RANGE.iter_unpack(payload):
                self._last = max(self._last, final)
                for acked in range(first, final + 1):
                    if (record := self.live.pop(acked, None)) is not None:
                        record.segment.live -= 1
                        record.segment.live_bytes -= len(record.body)
        segment.size = at
        if at < len(data):
            log.log(30 if last else 40, "journal.cut", file=str(path), kept=at, lost=len(data) - at)
            os.truncate(path, at)


def sync(fd: int) -> None:
    """Bring a segment to the disk and close it."""
    os.fsync(fd)
    os.close(fd)


def _write(segment: Segment, head: bytes, body: bytes) -> None:
    """All or nothing."""
    total = len(head) + len(body)
    try:
        if os.writev(segment.fd, (head, body)) != total:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(segment.path))
    except OSError:
        os.ftruncate(segment.fd, segment.size)
        raise
    segment.size += total


def _head(kind: int, position: int, due: float, payload: bytes) -> bytes:
    head = _HEAD.pack(len(payload), kind, position, due)
    return _CRC.pack(zlib.crc32(payload, zlib.crc32(head))) + head


def _acks(positions: list[int]) -> bytes:
    """A whole ACKED record; consecutive positions share a pair."""
    positions = sorted(positions)
    pairs: list[bytes] = []
    first = last = positions[0]
    for position in positions[1:]:
        if position != last + 1:
            pairs.append(_RANGE.pack(first, last))
            first = position
        last = position
    pairs.append(_RANGE.pack(first, last))
    payload = b"".join(pairs)
    return _head(ACKED, 0, 0.0, payload) + payload


def _record_end(data: bytes, at: int) -> int | None:
    """Where the record at `at` ends; None when there is none, or a damaged one."""
    if len(data) - at < _START:
        return None
    end = at + _START + int.from_bytes(data[at + _CRC.size : at + _CRC.size + 4], "big")
    if end > len(data):
        return None
    checksum = zlib.crc32(memoryview(data)[at + _CRC.size : end])
    return end if checksum == _CRC.unpack_from(data, at)[0] else None
