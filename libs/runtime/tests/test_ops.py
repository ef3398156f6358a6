"""The application of the ops port, called without a socket."""

from __future__ import annotations

import json

import httpx
import pytest
from vpin_runtime.ops import ops_app

pytestmark = pytest.mark.anyio


def client(checks: dict[str, bool]) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=ops_app(lambda: checks))  # pyright: ignore[reportArgumentType]
    return httpx.AsyncClient(transport=transport, base_url="http://ops")


@pytest.mark.parametrize(
    ("checks", "status"),
    [({"bus": True, "database": True}, 200), ({"bus": True, "database": False}, 503), ({}, 503)],
)
async def test_ready_when_all_parts_are(checks: dict[str, bool], status: int):
    async with client(checks) as ops:
        answer = await ops.get("/readyz")
    assert answer.status_code == status
    assert json.loads(answer.text)["checks"] == checks


async def test_alive_even_when_not_ready():
    async with client({"bus": False}) as ops:
        assert (await ops.get("/healthz")).status_code == 200


async def test_metrics_of_the_process():
    async with client({}) as ops:
        answer = await ops.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "process_resident_memory_bytes" in answer.text


async def test_other_paths_are_not_found():
    async with client({}) as ops:
        assert (await ops.get("/")).status_code == 404
