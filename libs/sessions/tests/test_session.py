"""Sessions without sockets: a transport that only remembers, the real gateway and a bus in memory."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vpin_messages.entry import EntryAnswer
from vpin_messages.slab import Down, Up
from vpin_protocol import app_frame, app_response, hardware_frame, hardware_response
from vpin_runtime.settings import Settings
from vpin_sessions import APP, HARDWARE, WEB, Gateway, Session, WebSocketSession, adopt, adopt_websocket
from vpin_sessions.session import WRITE_LIMIT
from vpin_sessions.testing import Owner, owned_bus
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

pytestmark = pytest.mark.anyio


class Transport:
    """Takes everything, sends nothing."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.protocol: Any = None
        self.closed = False
        self.reading = True
        self.buffered = 0

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.sent += data
        self.buffered += len(data)

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close


@asynccontextmanager
async def running(**changes: object) -> AsyncGenerator[tuple[Gateway, Owner]]:
    config = Settings(data=Path("/nonexistent"), shards=2, message_quota=0).model_copy(update=changes)
    async with owned_bus(2) as (bus, owner):
        gateway = Gateway("test", config, bus)
        await gateway.start()
        try:
            yield gateway, owner
        finally:
            await gateway.stop()


def chunks(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return (data[start:end] for start, end in pairwise(edges))


async def feed(transport: Transport, data: bytes, cuts: list[int]) -> None:
    """What the loop does: chunk by chunk, unless reading is paused or the connection closed."""
    for chunk in chunks(data, cuts):
        if not transport.reading:
            async with asyncio.timeout(5):
                while not transport.reading:  # noqa: ASYNC110  nobody tells a fake transport
                    await asyncio.sleep(0)
        if transport.closed:
            return
        transport.protocol.data_received(chunk)
        await asyncio.sleep(0)


async def settled(owner: Owner, gateway: Gateway) -> None:
    """Return when the owner has heard all that was said so far: it is told by a session of its own."""
    for account in (1, 2, 3, 4, 5, 6):  # both shards
        transport: Any = Transport()
        number = gateway.new_number()
        login = hardware_frame(29, 1, b"account-%d" % account) + hardware_frame(6, 2)
        adopt(Session(gateway, HARDWARE, number, ""), transport, login)
        await owner.until(lambda number=number: bool(owner.frames[number]))


BODY = st.binary(max_size=300)
FRAMES = st.lists(
    st.tuples(st.integers(1, 99).filter(lambda n: n not in (6, 16)), st.integers(0, 65535), BODY), max_size=30
)
CUTS = st.lists(st.integers(0, 10_000), max_size=12)
QUICK = settings(max_examples=40, deadline=None)


@QUICK
@given(frames=FRAMES, cuts=CUTS, kind=st.sampled_from([HARDWARE, APP]))
def test_any_chunking_gives_the_same_frames(frames, cuts, kind):
    async def scenario() -> None:
        async with running() as (gateway, owner):
            pack = hardware_frame if kind is HARDWARE else app_frame
            stream = b"".join(pack(*frame) for frame in frames)
            transport: Any = Transport()
            number = gateway.new_number()
            adopt(Session(gateway, kind, number, "1.2.3.4"), transport, b"")
            await feed(transport, pack(2, 1, b"account-1") + stream, cuts)
            await settled(owner, gateway)
            assert owner.frames[number] == frames
            assert not transport.closed

    asyncio.run(scenario())


@QUICK
@given(frames=FRAMES, cuts=CUTS, cuts_of_websocket=CUTS, web=st.booleans())
def test_any_chunking_of_a_websocket_too(frames, cuts, cuts_of_websocket, web):
    async def scenario() -> None:
        async with running() as (gateway, owner):
            client = ClientProtocol(parse_uri("ws://x/websockets"))
            client.send_request(client.connect())
            head = b"".join(client.data_to_send())
            transport: Any = Transport()
            number = gateway.new_number()
            session = WebSocketSession(gateway, WEB if web else HARDWARE, number, "")
            adopt_websocket(session, transport, head)
            client.receive_data(bytes(transport.sent))
            if web:
                messages = [struct.pack(">BH", *frame[:2]) + frame[2] for frame in [(2, 1, b"account-1"), *frames]]
            else:
                stream = hardware_frame(29, 1, b"account-1") + b"".join(hardware_frame(*frame) for frame in frames)
                messages = list(chunks(stream, cuts))
            for message in messages:
                client.send_binary(message)
            await feed(transport, b"".join(client.data_to_send()), cuts_of_websocket)
            await settled(owner, gateway)
            assert owner.frames[number] == frames
            assert not transport.closed

    asyncio.run(scenario())


@QUICK
@given(
    garbage=st.binary(max_size=400), cuts=CUTS, login=st.booleans(), kind=st.sampled_from(["hw", "app", "web", "ws"])
)
def test_garbage_gives_frames_or_a_closed_connection(garbage, cuts, login, kind):
    async def scenario() -> None:
        async with running(message_quota=1) as (gateway, _owner):
            transport: Any = Transport()
            number = gateway.new_number()
            if kind in ("web", "ws"):
                session = WebSocketSession(gateway, WEB if kind == "web" else HARDWARE, number, "")
                client = ClientProtocol(parse_uri("ws://x/websockets"))
                client.send_request(client.connect())
                adopt_websocket(session, transport, b"".join(client.data_to_send()))
            else:
                adopt(Session(gateway, HARDWARE if kind == "hw" else APP, number, ""), transport, b"")
            if login and kind in ("hw", "app"):
                frame = (hardware_frame if kind == "hw" else app_frame)(2, 1, b"account-1")
                await feed(transport, frame, [])
            await feed(transport, garbage, cuts)
            transport.close()

    asyncio.run(scenario())


@given(head=st.binary(max_size=200))
@QUICK
def test_a_broken_upgrade_is_answered_and_closed(head):
    async def scenario() -> None:
        async with running() as (gateway, _owner):
            transport: Any = Transport()
            data = b"GET /websockets HTTP/1.1\r\n" + head + b"\r\n\r\n"
            adopt_websocket(WebSocketSession(gateway, HARDWARE, 1, ""), transport, data)
            assert bytes(transport.sent).startswith(b"HTTP/1.1 4")
            assert transport.closed
            assert gateway.tally.bad_requests == 1

    asyncio.run(scenario())


async def test_a_large_frame_in_small_pieces_costs_no_more_than_its_bytes(monkeypatch):
    async with running() as (gateway, owner):
        transport: Any = Transport()
        adopt(Session(gateway, APP, 1, ""), transport, app_frame(2, 1, b"account-1"))
        await owner.until(lambda: 1 in owner.openings)
        frame = app_frame(21, 2, bytes(5_000_000))
        for at in range(0, len(frame), 1000):
            transport.protocol.data_received(frame[at : at + 1000])
        await owner.until(lambda: bool(owner.frames[1]))
        assert owner.frames[1] == [(21, 2, bytes(5_000_000))]


async def test_a_full_write_buffer_cuts_off(anyio_backend):
    async with running() as (gateway, owner):
        transport: Any = Transport()
        adopt(Session(gateway, HARDWARE, 1, ""), transport, hardware_frame(2, 1, b"account-1"))
        await owner.until(lambda: 1 in owner.openings)
        session = gateway.sessions[1]
        transport.buffered = WRITE_LIMIT - 1000
        session.pause_writing()
        session.write(bytes(900))
        assert not transport.closed
        assert gateway.tally.blocked == 1
        session.write(bytes(200))
        assert transport.closed
        session.write(b"into the void")
        await owner.until(lambda: (Up.CLOSED, 1) in owner.events)
        assert gateway.tally.blocked == 0
        assert gateway.tally.slow_readers == 1


async def test_a_jam_ends_when_the_client_reads(anyio_backend):
    async with running() as (gateway, owner):
        transport: Any = Transport()
        adopt(Session(gateway, HARDWARE, 1, ""), transport, hardware_frame(2, 1, b"account-1"))
        await owner.until(lambda: 1 in owner.openings)
        session, now = gateway.sessions[1], gateway.clock()
        transport.buffered = 300_000
        session.pause_writing()
        for second in range(60):  # as much is written as is read: it is slow, but it reads
            session.write(bytes(100))
            transport.buffered -= 100
            gateway.look_at_jams(now + second)
        assert not transport.closed
        session.resume_writing()
        gateway.look_at_jams(now + 1000)
        assert not transport.closed
        session.pause_writing()
        gateway.look_at_jams(now + 22)
        assert not transport.closed
        gateway.look_at_jams(now + 24)
        assert transport.closed


async def test_an_answer_nobody_asked_for_is_nothing(anyio_backend):
    async with running() as (gateway, _owner):
        transport: Any = Transport()
        adopt(Session(gateway, HARDWARE, 1, ""), transport, b"")
        gateway.sessions[1].answered(EntryAnswer(hardware_response(1, 200)))
        assert not transport.sent


@pytest.mark.parametrize(("command", "seconds"), [(2, 10), (1, 10), (32, 10), (81, 75)])
async def test_who_waits_for_a_mail_may_wait_as_long_as_mails_take(anyio_backend, monkeypatch, command, seconds):
    async with running() as (gateway, _owner):
        began = gateway.clock()
        monkeypatch.setattr(gateway, "clock", lambda: began)
        monkeypatch.setattr(gateway.uplinks, "ask", lambda request: None)
        transport: Any = Transport()
        adopt(Session(gateway, APP, 1, ""), transport, app_frame(command, 1, b"x"))
        assert gateway.sessions[1].deadline() == began + seconds
        monkeypatch.setattr(gateway, "clock", lambda: began + seconds)
        gateway.sessions[1].expire()
        assert transport.closed


async def test_half_a_frame_for_a_websocket_closes_it(anyio_backend):
    async with running() as (gateway, owner):
        transport: Any = Transport()
        client = ClientProtocol(parse_uri("ws://x/dashws"))
        client.send_request(client.connect())
        adopt_websocket(WebSocketSession(gateway, WEB, 1, ""), transport, b"".join(client.data_to_send()))
        gateway.sessions[1].write(app_response(1, 200)[:5])
        assert transport.closed
        await asyncio.sleep(0)
        owner.tell(gateway.sender, Down.FRAMES, 1, app_response(1, 200))


async def test_who_is_not_read_for_pressure_is_not_silent(anyio_backend, monkeypatch):
    async with running() as (gateway, owner):
        transport: Any = Transport()
        adopt(Session(gateway, HARDWARE, 1, ""), transport, hardware_frame(2, 1, b"account-1"))
        await owner.until(lambda: 1 in owner.openings)
        session, began = gateway.sessions[1], gateway.clock()
        gateway.pressed.add(session.shard)
        session.control_reading()
        monkeypatch.setattr(gateway, "clock", lambda: began + 1000)
        assert session.deadline() == began + 1000 + session.limit
        gateway.pressed.clear()
        session.control_reading()
        monkeypatch.setattr(gateway, "clock", lambda: began + 2000)
        assert session.deadline() == began + 1000 + session.limit
