"""One client: its connection, the framing of its stream, its way up. The hot path is :meth:`Session.feed`.

A session goes through these states, and knows them by its attributes:

* *entry*: it has a ``login`` (:mod:`vpin_sessions.login`). Its first frame is sent to the entry queue, what comes behind it
  is kept; the answer lets it try again, opens it or closes it.
* *open*: ``prefix`` is the head of its up entries. Each read becomes one entry with the whole frames in it.
* *closing*: nothing is read or written any more; it is cut off when the client does not take the rest in time.

No per-frame objects, tasks or logs here; nothing raises out of ``data_received``, whatever bytes arrive.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, cast

from vpin_messages.entry import EntryAnswer, Grant
from vpin_messages.slab import UP, Up, shard_of
from vpin_protocol import ProtocolError, Reason

from vpin_sessions.kind import Kind
from vpin_sessions.login import LogIn
from vpin_sessions.quota import Bucket, first_frames

if TYPE_CHECKING:
    from vpin_sessions.gateway import Gateway

HOLD = 64 * 1024
"""Bytes kept of a client that waits for its log-in; more are left in the socket."""
WRITE_HIGH = 256 * 1024
"""Bytes in the write buffer from which on the client is watched for reading too slowly."""
WRITE_LIMIT = 16 * 1024 * 1024
"""Bytes in the write buffer at which the client is cut off."""
LINGER = 5.0
"""Seconds a closing connection has to take what is written."""

_pack_length = struct.Struct(">I").pack
_ENDLESS = sys.maxsize


def adopt(session: Session, transport: asyncio.Transport, data: bytes) -> None:
    """Give a connection to a session, with the bytes of the client so far."""
    transport.set_protocol(session)
    session.connection_made(transport)
    if data:
        session.data_received(data)


def discard(_data: bytes) -> None:
    """Where writes to a connection go that is no more."""


class Session(asyncio.Protocol):
    """A client whose stream carries frames as they are: TCP and TLS. Times are loop time, in seconds."""

    __slots__ = (
        "_add",
        "_bucket",
        "_heard",
        "_need",
        "_tail",
        "address",
        "closing",
        "due",
        "emit",
        "gateway",
        "kind",
        "limit",
        "login",
        "number",
        "opening",
        "paused",
        "prefix",
        "shard",
        "transport",
        "wake",
        "write",
    )

    transport: asyncio.Transport
    write: Callable[[bytes], None]
    """Send whole frames (of the kind's framing) to the client."""
    emit: Callable[[bytes], None]
    """Send bytes of the connection."""

    def __init__(self, gateway: Gateway, kind: Kind, number: int, address: str) -> None:
        self.gateway = gateway
        self.kind = kind
        self.number = number
        self.address = address
        self.limit = gateway.limits[kind.side]  # seconds of silence, inf: any
        self.shard = -1
        self.prefix = b""  # an up entry of frames up to its length
        self.opening = b""
        self.login: LogIn | None = LogIn(self)
        self.closing = False
        self.paused = False
        self.due = inf  # by when an answer has come, or the connection is gone
        self.wake = 0
        self.write = self.emit = discard
        self._add = discard
        self._heard = gateway.clock()
        self._bucket = Bucket(gateway.quota, self._heard) if gateway.quota else None
        self._tail: bytearray | None = None  # a frame that is not whole yet, or what waits for the answer
        self._need = 0  # bytes of tail from which on it is worth a look

    # the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)  # uvloop's are none by type
        transport.set_write_buffer_limits(high=WRITE_HIGH)
        self.write_by(transport.write)
        self.gateway.enter(self)

    def data_received(self, data: bytes) -> None:
        self.heard(len(data))
        if not self.closing:
            self.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        self.write = self.emit = discard
        self._tail = self.login = None
        self.gateway.leave(self)

    def pause_writing(self) -> None:
        if not self.closing:
            self.gateway.jammed(self)
            self.write_by(self._emit_jammed)

    def resume_writing(self) -> None:
        if not self.closing:
            self.gateway.cleared(self)
            self.write_by(self.transport.write)

    def write_by(self, emit: Callable[[bytes], None]) -> None:
        """Send by ``emit`` from now on."""
        self.write = self.emit = emit

    def heard(self, size: int) -> None:
        """The client lives: ``size`` bytes of it arrived."""
        self._heard = self.gateway.clock()
        self.gateway.tally.bytes_in += size

    # the stream

    def feed(self, data: bytes) -> None:
        """Take bytes of the stream: any split gives the same entries, as far as frames go."""
        tail = self._tail
        if tail is not None:
            tail += data
            if len(tail) < self._need:
                if self.login is not None:
                    self.control_reading()
                return
            data, self._tail = bytes(tail), None
        if self.login is None:
            self._forward(data)
        else:
            self.login.knock(data)

    def _forward(self, data: bytes) -> None:
        """The whole frames of an open session, as one up entry."""
        broken = None
        try:
            end, frames = self.kind.scan(data)
        except ProtocolError as fault:
            broken, end, frames = fault, fault.end, fault.frames
        if frames:
            self.gateway.tally.frames_in += frames
            whole = data if end == len(data) else data[:end]
            if self._bucket is not None:
                whole = self._within_quota(whole, frames, self._bucket)
            if whole:
                self._add(self.prefix + _pack_length(len(whole)) + whole)
        if broken is not None:
            self.refuse(broken.reason)
        elif end < len(data):
            self.keep(data[end:])

    def keep(self, rest: bytes) -> None:
        """Wait until the frame that begins with ``rest`` is whole."""
        header = self.kind.header
        self._need = header.size
        if len(rest) >= header.size:
            command, _, length = header.unpack_from(rest)
            self._need += length if command else 0
        self._tail = bytearray(rest)

    def _within_quota(self, data: bytes, frames: int, bucket: Bucket) -> bytes:
        passed = bucket.take(frames, self.gateway.quota, self._heard)
        if passed == frames:
            return data
        self.gateway.tally.quota_dropped += frames - passed
        end, dropped = first_frames(data, passed, self.kind.header)
        if bucket.may_warn(self._heard):
            self.write(self.kind.response(dropped, 1))
        return data[:end]

    def refuse(self, reason: Reason) -> None:
        """Close the connection: no client that keeps to the protocol sends this."""
        if reason is Reason.OVERSIZE:
            self.gateway.tally.oversize += 1
        else:
            self.gateway.tally.malformed += 1
        self.close()

    # the log-in

    def answered(self, answer: EntryAnswer) -> None:
        """The answer to a command before the log-in."""
        if self.login is not None and self.login.waiting and not self.closing:
            self.login.answered(answer)

    def hold(self, rest: bytes) -> None:
        """Keep what comes until it is released: the client waits for an answer."""
        self._tail, self._need = bytearray(rest), _ENDLESS
        self.control_reading()

    def release(self) -> bytes:
        """What was kept, which is the caller's to feed."""
        rest, self._tail = self._tail, None
        return bytes(rest) if rest else b""

    def open(self, grant: Grant) -> None:
        """The client is logged in: from here on its frames go to the owner of its account."""
        self.shard = shard_of(grant.account, self.gateway.shards)
        ids = (grant.account, grant.dash, grant.device, grant.credential)
        self.prefix = UP.pack(Up.FRAMES, self.kind.side, self.number, *ids, 0)[:-4]
        self.opening = grant.opening
        self.address = ""
        self.login = None
        self._add = self.gateway.uplinks.add[self.shard]
        self.tell(Up.OPEN, self.opening)
        self.gateway.opened()

    def tell(self, kind: Up, payload: bytes = b"") -> None:
        """An up entry of this open session."""
        self._add(bytes((kind,)) + self.prefix[1:] + _pack_length(len(payload)) + payload)

    # flow and life

    def control_reading(self) -> None:
        """Read, or leave the bytes in the socket, as the pressure of the shard and the log-in demand."""
        if self.closing:
            return
        stop = self._has_enough()
        if (stop or self.gateway.stopping) and not self.paused:
            self.paused = True
            self.transport.pause_reading()
        elif self.paused and not stop and not self.gateway.stopping:
            self.paused = False
            self._heard = self.gateway.clock()
            self.transport.resume_reading()

    def set_limit(self, seconds: int) -> None:
        """A new idle time-out; 0: none."""
        self.limit = float(seconds) if seconds else inf
        self.gateway.wheel.watch(self)

    def deadline(self) -> float:
        if self.closing:
            return self.due
        heard = self.gateway.clock() if self.paused else self._heard  # who is not listened to is not silent
        return min(self.due, heard + self.limit)

    def expire(self) -> None:
        """Too late: silent for too long, no answer to the log-in, or not gone after the close."""
        tally = self.gateway.tally
        if self.closing:
            self.transport.abort()
        elif self.due <= self.gateway.clock():
            tally.unanswered += 1
            self.close()
        else:
            tally.idle_closed += 1
            self.close()

    def close(self) -> None:
        """Send what is written, then close the connection."""
        if not self.closing:
            self.begin_close(LINGER)
            self.transport.close()

    def dismiss(self, payload: bytes) -> None:
        """The owner wants it closed; `payload` is what it says to that (MQTT)."""
        self.close()

    def begin_close(self, seconds: float) -> None:
        """Nothing is read or written from here on; cut off when it is not gone after ``seconds``."""
        self.closing = True
        self.write = self.emit = discard
        self._tail = None
        self.due = self.gateway.clock() + seconds
        self.gateway.wheel.watch(self)

    def cut_off(self) -> None:
        """Drop the connection and what is still to be written."""
        self.begin_close(LINGER)
        self.transport.abort()

    def _has_enough(self) -> bool:
        """Nothing may go up now; or the client waits for its log-in, and no more is kept of it meanwhile."""
        if self.login is None:
            return self.shard in self.gateway.pressed
        return self.login.waiting and self._tail is not None and len(self._tail) > HOLD

    def _emit_jammed(self, data: bytes) -> None:
        """Write while the client is behind with reading."""
        self.transport.write(data)
        self.gateway.jammed_write(self, len(data))
