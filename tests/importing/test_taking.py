"""From a folder into a store: whole, again, interrupted, against what vpin has already."""

from __future__ import annotations

import errno
import json
import math
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from vpin_state.load import build_account
from vpin_state.profile import profile_json
from vpin_store import Store, StoreUnavailable
from vpin_store.history import LAST_MS, History, Step
from vpin_store.passwords import app_hash, is_quick, verify_password
from vpin_store.rows import AccountRow, AccountRows, Changes, Rollup, StreamKey, TokenRow
from vpin_store.tokens import Tokens

from importing import generated
from vpin.importing import taking
from vpin.importing.folder import Folder
from vpin.importing.report import Report, Result
from vpin.importing.taking import Import

pytestmark = pytest.mark.anyio

ACCOUNTS = 8
POINTS = {"minute": 5, "hourly": 4, "daily": 3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "old"
    generated.generate(folder, ACCOUNTS, POINTS)
    return folder


async def take(folder: Path, store: Any, *, write: bool = True, overwrite: bool = False) -> Report:
    return await Import(Folder(folder), store, initial_energy=1, write=write, overwrite=overwrite).run()


async def everything(store: Store) -> dict[str, AccountRows]:
    """All accounts by e-mail and app."""
    rows = await store.list_accounts(1000)
    found = await store.load_accounts([row.id for row in rows])
    return {f"{rows.account.email} {rows.account.app_name}": rows for rows in found.values()}


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Everything in a folder: bytes and times of change."""
    return {str(p): (p.read_bytes() if p.is_file() else b"", p.stat().st_mtime_ns) for p in folder.rglob("*")}


async def rollups(store: Store, account: AccountRows, step: Step, pin: int = 2) -> list[Rollup]:
    stream = StreamKey(account.account.id, 1, 0, ord("v"), pin)
    return await store.history.rollups(stream, step, 0, LAST_MS, 10_000)


async def test_a_folder_is_taken_over(folder: Path, store: Store):
    before = contents(folder)
    report = await take(folder, store)
    assert contents(folder) == before
    assert [outcome.result for outcome in report.outcomes] == [Result.TAKEN] * ACCOUNTS
    assert report.findings == []
    found = await everything(store)
    assert len(found) == ACCOUNTS
    for number in range(ACCOUNTS):
        rows, old = found[f"{generated.email(number)} Blynk"], generated.profile(number)
        profile = profile_json(build_account(rows, 0), None)
        assert profile["pinsStorage"] == old["profile"]["pinsStorage"]
        assert [dash["widgets"] for dash in profile["dashBoards"]] == [
            dash["widgets"] for dash in old["profile"]["dashBoards"]
        ]
        assert rows.account.is_super_admin == (number == 0)
        token = generated.token(number, 2, 1)
        assert (await store.tokens.find([token]))[token][:5] == (token, "device", rows.account.id, 2, 1)
        assert [len(await rollups(store, rows, step)) for step in Step] == [5, 4, 3]
    assert report.counts["points"] == ACCOUNTS * 2 * sum(POINTS.values())


async def test_what_the_app_sent_lets_in_and_is_not_stored(folder: Path, store: Store):
    await take(folder, store)
    account = (await everything(store))[f"{generated.email(3)} Blynk"].account
    sent = app_hash(generated.email(3), generated.password(3))
    assert sent not in account.password_hash
    assert verify_password(account.password_hash, sent)
    assert not verify_password(account.password_hash, app_hash(generated.email(3), "other"))
    assert not is_quick(account.password_hash)  # few accounts: full cost at once


async def test_many_accounts_get_quick_hashes(folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(taking, "FULL_COST", ACCOUNTS - 1)
    await take(folder, store)
    account = (await everything(store))[f"{generated.email(3)} Blynk"].account
    assert is_quick(account.password_hash)
    assert verify_password(account.password_hash, app_hash(generated.email(3), generated.password(3)))


async def test_a_dry_run_writes_nothing_and_foretells_what_is_taken(folder: Path, store: Store):
    foretold = await take(folder, store, write=False)
    assert await everything(store) == {}
    report = await take(folder, store)
    assert foretold.counts == report.counts
    assert foretold.outcomes == report.outcomes
    assert (await take(folder, None, write=False)).counts == report.counts  # without a database


async def test_a_second_run_changes_nothing(folder: Path, store: Store):
    await take(folder, store)
    before = await everything(store)
    report = await take(folder, store)
    assert [outcome.result for outcome in report.outcomes] == [Result.ALREADY] * ACCOUNTS
    assert report.complete
    assert await everything(store) == before


async def test_what_has_changed_in_vpin_or_in_the_folder_is_overwritten_on_demand_only(folder: Path, store: Store):
    await take(folder, store)
    rows = (await everything(store))[f"{generated.email(3)} Blynk"]
    account = rows.account
    lamp = TokenRow("lamp", "device", account.id, 77, 0, 0, b"")
    await store.commit(Changes(accounts=[account._replace(energy=5)], tokens=[lamp]))
    assert await store.set_password(account.id, "changed")
    stream = StreamKey(account.id, 1, 0, ord("v"), 9)
    await store.history.add_rollups(Step.DAY, [(stream, Rollup(0, 1, 1.0, 1.0, 1.0, 1.0))])
    old = generated.profile(3)
    old["energy"] = 42
    old["profile"]["dashBoards"] = old["profile"]["dashBoards"][:1]
    generated.write_profile(folder, old)

    report = await take(folder, store)
    (kept,) = report.of(Result.KEPT)
    assert (kept.account, "has changed since then" in kept.reason) == (generated.email(3), True)
    assert not report.complete
    assert (await everything(store))[f"{generated.email(3)} Blynk"].account.energy == 5

    report = await take(folder, store, overwrite=True)
    assert [outcome.result for outcome in report.outcomes] == [Result.REPLACED] * ACCOUNTS
    found = (await everything(store))[f"{generated.email(3)} Blynk"]
    assert (found.account.id, found.account.energy, len(found.dashboards)) == (account.id, 42, 1)
    assert verify_password(found.account.password_hash, app_hash(generated.email(3), generated.password(3)))
    assert "lamp" not in await store.tokens.find(["lamp", generated.token(3, 2, 0)])
    assert generated.token(3, 2, 0) not in await store.tokens.find([generated.token(3, 2, 0)])
    assert await store.history.streams([account.id, 1, 0, ord("v"), 9]) == []
    assert len(await rollups(store, found, Step.HOUR)) == 4


async def test_an_account_that_was_made_in_vpin_stays(folder: Path, store: Store):
    mine = AccountRow(0, generated.email(2), "Blynk", "Mine", "hash", False, False, 9, 1, 0, "", b"{}")
    assert await store.create_account(mine)
    report = await take(folder, store)
    assert [outcome.account for outcome in report.of(Result.KEPT)] == [generated.email(2)]
    assert len(report.of(Result.TAKEN)) == ACCOUNTS - 1
    assert (await everything(store))[f"{generated.email(2)} Blynk"].account.name == "Mine"


async def test_tokens_are_nobodys_twice(folder: Path, store: Store):
    other = TokenRow(generated.token(1, 1, 0), "device", 999, 5, 5, 0, b"")
    await store.commit(Changes(tokens=[other]))
    twin = generated.profile(4)
    twin["profile"]["dashBoards"][0]["devices"][1]["token"] = generated.token(5, 3, 1)
    generated.write_profile(folder, twin)
    report = await take(folder, store)
    kinds = [(f.account, f.where) for f in report.findings if f.kind == "token" and "belongs to another" in f.reason]
    assert kinds == [(generated.email(1), "project 1, device 0"), (generated.email(5), "project 3, device 1")]
    tokens = await store.tokens.find([other.token, generated.token(5, 3, 1)])
    assert tokens[other.token] == other
    found = await everything(store)
    assert tokens[generated.token(5, 3, 1)].account_id == found[f"{generated.email(4)} Blynk"].account.id
    again = await take(folder, store)
    assert [outcome.result for outcome in again.outcomes] == [Result.ALREADY] * ACCOUNTS


class Weak:
    """A store that is away after some calls of one method."""

    def __init__(self, store: Store | History | Tokens, method: str, calls: int) -> None:
        if isinstance(store, Store):
            self.history, self.tokens = Weak(store.history, method, calls), Weak(store.tokens, method, calls)
        self._store = store
        self._method = method
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            self._calls -= 1
            if self._calls < 0:
                raise StoreUnavailable("away")
        return getattr(self._store, name)


@pytest.mark.parametrize(
    ("method", "calls"),
    [
        *(("commit", calls) for calls in (0, 1, 2, 5)),
        *(("add_rollups", calls) for calls in (0, 4)),
        ("set_password", 0),
        ("reserve_accounts", 2),
        ("find", 2),
    ],
)
async def test_an_import_that_broke_off_goes_on(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch, method: str, calls: int
):
    monkeypatch.setattr(taking, "BATCH", 2)
    await store.create_account(AccountRow(0, generated.email(1), "Blynk", "", "", False, False, 0, 1, 0, "", b"{}"))
    with pytest.raises(StoreUnavailable):
        await take(folder, Weak(store, method, calls), overwrite=True)
    assert not (await take(folder, store)).of(Result.LEFT_OUT)
    found = await everything(store)
    assert len(found) == ACCOUNTS
    for number in range(ACCOUNTS):
        rows = found[f"{generated.email(number)} Blynk"]
        if rows.account.password_hash == "":
            assert number == 1  # it had not been replaced when the import broke off
            continue
        sent = app_hash(generated.email(number), generated.password(number))
        assert verify_password(rows.account.password_hash, sent)
        assert len(rows.dashboards) == 3
        assert [len(await rollups(store, rows, step)) for step in Step] == [5, 4, 3]
    assert {o.result for o in (await take(folder, store)).outcomes} <= {Result.ALREADY, Result.KEPT}


class Rival:
    """A store where somebody registers just before the import stores that account."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def reserve_accounts(self, count: int) -> Sequence[int]:
        ids = await self._store.reserve_accounts(count)
        await self._store.create_account(
            AccountRow(0, generated.email(2), "Blynk", "Rival", "", False, False, 0, 1, 0, "", b"{}")
        )
        return ids


async def test_somebody_who_registers_meanwhile_keeps_the_account(folder: Path, store: Store):
    report = await take(folder, Rival(store))
    assert [outcome.account for outcome in report.of(Result.KEPT)] == [generated.email(2)]
    assert len(report.of(Result.TAKEN)) == ACCOUNTS - 1
    found = await everything(store)
    assert found[f"{generated.email(2)} Blynk"].account.name == "Rival"
    assert found[f"{generated.email(2)} Blynk"].dashboards == []
    assert len(found[f"{generated.email(3)} Blynk"].dashboards) == 3


async def test_averages(folder: Path, store: Store):
    place = folder / "data" / generated.email(0)
    minute = 60_000
    points = [(1.0, 5 * minute), (2.0, 6 * minute), (4.0, 6 * minute + 1), (float("nan"), 7 * minute), (1.0, -5)]
    text = b"".join(struct.pack(">dq", *point) for point in points)
    (place / "history_1-1_v9_minute.bin").write_bytes(text + b"cut")
    (place / "history_1-7_v9_minute.bin").write_bytes(text)
    (place / "history_8-0_v9_daily.bin").write_bytes(text)
    (place / "notes.txt").write_text("?")
    (folder / "data" / "gone@example.org").mkdir()
    (folder / "data" / "x_temp.bin").write_bytes(b"")
    report = await take(folder, store)
    account = (await everything(store))[f"{generated.email(0)} Blynk"].account
    stream = StreamKey(account.id, 1, 1, ord("v"), 9)
    assert await store.history.rollups(stream, Step.MINUTE, 0, LAST_MS, 10) == [
        Rollup(5 * minute, 1, 1.0, 1.0, 1.0, 1.0),
        Rollup(6 * minute, 2, 6.0, 2.0, 4.0, 4.0),
    ]
    told = {(finding.where, finding.reason, finding.times) for finding in report.findings}
    assert told == {
        ("history_1-1_v9_minute.bin", "records that cannot be read", 3),
        ("averages", "of devices that are gone", 2),
        ("notes.txt", "no file of averages that vpin knows", 1),
        ("data/gone@example.org", "averages of no account of this folder", 1),
        ("data/*_temp.bin", "unfinished averages and open password resets are not taken", 1),
    }


async def test_averages_behind_a_record_that_was_cut_off_are_found_again(folder: Path, store: Store):
    """A crash in the middle of a write, years ago; the old server has appended to the file ever since."""
    path = folder / "data" / generated.email(0) / "history_1-0_v2_hourly.bin"
    whole = path.read_bytes()
    assert len(whole) == 4 * 16
    for cut in range(1, 16):
        path.write_bytes(whole[:16] + whole[16 : 16 + cut] + whole[16:])
        report = await take(folder, None, write=False)
        assert report.counts["points"] == ACCOUNTS * 2 * sum(POINTS.values())
        assert [(f.reason, f.times) for f in report.findings] == [("records that cannot be read", 1)]
    path.write_bytes(whole[:20] + whole[32:])
    await take(folder, store)
    found = (await everything(store))[f"{generated.email(0)} Blynk"]
    assert len(await rollups(store, found, Step.HOUR)) == 3


def unreadable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Files and folders of that name are somebody else's (the tests may run as root, whom no mode stops)."""
    read, look = Path.read_bytes, Path.iterdir

    def refuse(path: Path) -> None:
        if path.name == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    def read_bytes(path: Path) -> bytes:
        refuse(path)
        return read(path)

    def iterdir(path: Path) -> Iterator[Path]:
        refuse(path)
        return look(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.setattr(Path, "iterdir", iterdir)


@pytest.mark.parametrize("name", [generated.email(3), "history_1-0_v2_minute.bin"])
async def test_history_that_cannot_be_read_is_taken_by_a_later_run(folder: Path, store: Store, name: str):
    with pytest.MonkeyPatch.context() as monkeypatch:
        unreadable(monkeypatch, name)
        report = await take(folder, store)
    assert len(report.of(Result.TAKEN)) == ACCOUNTS  # the rest of them is there
    assert not report.complete
    assert {f.reason for f in report.findings} == {"cannot be read: Permission denied"}
    again = await take(folder, store)
    assert len(again.of(Result.FINISHED)) == report.unread
    assert again.complete
    for rows in (await everything(store)).values():
        assert [len(await rollups(store, rows, step)) for step in Step] == [5, 4, 3]
    assert len((await take(folder, store)).of(Result.ALREADY)) == ACCOUNTS


async def test_a_profile_that_cannot_be_read_is_no_reason_to_take_an_old_one(folder: Path, store: Store):
    name = f"{generated.email(3)}.Blynk.user"
    (folder / "backup").mkdir()
    (folder / "backup" / f"{name}.2020-01-01").write_text(json.dumps(generated.profile(3)))
    with pytest.MonkeyPatch.context() as monkeypatch:
        unreadable(monkeypatch, name)
        report = await take(folder, store)
    (left,) = report.of(Result.LEFT_OUT)
    assert (left.account, left.reason) == (generated.email(3), "cannot be read: Permission denied")
    assert len((await take(folder, store)).of(Result.TAKEN)) == 1


async def test_of_files_whose_names_differ_in_case_the_newest_counts(tmp_path: Path, store: Store):
    """An account of `Anna@…` and one of `anna@…`: for vpin, and for log-ins, they are one."""
    folder = tmp_path / "old"
    for number, name in enumerate(("Anna@Example.org", "ANNA@example.org", "anna@example.org")):
        user = generated.profile(number) | {"email": name, "lastModifiedTs": generated.NOW - abs(number - 1)}
        generated.write_profile(folder, user)
        generated.averages(folder, number, POINTS)
        (folder / "data" / generated.email(number)).rename(folder / "data" / name)
    report = await take(folder, store)
    (taken,) = report.of(Result.TAKEN)
    assert taken.source == "ANNA@example.org.Blynk.user"
    told = [(outcome.source, outcome.reason) for outcome in report.of(Result.LEFT_OUT)]
    reason = "ANNA@example.org.Blynk.user is the same account, and newer"
    assert sorted(told) == [("Anna@Example.org.Blynk.user", reason), ("anna@example.org.Blynk.user", reason)]
    rows = (await everything(store))["anna@example.org Blynk"]
    assert generated.token(1, 1, 0) in {device.token for device in rows.devices}
    assert [len(await rollups(store, rows, step)) for step in Step] == [5, 4, 3]
    assert {f.where for f in report.findings} == {"data/Anna@Example.org", "data/anna@example.org"}


async def test_what_only_looks_like_a_profile_is_told(folder: Path, store: Store):
    (folder / "copy@example.org.Blynk.user").symlink_to(folder / f"{generated.email(2)}.Blynk.user")
    (folder / "folder@example.org.Blynk.user").mkdir()
    (folder / "gone@example.org.Blynk.user").symlink_to(folder / "nothing")
    (folder / "data" / generated.email(1) / "history_1-0_v7_daily.bin").symlink_to(folder / "nothing")
    report = await take(folder, store)
    assert [outcome.account for outcome in report.of(Result.LEFT_OUT)] == [
        "folder@example.org.Blynk.user",
        "gone@example.org.Blynk.user",
    ]
    assert len(report.of(Result.TAKEN)) == ACCOUNTS
    assert [(f.where, f.reason) for f in report.findings if f.kind == "history"] == [
        ("history_1-0_v7_daily.bin", "cannot be read: No such file or directory")
    ]
    assert [f.reason for f in report.findings if f.kind == "file"] == [
        "the same account as copy@example.org.Blynk.user: not taken"
    ]


async def test_a_profile_that_is_gone_and_has_a_backup_is_named(folder: Path, store: Store):
    lost, deleted = (f"{name}@example.org.Blynk.user" for name in ("lost", "deleted"))
    for place in ("backup", "deleted"):
        (folder / place).mkdir()
    for name in (lost, deleted):
        (folder / "backup" / f"{name}.2020-02-02").write_text(json.dumps(generated.profile(77)))
    (folder / "deleted" / f"{deleted}.1").write_text("{}")
    report = await take(folder, store)
    assert [(f.kind, f.where) for f in report.findings] == [
        ("file", f"backup/{deleted}.…"),
        ("profile", lost),
    ]
    assert f"copy {lost}.2020-02-02 to {lost}" in report.findings[1].reason


@pytest.mark.parametrize("what", ["bad history", "clones", "to finish"])
async def test_a_dry_run_foretells_what_is_odd(folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch, what: str):
    (folder / "clone").mkdir()
    (folder / "clone" / ("c" * 32)).write_text(json.dumps(generated.profile(0)["profile"]["dashBoards"][0]))
    if what == "bad history":
        late = struct.pack(">dqdqdq", 1.0, 60_000, 2.0, 60_000, math.nan, 60_000)  # two of one minute, and none
        (folder / "data" / generated.email(0) / "history_1-1_v9_minute.bin").write_bytes(late + b"cut")
    elif what == "clones":
        await take(folder, store)
        (folder / "clone" / ("d" * 32)).write_text(json.dumps(generated.profile(0)["profile"]["dashBoards"][1]))
    else:
        monkeypatch.setattr(taking, "BATCH", 2)
        with pytest.raises(StoreUnavailable):
            await take(folder, Weak(store, "add_rollups", 4))
    foretold = await take(folder, store, write=False)
    report = await take(folder, store)
    assert (foretold.counts, sorted(foretold.outcomes)) == (report.counts, sorted(report.outcomes))
    assert foretold.findings == report.findings
    assert (await take(folder, store, write=False)).is_idle


@pytest.mark.parametrize("store_ip", [True, False])
async def test_addresses_are_taken_only_where_they_are_kept(folder: Path, store: Store, store_ip: bool):
    await Import(Folder(folder), store, initial_energy=1, write=True, store_ip=store_ip).run()
    rows = (await everything(store))[f"{generated.email(2)} Blynk"]
    found = {rows.account.last_login_ip, *(device.last_logged_ip for device in rows.devices)}
    assert found == ({"192.168.1.3", "192.168.1.20"} if store_ip else {""})


async def test_an_account_that_was_deleted_in_vpin_does_not_come_back(folder: Path, store: Store):
    await take(folder, store)
    gone = (await everything(store))[f"{generated.email(2)} Blynk"].account
    await store.commit(Changes(deleted_accounts=[gone.id]))
    foretold = await take(folder, store, write=False)
    report = await take(folder, store)
    assert foretold.outcomes == report.outcomes
    (kept,) = report.of(Result.KEPT)
    assert (kept.account, "deleted in vpin since then" in kept.reason) == (generated.email(2), True)
    assert f"{generated.email(2)} Blynk" not in await everything(store)
    assert [o.account for o in (await take(folder, store, overwrite=True)).of(Result.TAKEN)] == [generated.email(2)]


async def test_an_account_that_nobody_has_used_gives_way(folder: Path, store: Store):
    """The first administrator, made by a first start of vpin before the import, has the old one's e-mail."""
    fresh = AccountRow(0, generated.email(2), "Blynk", "", "hash", True, False, 9, 1, 0, "", b"{}")
    account_id = await store.create_account(fresh)
    used = await store.create_account(fresh._replace(email=generated.email(3), is_super_admin=False))
    assert used is not None
    await store.commit(Changes(tokens=[TokenRow("key", "api", used, 0, 0, 0, b"")]))
    assert len((await take(folder, store, write=False)).of(Result.KEPT)) == 2  # while vpin runs
    alone = {"initial_energy": 1, "alone": True}
    foretold = await Import(Folder(folder), store, write=False, **alone).run()
    report = await Import(Folder(folder), store, write=True, **alone).run()
    assert foretold.outcomes == report.outcomes
    assert [outcome.account for outcome in report.of(Result.REPLACED)] == [generated.email(2)]
    assert [outcome.account for outcome in report.of(Result.KEPT)] == [generated.email(3)]
    assert ["nobody had used" in f.reason for f in report.findings] == [True]
    found = (await everything(store))[f"{generated.email(2)} Blynk"]
    assert (found.account.id, found.account.is_super_admin, len(found.dashboards)) == (account_id, True, 3)
    assert verify_password(found.account.password_hash, app_hash(generated.email(2), generated.password(2)))


async def test_accounts_of_other_apps_have_averages_of_their_own(tmp_path: Path, store: Store):
    user = generated.profile(0) | {"appName": "blynkqwe"}
    generated.write_profile(tmp_path / "old", user)
    generated.averages(tmp_path / "old", 0, POINTS)
    data = tmp_path / "old" / "data"
    (data / generated.email(0)).rename(data / f"{generated.email(0)}_blynkqwe")
    await take(tmp_path / "old", store)
    rows = (await everything(store))[f"{generated.email(0)} blynkqwe"]
    assert len(await rollups(store, rows, Step.DAY)) == 3


async def test_clones(folder: Path, store: Store):
    (folder / "clone").mkdir()
    dash = generated.profile(0)["profile"]["dashBoards"][0]
    (folder / "clone" / ("c" * 32)).write_text(json.dumps(dash))
    (folder / "clone" / ("d" * 32)).write_text("{")
    report = await take(folder, store)
    assert report.counts["clones"] == 1
    assert [(f.where, f.reason) for f in report.findings] == [("clone/dddd…", "cannot be read")]
    row = (await store.tokens.find(["c" * 32]))["c" * 32]
    assert (row.kind, json.loads(row.body)["name"]) == ("clone", "Project 1")
    assert (await take(folder, store)).counts["clones"] == 0


async def test_files_that_are_no_profiles_are_left_out_and_told(folder: Path, store: Store):
    generated.damage(folder / f"{generated.email(1)}.Blynk.user", '{"email":')
    (folder / f"u_{generated.email(2)}.user").write_text(json.dumps(generated.profile(2)))
    before = contents(folder)
    report = await take(folder, store)
    (left,) = report.of(Result.LEFT_OUT)
    assert (left.account, left.reason) == (generated.email(1), "damaged, and there is no backup")
    assert [(f.kind, f.where) for f in report.findings] == [("file", f"u_{generated.email(2)}.user")]
    assert len(report.of(Result.TAKEN)) == ACCOUNTS - 1
    assert not report.complete
    assert contents(folder) == before
