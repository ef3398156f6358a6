"""The gateway of the apps, on real sockets, with a bus in memory and a stand-in for the state service."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from vpin_gateway_app.app import GatewayApp
from vpin_messages.slab import Down, Side, Up
from vpin_protocol import Command, Frame, app_frame, app_response
from vpin_runtime.settings import Settings
from vpin_sessions.quota import BURST
from vpin_sessions.testing import Client, Owner, owned_bus, trusting
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

pytestmark = pytest.mark.anyio

PING = Command.PING
WRITE = Command.HARDWARE


@asynccontextmanager
async def running(settings: Settings, **changes: object) -> AsyncGenerator[tuple[GatewayApp, Owner]]:
    """The service on two free ports, TLS and plain, with its owner."""
    update = {"app": "127.0.0.1:0", "app_tls": "127.0.0.1:0", **changes}
    settings = settings.model_copy(update=update)
    async with owned_bus(settings.shards) as (bus, owner):
        service = GatewayApp(settings, bus)
        await service.start()
        try:
            yield service, owner
        finally:
            await service.stop()


def plain(service: GatewayApp) -> int:
    return service.listeners[0].address.port


def secure(service: GatewayApp) -> int:
    return service.listeners[1].address.port


async def app(service: GatewayApp) -> Client:
    return await Client.connect(secure(service), hardware=False, tls=True)


async def test_an_app_logs_in_over_tls(settings):
    async with running(settings) as (service, owner):
        client = await (await app(service)).login(5, Command.LOGIN)
        await client.ping()
        assert owner.requests[0].side == Side.APP
        assert owner.openings[1].account == 5
        assert service.checks() == {"bus": True, "listening": True}


async def test_behind_an_edge_the_port_is_plain(settings):
    async with running(settings) as (service, _owner):
        await (await Client.connect(plain(service), hardware=False)).login(5, Command.LOGIN)


async def test_commands_before_the_login(settings):
    async with running(settings) as (service, owner):
        client = await app(service)
        client.send(Command.GET_SERVER, 2, b"a@b\0Blynk")
        assert await client.frame() == Frame(Command.GET_SERVER, 2, b"here")
        client.send(Command.REGISTER, 3, b"a@b\0hash\0Blynk")
        assert (await client.frame()).status == 200
        client.send(Command.REGISTER, 4, b"a@b\0hash\0Blynk")
        assert await client.closed() == app_response(4, 200)
        assert [request.registered for request in owner.requests] == [False, False, True]


async def test_a_device_login_in_app_framing_is_a_login(settings):
    async with running(settings) as (service, owner):
        await (await app(service)).login(1, Command.HARDWARE_LOGIN)
        assert owner.requests[0].command == Command.LOGIN


@pytest.mark.parametrize(
    "garbage",
    [app_frame(PING, 1), app_frame(WRITE, 1, b"x"), b"\xff" * 20, struct.pack(">BHI", 2, 1, 70_000), b"\0" * 7],
)
async def test_what_may_not_come_before_the_login_closes_the_connection(settings, garbage):
    async with running(settings) as (service, owner):
        client = await app(service)
        client.raw(garbage)
        assert await client.closed() == b""
        assert owner.requests == []


@pytest.mark.parametrize("length", [10_000_001, 2**31, 2**32 - 1])
async def test_a_frame_that_is_too_large_is_refused_by_its_header(settings, length):
    async with running(settings) as (service, _owner):
        client = await (await app(service)).login(1, Command.LOGIN)
        client.raw(struct.pack(">BHI", Command.CREATE_DASH, 1, length))
        await client.closed()
        assert service.gateway.tally.oversize == 1


async def test_large_frames_pass_both_ways(settings):
    async with running(settings) as (service, owner):
        client = await (await app(service)).login(1, Command.LOGIN)
        body = bytes(2_000_000)
        client.send(Command.CREATE_DASH, 5, body)
        await owner.until(lambda: bool(owner.frames[1]))
        assert owner.frames[1] == [(Command.CREATE_DASH, 5, body)]
        owner.tell(service.gateway.sender, Down.FRAMES, 1, app_frame(Command.LOAD_PROFILE, 6, body))
        assert await client.frame() == Frame(Command.LOAD_PROFILE, 6, body)


async def test_a_silent_app_is_disconnected(settings):
    async with running(settings, app_idle_timeout=1) as (service, _owner):
        client = await (await app(service)).login(1, Command.LOGIN)
        await client.closed(2)
        assert service.gateway.tally.idle_closed == 1


async def test_answers_of_the_quota_are_in_app_framing(settings):
    async with running(settings, message_quota=1) as (service, _owner):
        client = await (await app(service)).login(1, Command.LOGIN)
        client.raw(b"".join(app_frame(PING, n) for n in range(1, 2 * BURST)))
        statuses = sorted([(await client.frame()).status or 0 for _ in range(BURST + 1)])
        assert statuses == [1, *[200] * BURST]


# websockets


@asynccontextmanager
async def browser(service: GatewayApp, *, login: bool = True) -> AsyncGenerator[ClientConnection]:
    async with connect(f"wss://127.0.0.1:{secure(service)}/dashws", ssl=trusting()) as web:
        if login:
            await web.send(struct.pack(">BH", Command.LOGIN, 1) + b"account-3\0hash")
            assert await web.recv() == app_response(1, 200)
        yield web


async def test_a_browser_speaks_web_framing(settings):
    async with running(settings) as (service, owner), browser(service) as web:
        assert owner.openings[1].side == Side.WEB
        await web.send(struct.pack(">BH", WRITE, 7) + b"1-0\0vw\x001\x002")
        await web.send(struct.pack(">BH", PING, 8))
        assert await web.recv() == app_response(8, 200)
        assert owner.frames[1] == [(WRITE, 7, b"1-0\0vw\x001\x002"), (PING, 8, b"")]
        two = app_frame(WRITE, 9, b"one") + app_response(10, 200) + app_frame(WRITE, 11, bytes(70_000))
        owner.tell(service.gateway.sender, Down.FRAMES, 1, two)
        assert await web.recv() == b"\x14\0\x09one"
        assert await web.recv() == app_response(10, 200)
        assert await web.recv() == b"\x14\0\x0b" + bytes(70_000)


async def test_malformed_messages_of_a_browser_are_ignored(settings):
    async with running(settings) as (service, owner), browser(service) as web:
        for message in (b"", b"\x06", b"\x06\0", "text", b"\x64\0\1x", b"\0\0\1", b"\0\0\1\0\0\0\xc8"):
            await web.send(message)
        await web.send([b"\x06", b"\0", b"\x05"])  # one message in fragments
        assert await web.recv() == app_response(5, 200)
        assert owner.frames[1] == [(PING, 5, b"")]


async def test_a_ping_between_fragments_is_answered_and_changes_nothing(settings):
    async with running(settings) as (service, owner), browser(service) as web:

        async def message() -> AsyncGenerator[bytes]:
            yield b"\x06\0"
            await (await web.ping(b"there?"))  # until its pong has come
            yield b"\x05"

        await web.send(message())
        assert await web.recv() == app_response(5, 200)
        await web.send(["te", "xt"])
        await web.send(struct.pack(">BH", PING, 6))
        assert await web.recv() == app_response(6, 200)
        assert owner.frames[1] == [(PING, 5, b""), (PING, 6, b"")]


@pytest.mark.parametrize("pieces", [[65533], [40_000, 25_533]], ids=["whole", "fragments"])
async def test_a_message_of_a_browser_has_65536_bytes_and_no_more(settings, pieces):
    async with running(settings) as (service, owner), browser(service) as web:
        head = struct.pack(">BH", Command.CREATE_DASH, 5)
        parts = [bytes(size) for size in pieces]
        await web.send([head + parts[0], *parts[1:]])
        await owner.until(lambda: bool(owner.frames[1]))
        assert owner.frames[1] == [(Command.CREATE_DASH, 5, bytes(65533))]
        await web.send([head + parts[0], *parts[1:-1], parts[-1] + b"x"] if len(parts) > 1 else head + parts[0] + b"x")
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(web.recv(), 2)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert service.gateway.tally.oversize == 1
        assert len(owner.frames[1]) == 1


async def test_a_browser_cannot_register(settings):
    async with running(settings) as (service, owner):
        async with browser(service, login=False) as web:
            await web.send(struct.pack(">BH", Command.REGISTER, 4) + b"a\0b\0c")
            assert await web.recv() == app_response(4, 6)
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(web.recv(), 2)
        assert owner.requests == []


@pytest.mark.parametrize("command", [PING, Command.SHARE_LOGIN, Command.RESET_PASSWORD])
async def test_a_browser_must_log_in_first(settings, command):
    async with running(settings) as (service, _owner), browser(service, login=False) as web:
        await web.send(struct.pack(">BH", command, 4))
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(web.recv(), 2)


async def test_the_owner_closes_a_browser_in_order(settings):
    async with running(settings) as (service, owner):
        async with browser(service) as web:
            owner.tell(service.gateway.sender, Down.FRAMES, 1, app_response(5, 200))
            owner.tell(service.gateway.sender, Down.CLOSE, 1)
            assert await web.recv() == app_response(5, 200)
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(web.recv(), 2)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1000
        await owner.until(lambda: (Up.CLOSED, 1) in owner.events)


@pytest.mark.parametrize("path", ["/dashws/", "/dashwsx", "/websockets"])
async def test_other_websockets_are_not_found(settings, path):
    async with running(settings) as (service, _owner):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{plain(service)}{path}")
        assert refused.value.response.status_code == 404
