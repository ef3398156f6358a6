"""Who may open the administration, and firmware over the air (spec 04, 1.8; 06, 14.1 and 15)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tiny_owner import TOKEN, UNKNOWN, World, world
from vpin_api import administration
from vpin_api.administration import NO_PASSWORD, TOO_OFTEN, WRONG_PASSWORD, Administrators, Entrance
from vpin_api.images import IMAGE_MAX, Images
from vpin_messages.requests import PinReply
from vpin_messages.slab import Up
from vpin_store import StoreUnavailable
from vpin_store.passwords import app_hash, hash_password
from vpin_store.rows import AccountRow, FirmwareRow

pytestmark = pytest.mark.anyio

EMAIL, PASSWORD = "admin@example.com", "käse:1"
AUTH = httpx.BasicAuth(EMAIL.upper().encode(), PASSWORD.encode())
IMAGE = b"\xe9\0build\0Aug 14 2017\0\xff"
START = "/admin/ota/start"


def row(email: str, *, is_admin: bool) -> AccountRow:
    stored = hash_password(app_hash(email, PASSWORD))
    return AccountRow(1, email, "Blynk", "", stored, is_admin, False, 0, 1, 0, "", b"{}")


ACCOUNTS = {EMAIL: row(EMAIL, is_admin=True), "user@example.com": row("user@example.com", is_admin=False)}


@asynccontextmanager
async def tls(**settings: Any) -> AsyncIterator[tuple[World, httpx.AsyncClient]]:
    """A client of the TLS port, as the administrator."""
    async with world(**settings) as w:
        w.store.accounts = ACCOUNTS
        transport = httpx.ASGITransport(w.service.application)
        async with httpx.AsyncClient(transport=transport, base_url="https://test", auth=AUTH) as client:
            yield w, client


def file(content: bytes = IMAGE, name: str = "fw.bin") -> dict[str, Any]:
    return {"files": {"upfile": (name, content)}}


# -- who may come in


@pytest.mark.parametrize(
    ("addresses", "address", "admitted"),
    [
        ("0.0.0.0/0,::/0", "10.1.2.3", True),
        ("0.0.0.0/0,::/0", "2001:db8::1", True),
        (" 10.0.0.1 , 192.168.0.0/16", "10.0.0.1", True),
        (" 10.0.0.1 , 192.168.0.0/16", "192.168.7.7", True),
        (" 10.0.0.1 , 192.168.0.0/16", "10.0.0.2", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("2001:DB8::1", "2001:db8::1", True),
        ("", "127.0.0.1", False),
        ("0.0.0.0/0", "", False),
    ],
)
def test_the_address_rule(addresses: str, address: str, admitted: bool) -> None:
    scope = {"scheme": "https", "client": (address, 1)}
    refusal = Entrance("/admin", addresses).refusal(scope)
    assert (refusal is None) is admitted
    assert refusal is None or refusal.status == 403


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/adminx", START])
async def test_the_plain_port_has_no_administration(path: str) -> None:
    async with world() as w:
        response = await w.http.get(path)
        assert (response.status_code, response.content) == (404, b"")


@pytest.mark.parametrize("path", ["/admin", "/adminx", START])
async def test_a_refused_address_sees_nothing(path: str) -> None:
    async with tls(admin_addresses="10.0.0.1") as (_, client):
        assert (await client.get(path)).status_code == 403
        assert (await client.get(f"/{TOKEN}/isHardwareConnected")).status_code == 200


async def test_another_root() -> None:
    async with tls(admin_path="/secret") as (_, client):
        assert (await client.get("/secret")).status_code == 200
        assert (await client.get("/admin")).status_code == 404
        assert (await client.get("/")).headers["location"] == "/secret"


async def test_the_page_says_what_this_is_and_runs_no_script() -> None:
    async with tls() as (_, client):
        response = await client.get("/admin")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/html")
        assert "script" not in response.text
        assert all(word in response.text for word in ("/docs", "vpin user", "/admin/ota/start"))
        assert "access-control-allow-origin" not in response.headers
        for path in ("/admin/nothing", "/adminx"):
            assert ((await client.get(path)).status_code, (await client.post(path)).content) == (404, b"")


# -- the administrator's password


def administrators() -> Administrators:
    async def find(email: str) -> AccountRow | None:
        return ACCOUNTS.get(email)

    return Administrators(find)


def basic(email: str, password: str) -> str:
    request = next(httpx.BasicAuth(email.encode(), password.encode()).auth_flow(httpx.Request("GET", "https://x")))
    return request.headers["authorization"]


@pytest.mark.parametrize("header", [None, "", "Bearer x", "Basic", "Basic ???", "Basic /w==", "Basic bm9jb2xvbg=="])
async def test_what_is_no_password(header: str | None) -> None:
    assert await administrators().check(header, "1.1.1.1") == NO_PASSWORD


@pytest.mark.parametrize(
    ("email", "password", "outcome"),
    [
        (EMAIL, PASSWORD, EMAIL),
        (f" {EMAIL.upper()}", PASSWORD, EMAIL),
        (EMAIL, "wrong", WRONG_PASSWORD),
        ("user@example.com", PASSWORD, WRONG_PASSWORD),
        ("nobody@example.com", PASSWORD, WRONG_PASSWORD),
    ],
)
async def test_who_is_an_administrator(email: str, password: str, outcome: object) -> None:
    assert await administrators().check(basic(email, password), "1.1.1.1") == outcome


async def test_an_address_is_turned_away_after_ten_failures_and_the_account_only_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(administration, "SLOW_SECONDS", 0.05)
    door = administrators()
    for _ in range(10):
        assert await door.check(basic(EMAIL, "wrong"), "1.1.1.1") == WRONG_PASSWORD
    assert await door.check(basic(EMAIL, PASSWORD), "1.1.1.1") == TOO_OFTEN
    started = time.monotonic()
    assert await door.check(basic(EMAIL, PASSWORD), "2.2.2.2") == EMAIL
    assert time.monotonic() - started >= 0.05


async def test_unknown_accounts_cost_the_same() -> None:
    door = administrators()

    async def cost(email: str, address: str) -> float:
        started = time.process_time()
        for _ in range(4):
            await door.check(basic(email, "wrong"), address)
        return time.process_time() - started

    known, unknown = await cost(EMAIL, "1.1.1.1"), await cost("nobody@example.com", "2.2.2.2")
    assert 0.4 < unknown / known < 2.5


# -- firmware


async def test_an_order_goes_to_the_owner_of_the_device() -> None:
    async with tls() as (w, client):
        for query, name in (({}, "firmware_ota.bin"), ({"fileName": "v2.bin"}, "v2.bin")):
            response = await client.get(START, params={"token": TOKEN, **query})
            assert (response.status_code, response.content) == (200, b"")
            request = w.owner.seen[-1][1]
            assert (request.operation, request.name, request.values) == ("ota", name, [])


async def test_refusals_of_an_order() -> None:
    async with tls() as (w, client):
        for query in ({}, {"token": UNKNOWN}):
            response = await client.get(START, params=query)
            assert (response.status_code, response.text) == (400, "Invalid token.")
        assert (await client.get(START, params={"token": TOKEN, "fileName": "../x"})).status_code == 400
        w.owner.answer = lambda entry, request: PinReply(400, b"No device in session.")
        response = await client.get(START, params={"token": TOKEN})
        assert (response.status_code, response.text) == (400, "No device in session.")
        assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", [START, "/admin/ota/stop"])
async def test_firmware_needs_the_administrator(path: str) -> None:
    async with tls() as (w, client):
        response = await client.get(path, auth=("a", "b"))
        assert (response.status_code, response.text) == (403, "Authentication failed.")
        response = await client.get(path, auth=None)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Basic")
        response = await client.request("POST", path, auth=None, **file())
        assert response.status_code in (401, 404)
        assert w.owner.seen == []


async def test_an_image_for_a_device_is_kept_and_served_on_both_ports() -> None:
    content = bytes(range(256)) * 1024 + IMAGE
    async with tls() as (w, client):
        path = (await client.post(START, params={"token": TOKEN}, **file(content, "fw.BIN"))).text
        assert path.startswith("/static/ota/")
        assert path.endswith(".BIN")
        request = w.owner.seen[-1][1]
        assert (f"/static/ota/{request.name}", request.values) == (path, [EMAIL])
        for http in (client, w.http):
            response = await http.get(path, auth=None)
            assert response.content == content
            assert response.headers["content-type"] == "application/octet-stream"
            assert response.headers["content-length"] == str(len(content))
        assert w.store.firmware.running == []


async def test_campaigns_of_a_user_and_of_all() -> None:
    async with tls() as (w, client):
        path = (await client.post(START, params={"user": "User@example.com", "project": "P"}, **file())).text
        (campaign,) = w.store.firmware.running
        assert (campaign.account_id, campaign.project, campaign.build) == (1, "P", "Aug 14 2017")
        assert (f"/static/ota/{campaign.name}", campaign.started_by) == (path, EMAIL)
        await client.post(START, **file())
        assert w.store.firmware.running[0].account_id == 0
        assert (await client.get("/admin/ota/stop")).status_code == 200
        assert w.store.firmware.running == []
        assert w.owner.kinds.count(Up.CAMPAIGNS) == 9, "each of three shards, three times"


@pytest.mark.parametrize(
    ("params", "sent", "text"),
    [
        ({"token": UNKNOWN}, file(), "Invalid token."),
        ({"user": "nobody@example.com"}, file(), "Requested user not found."),
        ({"user": EMAIL, "appName": "Other"}, file(), "Requested user not found."),
        ({}, {"data": {"a": "b"}}, "The body is no multipart form."),
        ({}, {"content": b"", "headers": {"content-type": "multipart/form-data; boundary=x"}}, "Can't find binary"),
        ({}, {"content": b"--x\r\n???", "headers": {"content-type": "multipart/form-data; boundary=x"}}, "The body"),
        ({}, {"files": {"upfile": (None, b"text")}}, "Can't find binary data in request."),
        ({"user": EMAIL}, file(b"no build"), "The image does not tell its build"),
    ],
)
async def test_refusals_of_an_upload(params: dict[str, str], sent: dict[str, Any], text: str) -> None:
    async with tls() as (w, client):
        response = await client.post(START, params=params, **sent)
        assert response.status_code == 400
        assert response.text.startswith(text)
        assert w.store.firmware.images == {}


async def test_an_image_may_be_as_large_as_a_flash_and_no_larger() -> None:
    async with tls() as (w, client):
        assert (await client.post(START, params={"token": TOKEN}, **file(bytes(IMAGE_MAX)))).status_code == 200
        response = await client.post(START, params={"token": TOKEN}, **file(bytes(IMAGE_MAX + 100_000)))
        assert response.status_code == 413
        assert len(w.store.firmware.images) == 1


async def test_files_of_the_operator_come_first_and_missing_ones_are_404(tmp_path: Path) -> None:
    folder = tmp_path / "static" / "ota"
    folder.mkdir(parents=True)
    (folder / "firmware_ota.bin").write_bytes(b"mine")
    async with world(data=tmp_path) as w:
        assert (await w.http.get("/static/ota/firmware_ota.bin")).content == b"mine"
        assert (await w.http.get("/static/ota/none.bin")).status_code == 404


async def test_images_are_remembered_within_bounds() -> None:
    asked: list[str] = []

    async def find(name: str) -> FirmwareRow | None:
        asked.append(name)
        if name == "away":
            raise StoreUnavailable
        return FirmwareRow(name, "", 1, bytes(IMAGE_MAX)) if name != "none" else None

    images = Images(find)
    found = await asyncio.gather(*(images.get("a") for _ in range(5)))
    assert all(row is found[0] for row in found)
    assert asked == ["a"]
    for name in ("b", "a", "c", "a", "b"):
        assert await images.get(name)
    assert asked == ["a", "b", "c", "b"]
    assert await images.get("none") is None
    with pytest.raises(StoreUnavailable):
        await images.get("away")
