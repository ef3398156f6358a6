"""Log-ins of boards a second, and what an idle connection costs the server in memory.

The boards are bare sockets under epoll: 10,000 of them must not cost the generator what they cost the server.
"""

from __future__ import annotations

import asyncio
import errno
import resource
import select
import socket
import time

from vpin_protocol import Command, Status, hardware_frame, hardware_response

from vpin.bench.accounts import close_accounts, make_accounts
from vpin.bench.client import BenchError, Target
from vpin.bench.measurement import Measurement, Meter
from vpin.bench.processes import Watch

PER_SOURCE = 20_000
"""Connections from one loopback address: the kernel has about 28,000 ports for them."""
STALL_SECONDS = 15.0
SETTLE_SECONDS = 1.0
"""Between the last log-in and the look at memory; boards are not cut off before 23 s of silence."""

_GOOD = hardware_response(1, Status.OK)


class Boards:
    """Opens connections, at most ``at_a_time`` of them between connect and the answer to the log-in."""

    def __init__(self, target: Target, tokens: list[str], at_a_time: int) -> None:
        host, port = target.hardware
        self._address = (socket.gethostbyname(host), port)
        logins = [hardware_frame(Command.HARDWARE_LOGIN, 1, token.encode()) for token in tokens]
        self._logins = [target.hardware_preface + login for login in logins]
        self._at_a_time = at_a_time
        self._poll = select.epoll()
        self._waiting: dict[int, bytes | None] = {}  # file number → log-in to send, None once sent
        self._open: dict[int, socket.socket] = {}
        self._started = 0
        self.refused = 0

    def log_in(self, count: int) -> int:
        """Open ``count`` more connections; how many log in. BenchError when the server stops answering."""
        until, good = self._started + count, 0
        while self._started < until or self._waiting:
            while self._started < until and len(self._waiting) < self._at_a_time:
                self._connect(self._started)
                self._started += 1
            events = self._poll.poll(STALL_SECONDS)
            if not events:
                raise BenchError(f"no answer for {STALL_SECONDS:.0f} s after {good} log-ins")
            for number, _ in events:
                good += self._ready(number)
        return good

    def closed(self) -> int:
        """How many logged-in connections the server has closed; what it sent to the others is read."""
        closed = 0
        for connection in self._open.values():
            try:
                closed += connection.recv(65536) == b""
            except BlockingIOError:
                continue
            except ConnectionError:
                closed += 1
        return closed

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._poll.close()

    def _connect(self, number: int) -> None:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if number >= PER_SOURCE and self._address[0].startswith("127."):
            connection.bind((f"127.0.0.{1 + number // PER_SOURCE}", 0))
        self._open[connection.fileno()] = connection
        outcome = connection.connect_ex(self._address)
        if outcome not in (0, errno.EINPROGRESS):
            raise BenchError(f"connection {number}: {errno.errorcode.get(outcome, outcome)}")
        self._waiting[connection.fileno()] = self._logins[number % len(self._logins)]
        self._poll.register(connection.fileno(), select.EPOLLOUT)

    def _ready(self, number: int) -> int:
        """1 when the connection has just logged in."""
        connection, login = self._open[number], self._waiting[number]
        try:
            if login is not None:
                connection.send(login)
                self._waiting[number] = None
                self._poll.modify(number, select.EPOLLIN)
                return 0
            answer = connection.recv(65536)
        except ConnectionError:
            answer = b""
        self._poll.unregister(number)
        del self._waiting[number]
        if answer.startswith(_GOOD):
            return 1
        self.refused += 1
        connection.close()
        del self._open[number]
        return 0


async def connections(
    target: Target,
    watch: Watch,
    count: int = 10_000,
    at_a_time: int = 100,
    accounts: int = 40,
    devices: int = 50,
) -> Measurement:
    """``count`` log-ins, shared by ``accounts`` × ``devices`` tokens, all left open and idle."""
    allow_files(count + 1000)
    made = await make_accounts(target, accounts, devices)
    await close_accounts(made)
    tokens = [token for account in made for token in account.tokens]
    boards = Boards(target, tokens, at_a_time)
    try:
        return await asyncio.to_thread(_measure, boards, watch, count)
    finally:
        boards.close()


def _measure(boards: Boards, watch: Watch, count: int) -> Measurement:
    """In two halves: the first fills what the server's heap has free from before, the second shows what one takes."""
    half = count // 2
    good, took, cpu, before = _half(boards, watch, count - half)
    more, longer, costs, after = _half(boards, watch, half)
    figures = {"log-ins/s": count / (took + longer), "connections": good + more}
    figures |= {f"{name} KiB each": (after[name] - before[name]) / 1024 / half for name in after}
    closed = boards.closed()
    faults = [f"{boards.refused} log-ins were refused"] if boards.refused else []
    if closed:
        faults.append(f"the server closed {closed} of {good + more} idle connections")
    cpu = {name: (cpu[name] + costs[name]) / 2 for name in cpu}
    resident = {name: size / 2**20 for name, size in after.items()}
    return Measurement(f"{count} boards log in and stay", figures, "log-in", cpu, resident, faults)


def _half(boards: Boards, watch: Watch, count: int) -> tuple[int, float, dict[str, float], dict[str, int]]:
    """(logged in, seconds, microseconds of processor time each, resident bytes once it has settled)."""
    meter = Meter(watch)
    good = boards.log_in(count)
    took, cpu, _ = meter.stop(count)
    time.sleep(SETTLE_SECONDS)
    return good, took, cpu, watch.resident_bytes()


def allow_files(wanted: int) -> None:
    """Raise the limit of open files as far as this user may; BenchError when that is too little."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        except (ValueError, PermissionError):
            raise BenchError(f"{wanted} open files are needed, the limit is {hard}: raise it with ulimit -n") from None
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
