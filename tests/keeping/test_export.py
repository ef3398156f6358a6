"""An export is what an import takes back: accounts, tokens, values, passwords, averages."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from importing.generated import email, generate, password, token
from vpin_state.model import NO_PROJECT
from vpin_store import Store, open_store, upgrade
from vpin_store.history import LAST_MS, Step
from vpin_store.passwords import app_hash, verify_password
from vpin_store.rows import AccountRows, Changes, DashboardRow, DeviceRow, TokenRow

from vpin.accounts import all_accounts
from vpin.importing.folder import Folder
from vpin.importing.taking import Import
from vpin.keeping.export import export
from vpin.keeping.files import file_name

pytestmark = pytest.mark.anyio

ACCOUNTS = 3
OF_SERVER = ("ip", "pass", "lastModifiedTs")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    is_sqlite = request.param == "sqlite"
    return f"sqlite:///{tmp_path}/vpin.db" if is_sqlite else request.getfixturevalue("postgres_database")


@pytest.fixture
async def store(database: str, tmp_path: Path, anyio_backend: object) -> AsyncIterator[Store]:
    """With accounts that were imported from tmp_path/old."""
    generate(tmp_path / "old", ACCOUNTS)
    await upgrade(database)
    async with open_store(database) as store:
        await taken(store, tmp_path / "old")
        yield store


async def taken(store: Store, folder: Path) -> None:
    report = await Import(Folder(folder), store, initial_energy=0, write=True).run()
    assert report.complete, report.outcomes


def profile(folder: Path, number: int) -> dict[str, Any]:
    user = json.loads((folder / f"{email(number)}.Blynk.user").read_bytes())
    for dash in user["profile"]["dashBoards"]:
        for device in dash["devices"]:
            device["status"] = "OFFLINE"
            device.pop("disconnectTime")  # of boards that were connected when the old profile was written
    return {key: value for key, value in user.items() if key not in OF_SERVER}


def contents(rows: AccountRows) -> dict[str, Any]:
    """Everything but ids and what an import gives anew."""
    account = rows.account._replace(id=0)
    parts = ("dashboards", "widgets", "devices", "values", "properties")
    found: dict[str, Any] = {part: [row[1:] for row in getattr(rows, part)] for part in parts}
    found["values"] = [value[:7] for value in found["values"]]  # whose was the n-th write, nobody knows
    tokens = {row.token: (row.kind, row.dash_id, row.device_id) for row in rows.tokens if row.kind != "import"}
    return {"account": account, "tokens": tokens, **found}


async def test_an_export_is_imported_as_it_was(store: Store, tmp_path: Path):
    out = tmp_path / "out"
    counts = await export(store, out, await all_accounts(store), host="vpin.example.org")
    assert counts["accounts"] == ACCOUNTS
    again = f"sqlite:///{tmp_path}/again.db"
    await upgrade(again)
    async with open_store(again) as other:
        await taken(other, out)
        for number in range(ACCOUNTS):
            first, second = await whole(store, number), await whole(other, number)
            assert contents(first) == contents(second)
            credential = app_hash(email(number), password(number))
            assert verify_password(second.account.password_hash, credential)
            found = await other.tokens.find([token(number, 1, 0)])
            assert [row.account_id for row in found.values()] == [second.account.id]
            for step in Step:
                assert await averages(store, first, step) == await averages(other, second, step)


async def whole(store: Store, number: int) -> AccountRows:
    row = await store.find_account(email(number), "Blynk")
    assert row is not None
    return (await store.load_accounts([row.id]))[row.id]


async def averages(store: Store, rows: AccountRows, step: Step) -> dict[Any, list[Any]]:
    streams = await store.history.streams([rows.account.id])
    assert streams
    found: dict[Any, list[Any]] = {}
    for stream in streams:
        chunks = [chunk async for chunk in store.history.every_rollup(stream, step, 0, LAST_MS)]
        found[stream[1:]] = [(r.at, r.total / r.count) for chunk in chunks for r in chunk]
    return found


async def test_profiles_say_what_those_of_the_old_server_said(store: Store, tmp_path: Path):
    out = tmp_path / "out"
    await export(store, out, await all_accounts(store), host="vpin.example.org")
    for number in range(ACCOUNTS):
        assert profile(out, number) == profile(tmp_path / "old", number)
    for path in (tmp_path / "old" / "data").rglob("*.bin"):
        assert (out / path.relative_to(tmp_path / "old")).read_bytes() == path.read_bytes()
    user = json.loads((out / f"{email(0)}.Blynk.user").read_bytes())
    assert user["ip"] == "vpin.example.org"
    for path in out.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


async def test_clones_go_along_and_devices_without_a_project_stay_behind(store: Store, tmp_path: Path):
    rows = await whole(store, 0)
    account = rows.account.id
    loose = DeviceRow(account, NO_PROJECT, 0, 0, "loose", "l" * 32, "", 0, 0, 0, 0, "", b"{}")
    hidden = DashboardRow(account, NO_PROJECT, 9, True, 0, b"{}")
    clone = TokenRow("c" * 32, "clone", account, 1, 0, 0, b'{"id":1,"name":"x"}')
    await store.commit(Changes(dashboards=[hidden], devices=[loose], tokens=[clone]))
    out = tmp_path / "out"
    counts = await export(store, out, [rows.account], history=False)
    assert counts["devices without a project left behind"] == 1
    assert (out / "clone" / ("c" * 32)).read_bytes() == clone.body
    assert not (out / "data").exists()
    assert b"loose" not in (out / f"{email(0)}.Blynk.user").read_bytes()


async def test_codes_of_nobody_go_along_with_all_accounts(store: Store, tmp_path: Path):
    """They came with an import, which does not know whose they were."""
    await store.commit(Changes(tokens=[TokenRow("n" * 32, "clone", 0, 1, 0, 0, b'{"id":1,"name":"x"}')]))
    accounts = await all_accounts(store)
    await export(store, tmp_path / "some", accounts[:1], history=False)
    assert not (tmp_path / "some" / "clone").exists()
    counts = await export(store, tmp_path / "all", accounts, history=False, nobodys=True)
    assert counts["clones"] == 1
    assert [path.name for path in Folder(tmp_path / "all").clones] == ["n" * 32]


@pytest.mark.parametrize("email", ["50%/year@example.org", f"{'ü' * 120}@example.org"])
async def test_history_of_an_odd_address_comes_back(store: Store, tmp_path: Path, email: str):
    rows = await whole(store, 0)
    odd = rows.account._replace(email=email, app_name="Blynk")
    await store.commit(Changes(accounts=[odd]))
    await export(store, tmp_path / "out", [odd])
    again = f"sqlite:///{tmp_path}/again.db"
    await upgrade(again)
    async with open_store(again) as other:
        await taken(other, tmp_path / "out")
        found = await other.find_account(odd.email, "Blynk")
        assert found
        assert len(await other.history.streams([found.id])) == len(await store.history.streams([odd.id])) > 0


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", ".", "a\0b", "100%", "ä" * 250, "/" * 250])
def test_names_that_users_choose_stay_in_the_folder(name: str, tmp_path: Path):
    path = tmp_path / file_name(f"{name}.user")
    assert path.resolve().parent == tmp_path.resolve()
    path.touch()
    assert path.suffix == ".user"
    assert file_name("a/b") != file_name("a%2Fb")
    assert file_name("a" * 300) != file_name("a" * 301)
