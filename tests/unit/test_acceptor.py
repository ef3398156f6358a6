"""The two ports of the embedded run: each kind of client gets to its service, on loopback sockets with a bus in memory."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState
from vpin_gateway_app.app import GatewayApp
from vpin_gateway_hw.app import GatewayHardware
from vpin_protocol import Command, app_response, hardware_frame, hardware_response
from vpin_runtime.settings import Address, Settings
from vpin_sessions.testing import Client, owned_bus, trusting
from websockets.asyncio.client import connect

from vpin.acceptor import Acceptor

pytestmark = pytest.mark.anyio

LOGIN, HARDWARE_LOGIN, PING = Command.LOGIN, Command.HARDWARE_LOGIN, Command.PING


async def hello(scope, receive, send) -> None:
    """Answers the path, the length of the body, and whether it came through TLS."""
    size = 0
    while (event := await receive())["type"] == "http.request":
        size += len(event["body"])
        if not event["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"{scope['path']} {size} {scope['scheme']}".encode()})


@asynccontextmanager
async def running(folder: Path, **changes: object) -> AsyncGenerator[Acceptor]:
    own = {"http": "127.0.0.1:0", "tls": "127.0.0.1:0", "mqtt": "127.0.0.1:0", "shards": 2, "message_quota": 0}
    settings = Settings(data=folder).model_copy(update={**own, **changes})
    config, state = Config(hello, ws="none", log_config=None), ServerState()
    async with owned_bus(settings.shards) as (bus, _owner):
        hardware, app = GatewayHardware(settings, bus, listen=False), GatewayApp(settings, bus, listen=False)
        acceptor = Acceptor(settings, hardware, app, lambda _tls: HttpToolsProtocol(config, state, {}))
        services = [hardware, app, acceptor]
        for service in services:
            await service.start()
        try:
            yield acceptor
        finally:
            for service in reversed(services):
                await service.stop()
            for connection in list(state.connections):
                connection.transport.abort()


async def test_boards_and_http_share_the_plain_port(tmp_path):
    async with running(tmp_path) as acceptor, httpx.AsyncClient() as web:
        port = acceptor.plain.address.port
        board = await (await Client.connect(port)).login()
        old = await (await Client.connect(port)).login(2, LOGIN)
        assert (await web.get(f"http://127.0.0.1:{port}/a/get/V1")).text == "/a/get/V1 0 http"
        assert (await web.put(f"http://127.0.0.1:{port}/b", content=bytes(300_000))).text == "/b 300000 http"
        assert (await web.get(f"http://127.0.0.1:{port}/websocketX")).text == "/websocketX 0 http"
        await board.ping()
        await old.ping()
        assert acceptor.checks() == {"http": True, "tls": True, "mqtt": True}
    assert acceptor.checks() == {"http": False, "tls": False, "mqtt": False}


async def test_apps_boards_and_https_share_the_tls_port(tmp_path):
    async with running(tmp_path) as acceptor, httpx.AsyncClient(verify=trusting()) as web:
        port = acceptor.secure.address.port
        app = await (await Client.connect(port, hardware=False, tls=True)).login(1, LOGIN)
        board = await (await Client.connect(port, tls=True)).login(1, HARDWARE_LOGIN)
        old = await (await Client.connect(port, tls=True)).login(1, LOGIN)
        assert (await web.get(f"https://127.0.0.1:{port}/x")).text == "/x 0 https"
        for client in (app, board, old):
            await client.ping()


@pytest.mark.parametrize(("tls", "hardware"), [(False, True), (True, True), (True, False)])
async def test_the_first_bytes_may_come_one_by_one(tmp_path, tls, hardware):
    async with running(tmp_path) as acceptor:
        port = (acceptor.secure if tls else acceptor.plain).address.port
        client = await Client.connect(port, hardware=hardware, tls=tls)
        frame = struct.pack(">BHH" if hardware else ">BHI", LOGIN, 1, 9) + b"account-1"
        for byte in frame:
            client.raw(bytes((byte,)))
            await client.writer.drain()
            await asyncio.sleep(0.002)
        assert (await client.frame()).status == 200


@pytest.mark.parametrize("length", [0xFFFFFFFF, 10_000_001])
async def test_an_impossible_length_is_refused_whatever_it_is_taken_for(tmp_path, length):
    async with running(tmp_path) as acceptor:
        app = await Client.connect(acceptor.secure.address.port, hardware=False, tls=True)
        app.raw(struct.pack(">BHI", LOGIN, 1, length) + b"a" * 100)
        await app.closed(2)


@pytest.mark.parametrize("tls", [False, True])
async def test_websockets_of_both_kinds_on_both_ports(tmp_path, tls):
    async with running(tmp_path) as acceptor:
        port = (acceptor.secure if tls else acceptor.plain).address.port
        url, context = (f"wss://127.0.0.1:{port}", trusting()) if tls else (f"ws://127.0.0.1:{port}", None)
        async with connect(f"{url}/websockets", ssl=context) as board, connect(f"{url}/dashws", ssl=context) as app:
            await board.send(hardware_frame(HARDWARE_LOGIN, 1, b"account-1"))
            assert await board.recv() == hardware_response(1, 200)
            await app.send(struct.pack(">BH", LOGIN, 2) + b"account-1\0hash")
            assert await app.recv() == app_response(2, 200)


@pytest.mark.parametrize("first", [b"", b"G", b"GET /websocket", b"\x02\0\1"])
@pytest.mark.parametrize("tls", [False, True])
async def test_the_idle_clock_runs_from_the_accept(tmp_path, tls, first):
    async with running(tmp_path, hardware_idle_timeout=0.2, app_idle_timeout=1) as acceptor:
        port = (acceptor.secure if tls else acceptor.plain).address.port
        client = await Client.connect(port, tls=tls, first=first)
        await client.closed(2.5)


async def test_a_stop_drops_who_has_said_nothing(tmp_path):
    async with running(tmp_path) as acceptor:
        silent = await Client.connect(acceptor.plain.address.port)
        await asyncio.sleep(0.05)
        await acceptor.stop()
        await silent.closed(1)
        with pytest.raises(ConnectionRefusedError):
            await Client.connect(acceptor.plain.address.port)


async def test_the_mqtt_port_is_boards_that_speak_it(tmp_path):
    async with running(tmp_path) as acceptor:
        reader, writer = await asyncio.open_connection("127.0.0.1", acceptor.listeners["mqtt"].address.port)
        writer.write(b"\x10\x1e\0\x04MQTT\x04\xc2\0\x3c\0\x04test\0\x09account-1\0\x01t")
        async with asyncio.timeout(5):
            assert await reader.readexactly(4) == b"\x20\x02\0\0"
        writer.close()
        await writer.wait_closed()


async def test_without_an_mqtt_port_nothing_listens(tmp_path):
    async with running(tmp_path, mqtt="") as acceptor:
        assert acceptor.checks() == {"http": True, "tls": True}


async def test_a_port_that_is_taken_is_named_by_its_setting(tmp_path):
    async with running(tmp_path) as acceptor:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listener = acceptor.listeners["mqtt"]
            listener.stop()
            listener.address = Address("127.0.0.1", taken.getsockname()[1])
            with pytest.raises(OSError, match="VPIN_MQTT"):
                await listener.start()
