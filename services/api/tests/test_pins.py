"""The pin routes as a client sees them, without a socket."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from tiny_owner import TOKEN, UNKNOWN, World, world
from vpin_messages.requests import PinReply
from vpin_store import StoreUnavailable

pytestmark = pytest.mark.anyio
JSON = {"content-type": "application/json"}


def refused(response: httpx.Response, text: str, status: int = 400) -> None:
    assert (response.status_code, response.text) == (status, text)
    assert response.headers["content-type"] == "text/plain;charset=utf-8"
    assert response.headers["access-control-allow-origin"] == "*"


def empty_ok(response: httpx.Response) -> None:
    assert (response.status_code, response.content) == (200, b"")
    assert "content-type" not in response.headers
    assert response.headers["content-length"] == "0"
    assert response.headers["access-control-allow-origin"] == "*"


async def put(w: World, path: str, body: bytes, **headers: str) -> httpx.Response:
    return await w.http.put(path, content=body, headers=JSON | headers)


async def test_a_value_is_written_and_read() -> None:
    async with world() as w:
        empty_ok(await w.http.get(f"/{TOKEN}/update/V3?value=8&value=9"))
        response = await w.http.get(f"/{TOKEN}/get/v3")
        assert (response.status_code, response.text) == (200, '["8","9"]')
        assert response.headers["content-type"] == "application/json;charset=utf-8"
        assert response.headers["access-control-allow-origin"] == "*"
        assert len(w.store.tokens.asked) == 1


@pytest.mark.parametrize("route", ["update", "pin"])
async def test_a_json_list_is_written(route: str) -> None:
    async with world() as w:
        empty_ok(await put(w, f"/{TOKEN}/{route}/d10", b"[1, 2.50, true]"))
        assert w.owner.pins == {("d", 10): ["1", "2.50", "true"]}


@pytest.mark.parametrize("route", ["isHardwareConnected", "isAppConnected"])
async def test_who_is_online(route: str) -> None:
    async with world() as w:
        response = await w.http.get(f"/{TOKEN}/{route}")
        assert (response.status_code, response.text) == (200, "true")
        assert response.headers["content-type"].startswith("application/json")
        assert w.owner.seen[0][1].operation == route


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"/{UNKNOWN}/get/x1", "Invalid token."),
        (f"/{'a' * 65}/get/v1", "Invalid token."),
        (f"/{TOKEN}%20/get/v1", "Invalid token."),
        (f"/{UNKNOWN}/update/v1", "Invalid token."),
        (f"/{UNKNOWN}/isAppConnected", "Invalid token."),
        (f"/{TOKEN}/get/x1", "Wrong pin format."),
        (f"/{TOKEN}/get/%76%31", "Wrong pin format."),
        (f"/{TOKEN}/get/v1", "Requested pin doesn't exist in the app."),
        (f"/{TOKEN}/update/x1", "Wrong request format."),
        (f"/{TOKEN}/update/x1?value=1", "Wrong pin format."),
        (f"/{TOKEN}/update/v1?value=%zz", "Wrong request format."),
        (f"/{TOKEN}/update/x1?label=a", "Wrong pin format."),
    ],
)
async def test_refusals_of_get(path: str, text: str) -> None:
    async with world() as w:
        refused(await w.http.get(path), text)


@pytest.mark.parametrize(
    ("path", "kind", "body", "status", "text"),
    [
        (f"/{UNKNOWN}/update/x1", "text/plain", b"[", 500, "Unexpected content type. Expecting application/json."),
        (f"/{UNKNOWN}/update/x1", "application/json", b"[", 500, "Error parsing body param. ["),
        (f"/{TOKEN}/update/v1", "application/json", b"", 500, "Error parsing body param. "),
        (f"/{TOKEN}/update/v1", "application/json", b"null", 500, "Error parsing body param. null"),
        (f"/{UNKNOWN}/update/x1", "application/json", b"[]", 400, "Invalid token."),
        (f"/{TOKEN}/pin/x1", "Application/JSON; charset=utf-8", b"[]", 400, "No pin for update provided."),
        (f"/{TOKEN}/pin/x1", "application/json", b'["1"]', 400, "Wrong pin format."),
    ],
)
async def test_refusals_of_put_in_their_order(path: str, kind: str, body: bytes, status: int, text: str) -> None:
    async with world() as w:
        refused(await put(w, path, body, **{"content-type": kind}), text, status)
        assert not w.owner.seen


async def test_a_property_of_a_malformed_pin_is_refused_after_the_owners_checks() -> None:
    async with world() as w:
        w.owner.answer = lambda entry, request: PinReply(400, b"Project is not active.")
        refused(await w.http.get(f"/{TOKEN}/update/x1?label=a"), "Project is not active.")
        w.owner.answer = None
        empty_ok(await w.http.get(f"/{TOKEN}/update/v1?label=a&color=b"))
        request = w.owner.seen[-1][1]
        assert (request.operation, request.name, request.values, request.pin) == ("property", "label", ["a"], 1)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/foo", "/w/d8", "/get", "/get/", "/get/v1/", "/get/v1/x", "/query", "/pin/v1", "/qrs", "/extra/pin"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_what_is_not_there_is_404_without_a_body(path: str, method: str) -> None:
    async with world() as w:
        response = await w.http.request(method, f"/{TOKEN}{path}")
        assert (response.status_code, response.content) == (404, b"")
        assert "content-type" not in response.headers
        assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("method", "route"),
    [("POST", "get/v1"), ("PATCH", "update/v1"), ("HEAD", "update/v1"), ("PUT", "get/v1"), ("PUT", "isAppConnected")],
)
async def test_a_method_that_a_route_does_not_have_is_404(method: str, route: str) -> None:
    async with world() as w:
        response = await w.http.request(method, f"/{TOKEN}/{route}?value=1")
        assert (response.status_code, response.content) == (404, b"")
        assert not w.owner.seen


async def test_a_web_page_may_ask_whether_it_may_write() -> None:
    async with world() as w:
        response = await w.http.options(f"/{TOKEN}/update/v1")
        assert response.status_code == 204
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["access-control-allow-methods"] == "GET, PUT, POST"
        assert response.headers["access-control-allow-headers"] == "content-type"
        assert (await w.http.options(f"/{TOKEN}/nothing")).status_code == 404


async def test_a_body_of_the_largest_size_is_accepted_and_one_more_byte_is_not() -> None:
    async with world() as w:
        body = b'["' + b"1" * (524_288 - 4) + b'"]'
        empty_ok(await put(w, f"/{TOKEN}/update/v1", body))
        response = await put(w, f"/{TOKEN}/update/v2", body + b" ")
        assert (response.status_code, response.content) == (413, b"")
        assert "access-control-allow-origin" not in response.headers

        async def chunks():
            for _ in range(10):
                yield b" " * 60_000

        response = await w.http.put(f"/{TOKEN}/update/v2", content=chunks(), headers=JSON)
        assert response.status_code == 413
        assert ("v", 2) not in w.owner.pins


async def test_a_replaced_token_is_refused_and_forgotten() -> None:
    async with world() as w:
        await w.http.get(f"/{TOKEN}/isAppConnected")
        w.owner.answer = lambda entry, request: PinReply(400, b"Invalid token.")
        del w.store.tokens.rows[TOKEN]
        refused(await w.http.get(f"/{TOKEN}/isAppConnected"), "Invalid token.")
        refused(await w.http.get(f"/{TOKEN}/isAppConnected"), "Invalid token.")
        assert len(w.owner.seen) == 2  # the third request did not reach it


async def test_a_token_of_another_kind_is_refused() -> None:
    async with world() as w:
        w.store.tokens.rows[UNKNOWN] = w.store.tokens.rows[TOKEN]._replace(token=UNKNOWN, kind="share")
        refused(await w.http.get(f"/{UNKNOWN}/isAppConnected"), "Invalid token.")


async def test_without_a_database_the_client_is_asked_to_come_again() -> None:
    async with world() as w:
        w.store.tokens.error = StoreUnavailable("away")
        response = await w.http.get(f"/{TOKEN}/get/v1")
        refused(response, "Server is busy.", 503)
        assert response.headers["retry-after"] == "1"


async def test_a_write_that_waits_for_its_commit_holds_up_nobody() -> None:
    async with world() as w:
        w.owner.answer = lambda entry, request: None if request.operation == "update" else w.owner.plain(entry, request)
        writing = asyncio.create_task(w.http.get(f"/{TOKEN}/update/v1?value=1"))
        refused(await w.http.get(f"/{TOKEN}/get/v1"), "Requested pin doesn't exist in the app.")
        assert not writing.done()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
