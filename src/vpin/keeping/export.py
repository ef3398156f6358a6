"""Accounts as the data folder of an old server (spec 06, 7), so that nobody is locked in.

``<email>.<app>.user`` is the profile, ``data/…/history_….bin`` the averages of its pins, ``clone/<code>`` a cloned project.
What the old form has no place for stays behind: device templates, events, raw points, devices without a project.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from vpin_state.load import build_account
from vpin_state.model import NO_PROJECT
from vpin_state.profile import profile_json, trimmed
from vpin_store.history import LAST_MS, Step

from vpin.keeping.files import file_name

if TYPE_CHECKING:
    from vpin_state.model import Account, JsonObject
    from vpin_store import Store
    from vpin_store.rows import AccountRow, StreamKey, TokenRow

AT_A_TIME = 20
"""Accounts in memory."""
STEPS = {Step.MINUTE: "minute", Step.HOUR: "hourly", Step.DAY: "daily"}
_record = struct.Struct(">dq").pack


async def export(
    store: Store,
    folder: Path,
    accounts: Sequence[AccountRow],
    *,
    host: str = "",
    history: bool = True,
    nobodys: bool = False,
    tell: Callable[[int], None] = lambda accounts: None,
) -> Counter[str]:
    """Write accounts into an empty folder, for this user's eyes only; how many things of which kind.

    `host`: of this server, as profiles name it. `nobodys`: also codes of cloned projects that belong to no account (they came
    with an import). `tell` hears of accounts that are done. OSError: the disk is full, …
    """
    counts: Counter[str] = Counter()
    for start in range(0, len(accounts), AT_A_TIME):
        ids = [row.id for row in accounts[start : start + AT_A_TIME]]
        for rows in (await store.load_accounts(ids)).values():
            account = build_account(rows, 0)
            name = file_name(f"{rows.account.email}.{rows.account.app_name}.user")
            _write(folder / name, msgspec.json.encode(user_json(account, host)))
            _write_clones(folder / "clone", rows.tokens, counts)
            _count(account, counts)
            if history:
                await _write_history(store, folder / "data", account, counts)
            tell(1)
    if nobodys:
        _write_clones(folder / "clone", await store.tokens.of(0, "clone"), counts)
    return counts


def user_json(account: Account, host: str) -> JsonObject:
    """The User object (spec 03, 3). `pass` is the hash that vpin keeps: vpin takes it back, another server cannot."""
    row = account.row
    profile = profile_json(account, None)
    for dash in profile.get("dashBoards", ()):
        for device in dash.get("devices", ()):
            device["status"] = "OFFLINE"
    return {
        "name": row.name,
        "email": row.email,
        "appName": row.app_name,
        "region": "local",
        "ip": host,
        "pass": row.password_hash,
        "lastModifiedTs": _modified_at(account),
        "lastLoggedIP": row.last_login_ip,
        "lastLoggedAt": row.last_login_at,
        "profile": trimmed(
            {key: value for key, value in profile.items() if key in ("dashBoards", "apps", "pinsStorage")}
        ),
        "isFacebookUser": row.is_facebook_user,
        "isSuperAdmin": row.is_super_admin,
        "energy": row.energy,
        "id": f"{row.email}-{row.app_name}",
    }


def _modified_at(account: Account) -> int:
    """When something was last changed: the only time that the old form has for values."""
    dashboards = [dash.updated_at for dash in account.projects]
    values = [p.updated_at for dash in account.projects for bank in dash.banks.values() for p in bank.pins.values()]
    return int(max((*dashboards, *values), default=account.row.created_at))


def _write_clones(folder: Path, tokens: Sequence[TokenRow], counts: Counter[str]) -> None:
    for token in tokens:
        if token.kind == "clone":
            _write(folder / file_name(token.token), token.body)
            counts["clones"] += 1


async def _write_history(store: Store, folder: Path, account: Account, counts: Counter[str]) -> None:
    """A record per period: the average, and when the period began."""
    row = account.row
    place = folder / file_name(row.email if row.app_name == "Blynk" else f"{row.email}_{row.app_name}")
    for stream in await store.history.streams([account.id]):
        if stream.dash_id == NO_PROJECT:
            continue
        pin = f"{stream.dash_id}-{stream.device_id}_{stream.pin_type:c}{stream.pin}"
        for step, word in STEPS.items():
            counts["averages"] += await _append(place / f"history_{pin}_{word}.bin", _records(store, stream, step))


async def _records(store: Store, stream: StreamKey, step: Step) -> AsyncIterator[list[bytes]]:
    async for rollups in store.history.every_rollup(stream, step, 0, LAST_MS):
        yield [_record(rollup.total / rollup.count, rollup.at) for rollup in rollups]


async def _append(path: Path, chunks: AsyncIterator[list[bytes]]) -> int:
    """The file has the chunks; how many records. No file for none."""
    count = 0
    async for records in chunks:
        _write(path, b"".join(records), mode="ab")
        count += len(records)
    return count


def _write(path: Path, content: bytes, mode: str = "wb") -> None:
    if not path.parent.exists():
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    with path.open(mode) as file:
        file.write(content)


def _count(account: Account, counts: Counter[str]) -> None:
    counts["accounts"] += 1
    counts["projects"] += len(account.projects)
    counts["devices"] += sum(len(dash.devices) for dash in account.projects)
    counts["templates left behind"] += len(account.templates)
    loose = account.dashboards.get(NO_PROJECT)
    counts["devices without a project left behind"] += len(loose.devices) if loose else 0
