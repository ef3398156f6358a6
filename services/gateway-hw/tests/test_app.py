"""The gateway of the boards, on real sockets, with a bus in memory and a stand-in for the state service."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from vpin_gateway_hw.app import GatewayHardware
from vpin_messages.slab import Down, Side, Up, shard_of
from vpin_protocol import Command, Frame, hardware_frame, hardware_response
from vpin_runtime.settings import Settings
from vpin_sessions import login
from vpin_sessions.quota import BURST
from vpin_sessions.testing import Client, Owner, owned_bus, trusting
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

pytestmark = pytest.mark.anyio

PING = Command.PING
WRITE = Command.HARDWARE


@asynccontextmanager
async def running(settings: Settings, **changes: object) -> AsyncGenerator[tuple[GatewayHardware, Owner]]:
    """The service on free ports with its owner."""
    settings = settings.model_copy(update={"hardware": "127.0.0.1:0", **changes})
    async with owned_bus(settings.shards) as (bus, owner):
        service = GatewayHardware(settings, bus)
        await service.start()
        try:
            yield service, owner
        finally:
            await service.stop()


def port(service: GatewayHardware, index: int = 0) -> int:
    return service.listeners[index].address.port


async def test_a_board_logs_in_and_is_answered_by_its_owner(settings):
    async with running(settings) as (service, owner):
        assert service.checks() == {"bus": True, "listening": True}
        board = await (await Client.connect(port(service))).login(7)
        await board.ping()
        (request,) = owner.requests
        assert (request.side, request.command) == (Side.HARDWARE, Command.HARDWARE_LOGIN)
        assert request.address == "127.0.0.1"
        opening = owner.openings[request.session]
        assert opening[3:7] == (7, 1, 2, 3)
        assert service.gateway.sessions[request.session].shard == shard_of(7, 3)
        board.close()
        await owner.until(lambda: (Up.CLOSED, request.session) in owner.events)
        assert service.gateway.tally.connections == service.gateway.tally.sessions == 0


async def test_a_gateway_beats_in_every_shard_and_says_good_bye(settings):
    async with owned_bus(settings.shards) as (bus, owner):
        service = GatewayHardware(settings.model_copy(update={"hardware": "127.0.0.1:0"}), bus)
        await service.start()
        await owner.until(lambda: owner.heartbeats >= 3)
        board = await (await Client.connect(port(service))).login()
        await service.stop()
        await owner.until(lambda: owner.events.count((Up.BYE, 0)) == 3)
        assert not any(kind == Up.CLOSED for kind, _ in owner.events)
        assert await board.closed() == b""
        assert service.gateway.tally.connections == 0


async def test_a_new_owner_is_told_the_sessions_of_its_shard(settings):
    async with running(settings) as (service, owner):
        for account in range(1, 6):
            await (await Client.connect(port(service))).login(account)
        mine = {number for number, open_ in owner.openings.items() if shard_of(open_.account, 3) == 1}
        owner.tell(service.gateway.sender, Down.ANNOUNCE, 1)
        await owner.until(lambda: {session for kind, session in owner.events if kind == Up.ANNOUNCE} == mine)


async def test_a_login_may_come_byte_by_byte(settings):
    async with running(settings) as (service, _owner):
        board = await Client.connect(port(service))
        for byte in hardware_frame(Command.LOGIN, 1, b"account-1") + hardware_frame(PING, 2):
            board.raw(bytes((byte,)))
            await board.writer.drain()
            await asyncio.sleep(0)
        assert await board.frame() == Frame(0, 1, b"", 200)
        assert await board.frame() == Frame(0, 2, b"", 200)


async def test_ten_thousand_frames_behind_the_login_arrive_in_order(settings):
    async with running(settings) as (service, owner):
        board = await Client.connect(port(service))
        frames = [(WRITE, n % 65535 + 1, b"vw\x001\x00%d" % n) for n in range(10_000)]
        login = hardware_frame(Command.HARDWARE_LOGIN, 1, b"account-1")
        board.raw(login + b"".join(hardware_frame(*frame) for frame in frames))
        await owner.until(lambda: sum(map(len, owner.frames.values())) == 10_000)
        assert next(iter(owner.frames.values())) == frames
        assert service.gateway.tally.frames_in == 10_000


async def test_after_a_refusal_the_board_may_try_again(settings):
    async with running(settings) as (service, owner):
        board = await Client.connect(port(service))
        board.send(Command.HARDWARE_LOGIN, 5, b"wrong")
        board.send(Command.LOGIN, 6, b"account-3")
        board.send(PING, 7)
        assert [(await board.frame())[1::2] for _ in range(3)] == [(5, 9), (6, 200), (7, 200)]
        assert [request.command for request in owner.requests] == [Command.HARDWARE_LOGIN, Command.HARDWARE_LOGIN]


@pytest.mark.parametrize(
    ("command", "size"),
    [(Command.LOGIN, 0), (Command.LOGIN, 151), (Command.HARDWARE_LOGIN, 129), (Command.HARDWARE_LOGIN, 65535)],
)
async def test_a_token_of_any_length_is_answered(settings, command, size):
    async with running(settings) as (service, _owner):
        board = await Client.connect(port(service))
        board.send(command, 5, b"x" * size)
        assert (await board.frame())[1::2] == (5, 9)
        await board.login()


@pytest.mark.parametrize(
    ("garbage", "counter"),
    [
        (hardware_frame(PING, 1), "refused"),
        (hardware_response(1, 200), "refused"),
        (b"\xff" * 70, "refused"),
        (b"\0" * 9, "refused"),
        (b"\x02\0\1\0\x98", "oversize"),  # with two bytes more, an app's log-in of 10,000,001 bytes or more
        (b"GET / HTTP/1.1\r\n\r\n", "bad_requests"),
        (b"GET /websockets HTTP/1.1\r\nHost: x\r\n\r\n", "bad_requests"),
        (b"GET /websocketX HTTP/1.1\r\n\r\n", "bad_requests"),
        (b"GET /websockets \r\n\r\n", "bad_requests"),
        (b"POST /" + b"x" * 70_000, "bad_requests"),
    ],
)
async def test_garbage_closes_the_connection(settings, garbage, counter):
    async with running(settings) as (service, owner):
        other = await (await Client.connect(port(service))).login()
        board = await Client.connect(port(service))
        board.raw(garbage)
        answer = await board.closed()
        assert answer.startswith(b"HTTP/1.1 4") == (counter == "bad_requests")
        assert getattr(service.gateway.tally, counter) == 1
        assert len(owner.requests) == 1
        await other.ping()


async def test_a_broken_stream_is_closed_after_its_good_frames(settings):
    async with running(settings) as (service, owner):
        board = await (await Client.connect(port(service))).login()
        board.raw(hardware_frame(WRITE, 1, b"vw\x001\x001") + b"\x64" + b"\0" * 30)
        await board.closed()
        assert service.gateway.tally.malformed == 1
        await owner.until(lambda: any(kind == Up.CLOSED for kind, _ in owner.events))
        assert list(owner.frames.values()) == [[(WRITE, 1, b"vw\x001\x001")]]


async def test_a_body_of_64_kib_passes(settings):
    async with running(settings) as (service, owner):
        board = await (await Client.connect(port(service))).login()
        body = bytes(65535)
        board.send(WRITE, 4, body)
        await owner.until(lambda: bool(owner.frames))
        assert list(owner.frames.values()) == [[(WRITE, 4, body)]]


async def test_over_the_quota_frames_are_dropped_and_the_board_is_told_once(settings):
    async with running(settings, message_quota=100) as (service, _owner):
        board = await (await Client.connect(port(service))).login()
        full = 100 * BURST
        board.raw(b"".join(hardware_frame(PING, n) for n in range(1, full + 601)))
        answers = [await board.frame() for _ in range(full + 1)]
        assert [answer.status for answer in answers].count(1) == 1
        assert next(answer for answer in answers if answer.status == 1).message_id == full + 1
        assert service.gateway.tally.quota_dropped == 600
        await asyncio.sleep(0.1)  # ten more may come
        await board.ping(2000)


async def test_a_silent_board_is_disconnected_on_every_path(settings):
    async with running(settings, hardware_idle_timeout=0.2, hardware_tls="127.0.0.1:0") as (service, owner):
        fresh = await Client.connect(port(service))
        partial = await Client.connect(port(service), first=hardware_frame(29, 1, b"x")[:3])
        secure = await Client.connect(port(service, 1), tls=True)
        refused = await Client.connect(port(service))
        refused.send(29, 1, b"wrong")
        logged_in = await (await Client.connect(port(service))).login()
        asked = await (await Client.connect(port(service))).login()
        owner.tell(service.gateway.sender, Down.IDLE, max(owner.openings), struct.pack(">I", 3))
        web = await connect(f"ws://127.0.0.1:{port(service)}/websockets")
        for client in (fresh, partial, secure, refused, logged_in):
            await client.closed(1.8)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(web.recv(), 1)
        await asked.ping()
        assert service.gateway.tally.idle_closed == 6


async def test_idle_time_can_be_switched_off(settings):
    async with running(settings, hardware_idle_timeout=0) as (service, owner):
        board = await (await Client.connect(port(service))).login()
        assert service.gateway.sessions[1].deadline() == float("inf")
        owner.tell(service.gateway.sender, Down.IDLE, 1, struct.pack(">I", 1))
        await board.closed(2)


async def test_a_login_without_an_answer_ends(settings, monkeypatch):
    monkeypatch.setattr(login, "ANSWER_WITHIN", 0.3)
    async with running(settings) as (service, owner):
        owner.mute = True
        board = await Client.connect(port(service))
        board.send(29, 1, b"account-1")
        await board.closed(2)
        assert service.gateway.tally.unanswered == 1


async def test_who_waits_for_the_login_is_not_read_without_end(settings):
    async with running(settings) as (service, owner):
        owner.mute = True
        board = await Client.connect(port(service))
        board.send(29, 1, b"account-1")
        board.raw(hardware_frame(PING, 1) * 2_000_000)
        await owner.until(lambda: bool(owner.requests))
        session = service.gateway.sessions[owner.requests[0].session]
        async with asyncio.timeout(5):
            while not session.paused:  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0.01)
        assert service.gateway.tally.bytes_in < 4_000_000
        board.writer.transport.abort()


async def test_the_owner_can_close_a_session(settings):
    async with running(settings) as (service, owner):
        board = await (await Client.connect(port(service))).login()
        owner.tell(service.gateway.sender, Down.FRAMES, 1, hardware_response(8, 9))
        owner.tell(service.gateway.sender, Down.CLOSE, 1)
        assert await board.closed() == hardware_response(8, 9)
        await owner.until(lambda: (Up.CLOSED, 1) in owner.events)


async def test_a_client_that_never_reads_is_cut_off(settings):
    async with running(settings) as (service, owner):
        other = await (await Client.connect(port(service))).login(1)
        deaf = socket.create_connection(("127.0.0.1", port(service)))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(hardware_frame(29, 1, b"account-2"))
        await owner.until(lambda: 2 in owner.openings)
        frame = hardware_frame(WRITE, 1, bytes(65000))
        for _ in range(400):
            owner.tell(service.gateway.sender, Down.FRAMES, 2, frame)
            await asyncio.sleep(0)
        await owner.until(lambda: (Up.CLOSED, 2) in owner.events)
        assert service.gateway.tally.slow_readers == 1
        assert service.gateway.tally.blocked == 0
        await other.ping()
        deaf.close()


async def test_who_takes_nothing_for_the_idle_time_is_cut_off(settings):
    async with running(settings, hardware_idle_timeout=0.4) as (service, owner):
        deaf = socket.create_connection(("127.0.0.1", port(service)))
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(deaf, hardware_frame(29, 1, b"account-2"))
        await owner.until(lambda: 1 in owner.openings)
        for _ in range(200):
            owner.tell(service.gateway.sender, Down.FRAMES, 1, hardware_frame(WRITE, 1, bytes(40000)))
        while (Up.CLOSED, 1) not in owner.events:  # it talks, so it is not idle, but it does not read
            await loop.sock_sendall(deaf, hardware_frame(PING, 1))
            await asyncio.sleep(0.2)
            assert len(owner.frames[1]) < 40
        assert service.gateway.tally.slow_readers == 1
        deaf.close()


async def test_a_slow_reader_gets_everything(settings):
    async with running(settings) as (service, owner):
        board = await (await Client.connect(port(service))).login()
        for n in range(256):
            owner.tell(service.gateway.sender, Down.FRAMES, 1, hardware_frame(WRITE, n + 1, bytes(9000)))
        await asyncio.sleep(0.2)
        assert [(await board.frame()).message_id for _ in range(256)] == list(range(1, 257))


async def test_pressure_stops_reading_the_sessions_of_the_shard(settings):
    async with running(settings) as (service, _owner):
        clients = {account: await (await Client.connect(port(service))).login(account) for account in range(1, 6)}
        gateway = service.gateway
        gateway._on_pressure(1, True)
        held = [account for account in clients if shard_of(account, 3) == 1]
        assert held
        assert gateway.tally.pressure == 1
        for account, client in clients.items():
            client.send(PING, 3)
            if account in held:
                with pytest.raises(TimeoutError):
                    await client.frame(0.1)
            else:
                assert (await client.frame()).message_id == 3
        late = await (await Client.connect(port(service))).login(held[0])
        late.send(PING, 3)
        gateway._on_pressure(1, False)
        for account in held:
            assert (await clients[account].frame()).message_id == 3
        assert (await late.frame()).message_id == 3


async def test_a_proxy_header_names_the_client(settings):
    header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes((203, 0, 113, 7, 127, 0, 0, 1)) + b"\x30\x39\x1f\x91"
    async with running(settings, proxy_protocol=True) as (service, owner):
        board = await Client.connect(port(service), first=header[:9])
        await asyncio.sleep(0.05)
        board.raw(header[9:])
        await board.login()
        assert owner.requests[0].address == "203.0.113.7"
        bare = await Client.connect(port(service))
        bare.send(29, 1, b"account-1")
        await bare.closed()
        assert service.gateway.tally.bad_proxy == 1


async def test_tls_boards_and_the_certificate_of_the_first_start(settings):
    async with running(settings, hardware_tls="127.0.0.1:0") as (service, _owner):
        board = await (await Client.connect(port(service, 1), tls=True)).login()
        await board.ping()
        board.close()
        plain = await Client.connect(port(service, 1))
        plain.raw(hardware_frame(29, 1, b"account-1"))
        await plain.closed()
    assert (settings.data / "tls.pem").stat().st_mode & 0o777 == 0o600


# websockets


@pytest.mark.parametrize("path", ["/websockets", "/websockets/", "/websockets/x", "/websockets?a=b", "/websocket"])
async def test_boards_come_through_websockets(settings, path):
    async with running(settings) as (service, _owner), connect(f"ws://127.0.0.1:{port(service)}{path}") as web:
        assert web.protocol.extensions == []
        await web.send("text is ignored")
        await web.send(hardware_frame(29, 1, b"account-1") + hardware_frame(PING, 2) + b"\x06")
        await web.send(b"\0\x03\0\0")
        assert [await web.recv() for _ in range(3)] == [hardware_response(n, 200) for n in (1, 2, 3)]
        big = hardware_frame(Command.HARDWARE_SYNC, 5, b"\x02" + bytes(65534))
        await web.send(big[:40000])
        await web.send(big[40000:])
        first, second = await web.recv(), await web.recv()
        assert first == second == hardware_frame(WRITE, 5, bytes(65534))


async def test_websocket_over_tls(settings):
    async with (
        running(settings, hardware_tls="127.0.0.1:0") as (service, _owner),
        connect(f"wss://127.0.0.1:{port(service, 1)}/websockets", ssl=trusting()) as web,
    ):
        await web.send(hardware_frame(29, 1, b"account-1"))
        assert await web.recv() == hardware_response(1, 200)


async def test_a_websocket_message_may_hold_the_longest_frame(settings):
    async with running(settings) as (service, owner):
        async with connect(f"ws://127.0.0.1:{port(service)}/websockets") as web:
            await web.send(hardware_frame(29, 1, b"account-1"))
            await web.recv()
            await web.send(hardware_frame(WRITE, 2, bytes(65535)) + hardware_frame(PING, 3))
            assert await web.recv() == hardware_response(3, 200)
            assert next(iter(owner.frames.values()))[0] == (WRITE, 2, bytes(65535))
            await web.send(bytes(2 * 65540 + 1))
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(web.recv(), 2)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
        assert service.gateway.tally.oversize == 1


async def test_a_websocket_board_must_log_in_first(settings):
    async with running(settings) as (service, _owner), connect(f"ws://127.0.0.1:{port(service)}/websockets") as web:
        await web.send(hardware_frame(PING, 1))
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(web.recv(), 2)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000


async def test_websocket_pings_and_fragments(settings):
    async with running(settings) as (service, _owner), connect(f"ws://127.0.0.1:{port(service)}/websockets") as web:
        await (await web.ping())
        login = hardware_frame(29, 1, b"account-1")
        await web.send([login[:3], login[3:9], login[9:]])
        assert await web.recv() == hardware_response(1, 200)


@pytest.mark.parametrize("path", ["/", "/websocketX", "/dashws", "/ws"])
async def test_other_websockets_are_not_found(settings, path):
    async with running(settings) as (service, _owner):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{port(service)}{path}")
        assert refused.value.response.status_code == 404


async def test_numbers_of_sessions_are_not_used_twice(settings):
    async with running(settings) as (service, _owner):
        gateway = service.gateway
        gateway._numbers = itertools.cycle((1, 2, 3))
        held = [await (await Client.connect(port(service))).login() for _ in range(2)]
        third = await (await Client.connect(port(service))).login()
        third.close()
        again = await (await Client.connect(port(service))).login()
        assert sorted(gateway.sessions) == [1, 2, 3]
        for board in (*held, again):
            await board.ping()
