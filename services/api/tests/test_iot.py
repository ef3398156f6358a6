"""The Blynk IoT routes against a tiny owner: what is asked of it, and what is refused before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tiny_owner import TOKEN, UNKNOWN, World, world
from vpin_messages.requests import PinReply, PinRequest

pytestmark = pytest.mark.anyio


async def get(w: World, route: str, query: str = "", token: str = TOKEN) -> httpx.Response:
    return await w.http.get(f"/external/api/{route}?token={token}&{query}")


def refused(response: httpx.Response, message: str, status: int = 400) -> None:
    assert (response.status_code, response.json()) == (status, {"error": {"message": message}})
    assert response.headers["content-type"] == "application/json"


def asked(w: World) -> tuple[PinRequest, Any]:
    request = w.owner.seen[-1][1]
    return request, json.loads(request.payload) if request.payload else None


@pytest.mark.parametrize(
    ("query", "payload"),
    [
        ("v1=5", {"pins": [["v", 1]], "ids": [], "values": [["5"]]}),
        ("V1=a&d2=b&v1=c", {"pins": [["v", 1], ["d", 2]], "ids": [], "values": [["a", "c"], ["b"]]}),
        ("pin=V1&value=a&value=b", {"pins": [["v", 1]], "ids": [], "values": [["a", "b"]]}),
        ("dataStreamId=3&value=a+b%23", {"pins": [], "ids": [3], "values": [["a b#"]]}),
        ("v1=", {"pins": [["v", 1]], "ids": [], "values": [[""]]}),
    ],
)
async def test_what_an_update_writes(query: str, payload: dict[str, object]) -> None:
    async with world() as w:
        w.owner.answer = lambda entry, request: PinReply(200)
        response = await get(w, "update/", query)
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["cache-control"] == "no-store"
        assert asked(w) == (w.owner.seen[-1][1], payload)


@pytest.mark.parametrize(
    ("route", "query", "message"),
    [
        ("update", "", "Wrong pin format."),
        ("update", "v256=1", "Wrong pin format."),
        ("update", "foo=1", "Wrong pin format."),
        ("update", "pin=V1", "Request with incorrect parameters"),
        ("update", "dataStreamId=x&value=1", "Wrong dataStreamId format."),
        ("get", "", "Wrong pin format."),
        ("get", "dataStreamId=x", "Wrong pin format."),
        ("update/property", "label=x", "Wrong pin format."),
        ("update/property", "pin=v1", "Request with incorrect parameters"),
        ("logEvent", "", "Event code is not provided."),
        ("logEvent", "code=a&description=" + "x" * 301, "Request with incorrect parameters"),
        ("device/meta", "", "Wrong metaField format."),
        ("data/get", "period=YEAR", "Request with incorrect parameters"),
        ("data/get", "period=THREE_MONTHS", "Request with incorrect parameters"),
    ],
)
async def test_what_is_refused_without_asking_the_owner(route: str, query: str, message: str) -> None:
    async with world() as w:
        refused(await get(w, route, query), message)
        refused(await get(w, route, query, UNKNOWN), "Invalid token.")
        refused(await get(w, route, query, ""), "No token provided.")
        assert not w.owner.seen


async def test_unknown_routes_and_methods() -> None:
    async with world() as w:
        refused(await get(w, "getall"), "Not found.", 404)
        refused(await w.http.post(f"/external/api/get?token={TOKEN}&v1"), "Method not allowed.", 405)
        assert (await w.http.options("/external/api/update")).status_code == 204


@pytest.mark.parametrize(
    ("found", "kind", "body"),
    [
        ([["v1", "text", "text"]], "text/plain;charset=utf-8", b"text"),
        ([["v1", "1.50", 1.5]], "text/plain;charset=utf-8", b"1.50"),
        ([["v1", None, [1, 2]]], "application/json", b"[1,2]"),
        ([["v1", None, None]], None, b""),
        ([["v1", "1", 1], ["v2", None, None], ["v3", "x", "x"]], "application/json", b'{"v1":1,"v3":"x"}'),
    ],
)
async def test_the_forms_of_a_read(found: object, kind: str | None, body: bytes) -> None:
    async with world() as w:
        w.owner.answer = lambda entry, request: PinReply(200, json.dumps(found).encode())
        response = await get(w, "get", "v1")
        assert (response.content, response.headers.get("content-type")) == (body, kind)


@pytest.mark.parametrize(
    "body", [b"{}", b"[1]", b"[[1]]", b'[["x",1]]', b"[[1,[]]]", b"[[1,null]]", b"[[1e400,1]]", b"\xff"]
)
async def test_points_of_another_shape_are_refused(body: bytes) -> None:
    async with world() as w:
        address = f"/external/api/batch/update?token={TOKEN}&pin=v1"
        kind = {"content-type": "application/json"}
        refused(await w.http.post(address, content=body, headers=kind), "Request with incorrect parameters")
        assert not w.owner.seen


async def test_points_are_asked_with_their_parts() -> None:
    async with world() as w:
        w.owner.answer = lambda entry, request: PinReply(200)
        body = [[1, 1.5], [2, True], [3, "x"], [4, [1, 2]]]
        response = await w.http.post(f"/external/api/batch/update?token={TOKEN}&pin=v1", json=body)
        assert response.text == "OK"
        assert asked(w)[1]["points"] == [[1, ["1.5"]], [2, ["1"]], [3, ["x"]], [4, ["1", "2"]]]


async def test_an_owner_that_is_away_is_503_as_json() -> None:
    async with world() as w:
        w.owner.answer = lambda entry, request: PinReply(503, b"away")
        response = await get(w, "getAll")
        refused(response, "away", 503)
        assert response.headers["retry-after"] == "1"


async def test_uploads_are_served_replaced_and_bounded(tmp_path: Path) -> None:
    async with world(data=tmp_path) as w:
        address = f"/external/api/upload?token={TOKEN}"

        async def upload(name: str, data: bytes) -> str:
            response = await w.http.post(address, files={"upfile": (name, data)})
            assert response.status_code == 200, response.text
            return httpx.URL(response.text).path

        first = await upload("a.png", b"one")
        assert await upload("a.png", b"two") == first
        assert (await w.http.get(first)).content == b"two"
        page = await upload("page.html", b"<script>")
        assert (await w.http.get(page)).headers["content-type"] == "application/octet-stream"
        for n in range(10):
            await upload(f"{n}.txt", b"x")
        assert (await w.http.get(first)).status_code == 404
        refused(await w.http.post(address, content=b"x"), "Request with incorrect parameters")
        refused(await w.http.post(address, data={"upfile": "text"}), "Request with incorrect parameters")
        other = {"other": ("a.png", b"x")}
        refused(await w.http.post(address, files=other), "Request with incorrect parameters")
        too_large = {"upfile": ("a.bin", b"x" * (6 << 20))}
        assert (await w.http.post(address, files=too_large)).status_code == 413
