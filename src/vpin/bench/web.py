"""Reads and writes of pins over the HTTP API, by keep-alive clients that each wait for their answer."""

from __future__ import annotations

import asyncio
import time
from array import array
from typing import cast

from vpin.bench.accounts import PIN, close_accounts, make_accounts
from vpin.bench.client import BenchError, Target
from vpin.bench.latency import quantiles
from vpin.bench.measurement import Measurement, Meter
from vpin.bench.processes import Watch

WARM_UP_SECONDS = 0.5
CLIENTS = 50
"""Enough for a server to answer several with one commit."""


class Caller(asyncio.Protocol):
    """One keep-alive connection; understands answers with a content-length."""

    def __init__(self) -> None:
        self.transport: asyncio.WriteTransport
        self._answer: asyncio.Future[bytes] | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)  # uvloop's TLS transport is no subclass

    def call(self, request: bytes) -> asyncio.Future[bytes]:
        """The body of the answer; BenchError when its status is not 200."""
        self._answer = asyncio.get_running_loop().create_future()
        if self.transport.is_closing():
            self._fail("the server closed a connection")
        self.transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if len(body) < length:
            return
        self._buffer = body[length:]
        if head[9:12] != b"200":
            self._fail(f"an answer was {head.splitlines()[0].decode(errors='replace')}: {body[:80]!r}")
        elif self._answer is not None and not self._answer.done():
            self._answer.set_result(body[:length])

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the server closed a connection")

    def _fail(self, text: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BenchError(text))


class Load:
    """One client: its connection, its board's token, its counters."""

    def __init__(self, caller: Caller, host: str, token: str) -> None:
        self.caller = caller
        self.calls = 0
        self.took: array[float] = array("d")  # seconds of each call
        self.value = 0
        self._host = host
        self._path = f"/{token}"

    async def write(self) -> None:
        self.value += 1
        body = f'["{self.value}"]'
        path = f"{self._path}/update/V{PIN}"
        head = f"PUT {path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: application/json"
        await self.caller.call(f"{head}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        self.calls += 1

    async def read(self) -> None:
        answer = await self.caller.call(f"GET {self._path}/get/V{PIN} HTTP/1.1\r\nhost: {self._host}\r\n\r\n".encode())
        if answer != f'["{self.value}"]'.encode():
            raise BenchError(f"read {answer!r} after {self.value} was written")
        self.calls += 1

    async def repeat(self, write: bool, until: float) -> None:
        step = self.write if write else self.read
        began = time.perf_counter()
        while began < until:
            await step()
            ended = time.perf_counter()
            self.took.append(ended - began)
            began = ended


async def http(target: Target, watch: Watch, clients: int = CLIENTS, seconds: float = 5.0) -> list[Measurement]:
    """A run of writes, then one of reads that must all find the last value written.

    The apps that made the accounts leave before: what HTTP costs is measured, not the frames of apps that watch.
    """
    accounts = await make_accounts(target, clients)
    await close_accounts(accounts)
    loop = asyncio.get_running_loop()
    loads: list[Load] = []
    try:
        for account in accounts:
            _, caller = await loop.create_connection(Caller, *target.http)
            loads.append(Load(caller, f"{target.http[0]}:{target.http[1]}", account.tokens[0]))
        return [await _run(loads, watch, write, seconds) for write in (True, False)]
    finally:
        for load in loads:
            load.caller.transport.close()


async def _run(loads: list[Load], watch: Watch, write: bool, seconds: float) -> Measurement:
    running = asyncio.gather(
        *(load.repeat(write, time.perf_counter() + WARM_UP_SECONDS + seconds) for load in loads), return_exceptions=True
    )
    await asyncio.sleep(WARM_UP_SECONDS)
    for load in loads:
        load.took = array("d")
    meter, before = Meter(watch), sum(load.calls for load in loads)
    outcomes = await running
    calls = sum(load.calls for load in loads) - before
    took, cpu, resident = meter.stop(calls)
    faults = sorted({str(outcome) for outcome in outcomes if isinstance(outcome, BenchError)})
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, BenchError):
            raise outcome
    kind = "writes" if write else "reads"
    times = array("d", (second for load in loads for second in load.took))
    figures = {f"{kind}/s": calls / took, **quantiles(times)}
    return Measurement(f"http {kind}, {len(loads)} clients", figures, "call", cpu, resident, faults)
