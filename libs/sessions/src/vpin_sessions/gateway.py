"""What both gateways are: the sessions of one process, their roads up and down, their time-outs."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, inf

from vpin_bus import Bus
from vpin_messages.slab import Side, Up, new_sender
from vpin_runtime.settings import Settings

from vpin_sessions.downlink import Downlink
from vpin_sessions.metrics import new_tally
from vpin_sessions.session import WRITE_LIMIT, Session
from vpin_sessions.uplink import Uplinks
from vpin_sessions.wheel import Wheel

STOP_DRAIN = 3.0
"""Seconds that entries have to be confirmed when the gateway stops."""
STOP_CLOSE = 2.0
"""Seconds that clients then have to take what was written to them."""
JAM_LOOK = 1.0
"""Seconds between two looks at sessions that read slowly."""

_NUMBERS = 0xFFFF_FFFF


@dataclass(slots=True)
class _Jam:
    """A session whose write buffer is long: how much of it the client took, and when it last took some."""

    expected: int  # bytes that were to be sent since it began, those in the buffer then included
    taken: int
    since: float


def idle_limits(settings: Settings) -> dict[Side, float]:
    """Seconds of silence until a connection is closed, by its side; inf: never (spec 01, section 3.5)."""
    board = float(ceil(settings.hardware_idle_timeout * 2.3)) or inf
    app = float(settings.app_idle_timeout) or inf
    return {Side.HARDWARE: board, Side.APP: app, Side.WEB: app, Side.MQTT: inf}  # MQTT: the client's keep-alive


class Gateway:
    """The sessions of one gateway. ``start`` before the first connection, ``stop`` after the listeners are closed."""

    clock: Callable[[], float]

    def __init__(self, name: str, settings: Settings, bus: Bus) -> None:
        self.name = name
        self.sender = new_sender()
        self.shards = settings.shards
        self.quota = settings.message_quota
        self.longest_packet = settings.mqtt_max_packet
        self.limits: Mapping[Side, float] = idle_limits(settings)
        self.tally = new_tally(name)
        self.wheel = Wheel()
        self.sessions: dict[int, Session] = {}
        self.pressed: set[int] = set()
        """Shards under pressure: their sessions are not read."""
        self.stopping = False
        self._bus = bus
        self._downlink = Downlink(self)
        self._numbers: Iterator[int] = itertools.cycle(range(1, _NUMBERS + 1))
        self._jams: dict[Session, _Jam] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.clock = loop.time
        self.uplinks = Uplinks(self._bus, self.sender, self.shards, self._on_pressure)
        await self._downlink.start(self._bus, self.sender)
        self.uplinks.start()
        self.wheel.start()
        self._look_at_jams(loop)

    async def stop(self) -> None:
        """Read no more, say good-bye to the owners, close all connections. Takes 6 s at most."""
        self.stopping = True
        self.uplinks.quiet()
        for session in self.sessions.values():
            session.control_reading()
        self.uplinks.tell_all(Up.BYE)
        await self.uplinks.drain(STOP_DRAIN)
        await self._close_all()
        if self._timer is not None:
            self._timer.cancel()
        self.wheel.stop()
        await self._downlink.stop()
        self.uplinks.close()

    @property
    def ready(self) -> bool:
        return self._bus.ready

    # called by sessions

    def new_number(self) -> int:
        """The number of a new session: not in use, and not used for as long as can be."""
        return next(number for number in self._numbers if number not in self.sessions)

    def enter(self, session: Session) -> None:
        self.sessions[session.number] = session
        self.tally.connections += 1
        self.wheel.watch(session)
        session.control_reading()

    def opened(self) -> None:
        self.tally.sessions += 1
        self.tally.logins += 1

    def leave(self, session: Session) -> None:
        del self.sessions[session.number]
        self.tally.connections -= 1
        self.wheel.forget(session)
        self.cleared(session)
        if session.prefix:
            self.tally.sessions -= 1
            if not self.stopping:
                session.tell(Up.CLOSED)
        if self.stopping and not self.sessions:
            self._empty.set()

    def jammed(self, session: Session) -> None:
        """The session's write buffer is over its high mark."""
        size = session.transport.get_write_buffer_size()
        self._jams[session] = _Jam(size, 0, self.clock())
        self.tally.blocked = len(self._jams)

    def jammed_write(self, session: Session, size: int) -> None:
        """``size`` more bytes were written to a jammed session; cuts it off when that is too much."""
        self._jams[session].expected += size
        if session.transport.get_write_buffer_size() > WRITE_LIMIT:
            self._cut_off(session)

    def cleared(self, session: Session) -> None:
        """The session's write buffer is short again, or gone."""
        self._jams.pop(session, None)
        self.tally.blocked = len(self._jams)

    # called by the roads up and down

    def announce(self, shard: int) -> None:
        """Tell the shard's new owner all its sessions."""
        for session in self.sessions.values():
            if session.shard == shard:
                session.tell(Up.ANNOUNCE, session.opening)

    def _on_pressure(self, shard: int, on: bool) -> None:
        if on:
            self.pressed.add(shard)
            self.tally.pressures += 1
        else:
            self.pressed.discard(shard)
        self.tally.pressure = len(self.pressed)
        for session in self.sessions.values():
            if session.shard == shard:
                session.control_reading()

    # own

    def look_at_jams(self, now: float) -> None:
        """Cut off each session whose client took nothing for its idle time."""
        for session, jam in list(self._jams.items()):
            taken = jam.expected - session.transport.get_write_buffer_size()
            if taken > jam.taken:
                jam.taken, jam.since = taken, now
            elif now - jam.since > session.limit:
                self._cut_off(session)

    def _look_at_jams(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(JAM_LOOK, self._look_at_jams, loop)
        self.look_at_jams(loop.time())

    def _cut_off(self, session: Session) -> None:
        self.tally.slow_readers += 1
        self.cleared(session)
        session.cut_off()

    async def _close_all(self) -> None:
        if not self.sessions:
            return
        for session in list(self.sessions.values()):
            session.close()
        try:
            await asyncio.wait_for(self._empty.wait(), STOP_CLOSE)
        except TimeoutError:
            for session in list(self.sessions.values()):
                session.transport.abort()
            await self._empty.wait()
