"""What stands around answers: request ids, ETag, compression, CORS."""

from __future__ import annotations

import asyncio
import json

import pytest
from tiny_owner import TOKEN, world
from vpin_api.documented import GZIP_BYTES
from vpin_api.protocol import HttpServer
from vpin_runtime.logging import request_id as current_id

pytestmark = pytest.mark.anyio


async def test_every_answer_has_the_id_that_the_client_gave_or_one_of_ours() -> None:
    seen: list[bytes] = []

    async def application(scope, receive, send) -> None:
        seen.append(scope["vpin.request_id"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    server = HttpServer(application)  # type: ignore[arg-type]  # any ASGI application does
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: server.protocol(tls=False), "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(host, port)
    try:
        for given in (b"abc-1", b"", b"a b", b"x" * 65, b"<script>"):
            line = b"x-request-id: " + given + b"\r\n" if given else b""
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n" + line + b"\r\n")
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            (told,) = [text.partition(b": ")[2] for text in head.split(b"\r\n") if text.startswith(b"x-request-id")]
            assert told == seen[-1]
            assert (told == given) == (given == b"abc-1")
        assert len(set(seen)) == 5
    finally:
        writer.close()
        listener.close()
        await server.close(1)


async def test_lines_that_are_logged_meanwhile_have_the_id() -> None:
    from vpin_runtime import logging

    current_id.set(b"abc-1")
    event = logging._add_request_id(None, "info", {"event": "x"})  # pyright: ignore[reportPrivateUsage]
    assert event["request"] == "abc-1"


async def test_the_document_has_a_tag_and_is_compressed() -> None:
    async with world() as w:
        first = await w.http.get("/openapi.json")
        assert len(first.content) > GZIP_BYTES
        assert first.headers["content-encoding"] == "gzip"
        tag = first.headers["etag"]
        again = await w.http.get("/openapi.json", headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
        other = await w.http.get("/openapi.json", headers={"if-none-match": '"other"', "accept-encoding": "identity"})
        assert other.status_code == 200
        assert "content-encoding" not in other.headers
        assert json.loads(other.content) == first.json()


async def test_pin_routes_are_left_alone() -> None:
    async with world() as w:
        await w.http.get(f"/{TOKEN}/update/v1?value={'x' * 5000}")
        answer = await w.http.get(f"/{TOKEN}/get/v1", headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in answer.headers
        assert "etag" not in answer.headers
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_static_file_has_a_tag() -> None:
    async with world() as w:
        first = await w.http.get("/favicon.ico")
        if first.status_code == 404:
            pytest.fail("the package has a favicon")
        again = await w.http.get("/favicon.ico", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await w.http.get("/favicon.ico", headers={"if-none-match": '"other"'})).status_code == 200


async def test_pages_of_other_origins_may_use_the_management_api_only_if_that_is_set() -> None:
    asked = {"origin": "https://a.example", "access-control-request-method": "GET"}
    async with world() as w:
        answer = await w.http.get("/api/v1/me", headers=asked)
        assert "access-control-allow-origin" not in answer.headers
    async with world(cors_origins="https://a.example, https://b.example") as w:
        answer = await w.http.get("/api/v1/me", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert "access-control-allow-credentials" not in answer.headers
        preflight = await w.http.options(
            "/api/v1/me", headers=asked | {"access-control-request-headers": "authorization"}
        )
        assert preflight.status_code == 200
        assert "authorization" in preflight.headers["access-control-allow-headers"]
        other = await w.http.get("/api/v1/me", headers={"origin": "https://c.example"})
        assert "access-control-allow-origin" not in other.headers


async def test_credentials_need_named_origins() -> None:
    from vpin_runtime.settings import Settings

    with pytest.raises(ValueError, match="named"):
        Settings(cors_origins="*", cors_credentials=True)
    async with world(cors_origins="https://a.example", cors_credentials=True) as w:
        answer = await w.http.get("/api/v1/me", headers={"origin": "https://a.example"})
        assert answer.headers["access-control-allow-credentials"] == "true"
