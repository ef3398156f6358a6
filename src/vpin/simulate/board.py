"""One simulated board: its connection as the firmware keeps it, a counter, a drifting sensor, a button that answers."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import cast

from vpin_protocol import Command, Frame, HardwareDecoder, Status

from vpin.simulate.firmware import PATIENCE, Firmware
from vpin.simulate.ledger import Stream

COUNTER, SENSOR, BUTTON, ANSWER = 0, 1, 10, 11
"""Virtual pins. The board writes COUNTER and SENSOR, an app presses BUTTON, the board answers each press on ANSWER."""
WITHIN = 10.0
"""Seconds for a connection, a log-in, a sync."""
RECENT = 4096


class Totals:
    """What all boards count together."""

    def __init__(self) -> None:
        self.frames_sent = 0
        self.frames_received = 0
        self.logins = 0
        self.losses = 0
        self.syncs = 0
        self.stale_syncs: list[str] = []
        self.hung_up = 0  # connections that the server ended


class Connection(asyncio.Protocol):
    """The bytes of one connection; frames go to the board as long as it listens."""

    def __init__(self, board: Board) -> None:
        self.board: Board | None = board
        self.decoder = HardwareDecoder()
        self.transport: asyncio.Transport
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.board is not None:
            self.board.heard(self.decoder.feed(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()
        if self.board is not None:
            self.board.hung_up(self)


class Board:
    """`readings` are the board's numbers on their way to the app, `presses` the app's on their way to the board."""

    def __init__(self, address: tuple[str, int], token: str, device: int, totals: Totals, dice: random.Random) -> None:
        self.device = device
        self.readings = Stream()
        self.presses = Stream()
        self._address = address
        self._totals = totals
        self._dice = dice
        self._firmware = Firmware(token, old=device % 4 == 3)
        self._connection: Connection | None = None
        self._ghosts: list[Connection] = []
        self._answers: dict[int, asyncio.Future[int]] = {}
        self._sync_id = 0
        self._synced: dict[int, str] = {}
        self._caught_up = False
        self._level = dice.uniform(15.0, 25.0)
        self._texts: deque[tuple[int, str]] = deque(maxlen=RECENT)
        self._heard_at = self._said_at = 0.0
        self.returning = False  # somebody has it reconnect

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def online(self) -> bool:
        """Connected, and synced after that."""
        return self._connection is not None and self._caught_up

    # -- the connection

    async def connect(self) -> None:
        """Log in, tell the hardware info, ask for the state and compare it. OSError or TimeoutError when that fails."""
        loop = asyncio.get_running_loop()
        self._firmware = Firmware(self._firmware.token, old=self._firmware.old)
        async with asyncio.timeout(WITHIN):
            _, connection = await loop.create_connection(lambda: Connection(self), *self._address)
            self._connection = connection
            if await self._call(self._firmware.log_in(), 1) != Status.OK:
                raise ConnectionError("the log-in was refused")
            self._totals.logins += 1
            self._send(self._firmware.info())
            await self.check()

    async def check(self) -> None:
        """Ask for the state, as sketches do on BLYNK_CONNECTED, and compare it with what it must be."""
        self._caught_up = False
        self._synced = {}
        asks = self._firmware.sync(COUNTER, SENSOR, BUTTON) if self._firmware.old else self._firmware.sync_all()
        self._sync_id = _message_id(asks)
        applied = self.readings.fenced, self.presses.fenced
        self._send(asks)
        await self.fence()
        self._totals.syncs += 1
        self._compare(*applied)
        self._caught_up = True

    async def fence(self) -> None:
        """Until a ping is answered: everything sent before is applied, everything from before has come."""
        async with asyncio.timeout(WITHIN):
            ping = self._firmware.ping()
            await self._call(ping, _message_id(ping))

    def lose_network(self) -> None:
        """The connection breaks: half of the times at once, else it stays as a ghost that nobody hears any more."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self._totals.losses += 1
        self._break(connection)
        if self._dice.random() < 0.5:
            connection.transport.abort()
        else:
            connection.transport.pause_reading()
            self._ghosts.append(connection)

    def give_up(self) -> None:
        """A log-in that came to nothing."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self._break(connection)
            connection.transport.abort()

    def leave(self) -> None:
        """Close everything, ghosts too."""
        connections = [*self._ghosts, *([self._connection] if self._connection else [])]
        self._connection = None
        for connection in connections:
            connection.board = None
            connection.transport.abort()

    def hung_up(self, connection: Connection) -> None:
        """The server, or somebody on the way, ended the connection."""
        if connection is self._connection:
            self._connection = None
            self._totals.hung_up += 1
            self._break(connection)

    def _break(self, connection: Connection) -> None:
        connection.board = None
        self._caught_up = False
        self.readings.broke()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the connection is lost"))
        self._answers.clear()

    # -- what the sketch does

    def report(self, epoch_ms: int) -> None:
        """Counter and sensor; newer firmware sends both as a group under one time stamp."""
        if self._connection is None or not self._caught_up:
            return
        self._level += self._dice.uniform(-0.3, 0.3)
        number = self.readings.next()
        self._texts.append((number, f"{self._level:.3f}"))
        writes = [self._firmware.begin_group(epoch_ms)] if not self._firmware.old else []
        writes += [self._firmware.write(COUNTER, number), self._firmware.write(SENSOR, self._level)]
        if not self._firmware.old:
            writes.append(self._firmware.end_group())
        self._send(*writes)

    def keep_alive(self) -> None:
        """A ping when nothing was said or heard for a heartbeat; a dead connection is given up."""
        if self._connection is None:
            return
        now, heartbeat = asyncio.get_running_loop().time(), self._firmware.heartbeat
        if now - self._heard_at > heartbeat + PATIENCE:
            connection, self._connection = self._connection, None
            self._totals.hung_up += 1
            self._break(connection)
            connection.transport.abort()
        elif now - min(self._heard_at, self._said_at) > heartbeat:
            self._send(self._firmware.ping())

    def heard(self, frames: list[Frame]) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._totals.frames_received += len(frames)
        for frame in frames:
            if frame.command == Command.RESPONSE:
                if (answer := self._answers.pop(frame.message_id, None)) is not None and not answer.done():
                    answer.set_result(frame.status or 0)
            elif frame.command == Command.HARDWARE:
                self._take(frame)

    def _take(self, frame: Frame) -> None:
        operation, _, rest = frame.body.partition(b"\0")
        pin, _, value = rest.partition(b"\0")
        if operation == b"vw" and frame.message_id == self._sync_id and not self._caught_up:
            self._synced[int(pin)] = value.decode()
        elif operation == b"vw" and int(pin) == BUTTON:
            if self._caught_up:
                self.presses.arrived(int(value))
            else:  # between the log-in and the answer of the sync
                self.presses.caught_up(int(value))
            self._send(self._firmware.write(ANSWER, int(value)))
        elif operation in (b"ar", b"dr"):
            self._send(self._firmware.answer_read(frame.message_id, operation, rest, self._dice.randrange(1024)))
        elif operation not in (b"vw", b"dw", b"aw", b"pm"):
            self._send(self._firmware.answer_unknown(frame.message_id))

    def _compare(self, readings: int, presses: int) -> None:
        """The answer of the sync against what the last writes can have left, and what of them was applied when it was asked."""
        counter = int(self._synced.get(COUNTER, 0))
        if not self.readings.may_be(counter, readings):
            self._stale(f"counter {counter}, not {readings} to {self.readings.sent}")
        sensor = self._synced.get(SENSOR)
        possible = {text for number, text in self._texts if self.readings.may_be(number, readings)}
        if readings and sensor not in possible:
            self._stale(f"sensor {sensor}")
        press = int(self._synced.get(BUTTON, 0))
        if not self.presses.may_be(press, presses):
            self._stale(f"button {press}, not {presses} to {self.presses.sent}")
        self.presses.caught_up(max(press, self.presses.seen) if press else self.presses.seen)

    def _stale(self, what: str) -> None:
        self._totals.stale_syncs.append(f"device {self.device}: {what}")

    def _send(self, *frames: bytes) -> None:
        if self._connection is not None:
            self._totals.frames_sent += len(frames)
            self._said_at = asyncio.get_running_loop().time()
            self._connection.transport.write(b"".join(frames))

    async def _call(self, frame: bytes, message_id: int) -> int:
        answer = self._answers[message_id] = asyncio.get_running_loop().create_future()
        if self._connection is None:
            raise ConnectionError("the connection is lost")
        self._send(frame)
        return await answer


def _message_id(frame: bytes) -> int:
    return int.from_bytes(frame[1:3], "big")
