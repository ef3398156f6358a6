"""The protocol on a real (unconnected to any network) socket: what a client library hides."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tiny_owner import TOKEN, World, world
from vpin_api import protocol

pytestmark = pytest.mark.anyio
Answer = tuple[int, dict[str, str], bytes]


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, text: str | bytes) -> None:
        self.writer.write(text if isinstance(text, bytes) else text.encode())

    async def answer(self) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head[:-4].split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        assert first.startswith("HTTP/1.1 ")
        return int(first.split(" ")[1]), headers, body

    async def closed(self) -> bool:
        async with asyncio.timeout(2):
            return await self.reader.read() == b""


@asynccontextmanager
async def connected(w: World, *, tls: bool = False) -> AsyncIterator[Client]:
    ours, theirs = socket.socketpair()
    await asyncio.get_running_loop().connect_accepted_socket(lambda: w.service.http_protocol_factory(tls), theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def get(path: str, version: str = "1.1", headers: str = "") -> str:
    return f"GET /{TOKEN}/{path} HTTP/{version}\r\nHost: x\r\n{headers}\r\n"


async def test_a_connection_serves_many_requests() -> None:
    async with world() as w, connected(w) as client:
        for value in range(5):
            client.send(get(f"update/v1?value={value}"))
            status, headers, _ = await client.answer()
            assert (status, headers.get("connection", "keep-alive")) == (200, "keep-alive")
            assert "date" in headers
            assert "server" not in headers
            client.send(get("get/v1"))
            assert json.loads((await client.answer())[2]) == [str(value)]


async def test_requests_sent_at_once_are_answered_in_order() -> None:
    async with world() as w, connected(w) as client:
        w.owner.pins = {("v", pin): [str(pin)] for pin in range(20)}
        client.send("".join(get(f"get/v{pin}") for pin in range(20)))
        assert [json.loads((await client.answer())[2]) for _ in range(20)] == [[str(pin)] for pin in range(20)]


@pytest.mark.parametrize(("version", "headers"), [("1.1", "Connection: close\r\n"), ("1.0", "")])
async def test_the_connection_is_closed_when_the_client_wants_it(version: str, headers: str) -> None:
    async with world() as w, connected(w) as client:
        client.send(get("isHardwareConnected", version, headers))
        status, answered, body = await client.answer()
        assert (status, answered["connection"], body) == (200, "close", b"true")
        assert await client.closed()


PUT = f"PUT /{TOKEN}/update/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def test_a_chunked_body_is_accepted() -> None:
    async with world() as w, connected(w) as client:
        client.send(PUT + 'Transfer-Encoding: chunked\r\n\r\n3\r\n["9\r\n2\r\n"]\r\n0\r\n\r\n')
        assert (await client.answer())[0] == 200
        assert w.owner.pins == {("v", 1): ["9"]}


async def test_a_body_that_waits_for_its_permission_gets_it() -> None:
    async with world() as w, connected(w) as client:
        client.send(PUT + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send('["9"]')
        assert (await client.answer())[0] == 200


async def test_a_body_that_is_too_large_and_waits_is_refused_and_the_connection_closed() -> None:
    async with world() as w, connected(w) as client:
        client.send(PUT + "Content-Length: 600000\r\nExpect: 100-continue\r\n\r\n")
        status, headers, _ = await client.answer()
        assert (status, headers["connection"]) == (413, "close")
        assert await client.closed()


async def test_the_rest_of_a_refused_body_is_skipped_and_the_connection_goes_on() -> None:
    async with world() as w, connected(w) as client:
        client.send(PUT + "Content-Length: 600000\r\n\r\n")
        client.send(b" " * 600_000)
        client.send(get("isAppConnected"))
        assert (await client.answer())[0] == 413
        assert (await client.answer())[2] == b"true"


async def test_head_is_get_without_a_body() -> None:
    async with world() as w, connected(w) as client:
        w.owner.pins = {("v", 1): ["1"]}
        client.send(get("get/v1").replace("GET", "HEAD", 1))
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert b"content-length: 5\r\n" in head
        client.send(get("get/v1"))
        assert (await client.answer())[2] == b'["1"]'


async def test_an_offer_of_http2_is_passed_over() -> None:
    async with world() as w, connected(w) as client:
        client.send(
            get(
                "isAppConnected",
                headers="Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n",
            )
        )
        assert (await client.answer())[2] == b"true"


async def test_the_tls_port_leads_to_the_administration() -> None:
    async with world() as w, connected(w, tls=True) as client:
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        status, headers, _ = await client.answer()
        assert (status, headers["location"]) == (301, "/admin")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /" + "a" * 8000 + "/get/v1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /" + "a" * 20_000, 414),
        ("GARBAGE\r\n\r\n", 400),
        ("GET http://[/ HTTP/1.1\r\n\r\n", 400),
        ("GET /é/get/v1 HTTP/1.1\r\n\r\n", 400),
    ],
    ids=["long", "too long", "garbage", "no address", "no ascii"],
)
async def test_what_is_no_request_is_refused(head: str, status: int) -> None:
    async with world() as w, connected(w) as client:
        client.send(head)
        assert (await client.answer())[0] == status


async def test_headers_without_end_are_refused() -> None:
    async with world() as w, connected(w) as client:
        client.send("GET / HTTP/1.1\r\nX-Endless: " + "a" * 1_000_000)
        assert (await client.answer())[0] == 431


async def test_half_a_request_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    async with world() as w, connected(w) as client:
        client.send(get("isAppConnected"))
        await client.answer()
        client.send("GET /half")
        assert await client.closed()


async def test_stopping_closes_idle_connections_and_waits_for_answers() -> None:
    async with world() as w, connected(w) as idle, connected(w) as busy:
        idle.send(get("isAppConnected"))
        await idle.answer()
        asked = asyncio.Event()
        w.owner.answer = lambda entry, request: asked.set()
        busy.send(get("isAppConnected"))
        await asked.wait()
        stopping = asyncio.create_task(w.service.stop())
        assert await idle.closed()
        assert not stopping.done()
        entry, request = w.owner.seen[-1]
        w.owner.reply(entry, w.owner.plain(entry, request))
        status, headers, body = await busy.answer()
        assert (status, headers["connection"], body) == (200, "close", b"true")
        await stopping


async def test_no_log_line_has_a_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with world() as w, connected(w) as client:
        client.send(get("get/v1") + f"GARBAGE {TOKEN}\r\n\r\n")
        await client.reader.read()
    assert TOKEN not in caplog.text
