"""Exported files: names, content, limits, on a real database (spec 04, 1.5 and 2.2; 05, 3.6 and 4.3)."""

from __future__ import annotations

import gzip
import io
import json
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from vpin_api.downloads import Downloads
from vpin_api.parsing import Pin
from vpin_messages import downloads as names
from vpin_messages.downloads import Csv, DeviceData, Report, Series
from vpin_messages.requests import PinReply
from vpin_store import Store, StoreUnavailable, open_store, upgrade
from vpin_store.history import Step
from vpin_store.rows import AccountRow, Changes, Rollup, StreamKey, TokenRow

pytestmark = pytest.mark.anyio

NOW = 1_795_304_430_734
MINUTE, DAY_MS = 60_000, 86_400_000
START = NOW // MINUTE * MINUTE
V = ord("v")
ROW = TokenRow("t" * 32, "device", 1, 1, 0, 0, b"")


class Answer:
    """What an answer sends, and its content."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)

    @property
    def content(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path}/vpin.db"
    await upgrade(url)
    async with open_store(url) as store:
        account = AccountRow(1, "a@example.com", "Blynk", "A", "", False, False, 1, 1, 0, "", b"{}")
        await store.commit(Changes(accounts=[account]))
        yield store


class Owners:
    """Knows which devices a tag covers."""

    async def ask_account(self, account_id: int, operation: str, arguments: bytes) -> PinReply:
        assert (account_id, operation, json.loads(arguments)) == (1, "devicesOfTarget", {"dash": 1, "target": 100_000})
        return PinReply(200, b"[1,0]")


def made(store: Store, now: int = NOW, points: int = 43_200) -> Downloads:
    owners: Any = Owners()
    return Downloads(store, owners, 45, points, 2, clock=lambda: now / 1000)


async def record(
    store: Store, *values: tuple[int, float], device: int = 0, pin: int = 8, step: Step = Step.MINUTE
) -> None:
    """(minutes ago, average)."""
    key = StreamKey(1, 1, device, V, pin)
    at = {ago: (START - ago * MINUTE) // step.ms * step.ms for ago, _ in values}
    await store.history.add_rollups(step, [(key, Rollup(at[ago], 2, 2 * v, v - 1, v + 1, v)) for ago, v in values])


async def read(downloads: Downloads, name: str) -> bytes | None:
    answer = Answer()
    return answer.content if await downloads.serve(name, answer, head=False) else None


async def test_minutes_of_a_pin(store: Store) -> None:
    await record(store, (0, 99), (2, 7.5), (1, -1 / 6), (3, 15))
    downloads = made(store)
    name = await downloads.offer(ROW, Pin("v", 8))
    assert name is not None
    assert name.startswith(f"a@example.com_1_0_v8_{NOW}_")
    answer = Answer()
    assert await downloads.serve(name, answer, head=False)
    lines = f"15.0,{START - 3 * MINUTE},0\n7.5,{START - 2 * MINUTE},0\n-0.16666666666666666,{START - MINUTE},0\n"
    assert gzip.decompress(answer.content).decode("ascii") == lines
    assert answer.headers[b"content-type"] == b"application/x-gzip"
    assert await downloads.offer(ROW, Pin("v", 9)) is None


async def test_only_so_many_points_the_newest(store: Store) -> None:
    await record(store, *((ago, ago) for ago in range(1, 12_001)))
    downloads = made(store, points=11_000)
    content = await read(downloads, await downloads.offer(ROW, Pin("v", 8)) or "")
    values = [float(line.split(",")[0]) for line in gzip.decompress(content or b"").decode().splitlines()]
    assert values == list(range(11_000, 0, -1))


async def test_all_devices_of_a_tag_in_one_file(store: Store) -> None:
    await record(store, (1, 1))
    await record(store, (1, 2), device=1)
    name = names.csv_name(await store.tokens.key(names.KEY), "a@example.com", Csv(1, 1, 100_000, V, 8, NOW))
    content = gzip.decompress(await read(made(store), name) or b"").decode()
    assert content == f"2.0,{START - MINUTE},1\n1.0,{START - MINUTE},0\n"


async def test_a_name_is_good_for_some_weeks_while_there_is_data(store: Store) -> None:
    await record(store, (1, 1))
    name = await made(store).offer(ROW, Pin("v", 8)) or ""
    assert await read(made(store, NOW + 45 * DAY_MS - 1), name)
    assert await read(made(store, NOW + 45 * DAY_MS), name) is None
    assert await read(made(store), name.replace("_1-", "_2-")) is None
    await store.commit(Changes(deleted_history=[(1, 1, 0)], at=NOW))
    assert await read(made(store), name) is None


async def test_head_has_no_content(store: Store) -> None:
    await record(store, (1, 1))
    answer = Answer()
    assert await made(store).serve(await made(store).offer(ROW, Pin("v", 8)) or "", answer, head=True)
    assert answer.content == b""


async def test_a_database_that_goes_away_within_a_file_breaks_the_answer_off(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = ""
    for pin in (8, 9):
        await record(store, *((ago, ago / 7) for ago in range(1, 40_000)), pin=pin)
    downloads = made(store)
    name = await downloads.offer(ROW, Pin("v", 8)) or ""
    every = store.history.every_rollup

    async def some(*arguments: Any) -> AsyncIterator[list[Rollup]]:
        async for chunk in every(*arguments):
            yield chunk
            if chunk[-1].at > START - 20_000 * MINUTE:
                raise StoreUnavailable("away")

    monkeypatch.setattr(store.history, "every_rollup", some)
    answer = Answer()
    with pytest.raises(ConnectionAbortedError):
        await downloads.serve(name, answer, head=False)
    assert answer.messages[0]["status"] == 200


# -- reports


def report(**changed: Any) -> Report:
    fields: dict[str, Any] = {
        "dash": 1, "start": START - DAY_MS, "end": START, "step": "minute", "points": 1440, "output": "",
        "format": "ISO_SIMPLE", "zone": "UTC", "name": "All of it: 1",
        "series": [Series(d, n, V, p, label) for d, n in ((0, "My Board"), (1, "B")) for p, label in ((8, "Temp, C"), (9, ""))],
    }  # fmt: skip
    return Report(**(fields | changed))


async def entries(store: Store, recipe: Report | DeviceData, encoding: str = "utf-16") -> dict[str, str]:
    row = TokenRow("r.zip", "download", 1, 1, -1, NOW + 1, names.encode(recipe))
    await store.commit(Changes(tokens=[row]))
    content = await read(made(store), "r.zip")
    assert content is not None
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return {name: archive.read(name).decode(encoding) for name in archive.namelist()}


@pytest.fixture
async def full(store: Store) -> Store:
    await record(store, (3, 1.5), (2, 2.5), (24 * 60 + 1, 99))
    await record(store, (3, 6), pin=9)
    await record(store, (3, 8), device=1)
    return store


def stamp(ago: int, text: str = "%Y-%m-%d %H:%M:%S") -> str:

    return time.strftime(text, time.gmtime((START - ago * MINUTE) / 1000))


async def test_a_file_for_each_device_and_pin(full: Store) -> None:
    assert await entries(full, report()) == {
        "MyBoard_0_TempC.csv": f"{stamp(3)},1.5\n{stamp(2)},2.5\n",
        "MyBoard_0_v9.csv": f"{stamp(3)},6.0\n",
        "B_1_TempC.csv": f"{stamp(3)},8.0\n",
    }


async def test_a_file_for_each_device_even_when_it_is_empty(full: Store) -> None:
    series = [*report().series, Series(2, "", V, 8, "x")]
    assert await entries(full, report(output="CSV_FILE_PER_DEVICE", format="TS", series=series)) == {
        "MyBoard_0.csv": f'{START - 3 * MINUTE},"Temp, C",1.5\n{START - 2 * MINUTE},"Temp, C",2.5\n'
        f"{START - 3 * MINUTE},v9,6.0\n",
        "B_1.csv": f'{START - 3 * MINUTE},"Temp, C",8.0\n',
        "_2.csv": "",
    }


async def test_one_file_for_all(full: Store) -> None:
    found = await entries(full, report(output="MERGED_CSV", format="ISO_INSTANT", zone="Asia/Tokyo"))
    assert list(found) == ["Allofit1.csv"]
    first = found["Allofit1.csv"].splitlines()[0]
    assert first == f'{stamp(3 - 9 * 60, "%Y-%m-%dT%H:%M:%S")}+09:00,"Temp, C",My Board,1.5'


async def test_names_of_entries_are_taken_once(full: Store) -> None:
    series = [Series(0, "B", V, 8, "x"), Series(0, "B", V, 9, "x")]
    assert list(await entries(full, report(series=series))) == ["B_0_x.csv", "B_0_x_2.csv"]


# -- exports of a device


def data(**changed: Any) -> DeviceData:
    fields: dict[str, Any] = {
        "dash": 1, "device": 0, "start": START - DAY_MS, "end": START, "step": "minute", "aggregate": "max", "format": "TS",
        "zone": "", "events": False, "series": None,
    }  # fmt: skip
    return DeviceData(**(fields | changed))


async def test_every_pin_of_a_device(full: Store) -> None:
    lines = f"2.5,{START - 3 * MINUTE}\n3.5,{START - 2 * MINUTE}\n"
    expected = {"v8.csv": lines, "v9.csv": f"7.0,{START - 3 * MINUTE}\n"}
    assert await entries(full, data(), "utf-8") == expected
    assert await entries(full, data(step="raw"), "utf-8") == expected  # no raw points: minutes take their place
    named = [Series(0, "", V, 8, "Temperature")]
    assert await entries(full, data(series=named), "utf-8") == {"Temperature.csv": lines}


async def test_only_so_many_exports_a_day(full: Store) -> None:
    downloads = made(full)
    found: list[str] = []
    while await downloads.may_keep(ROW):
        found.append(await downloads.keep(ROW, data()))
    assert len(set(found)) == 2
    assert all(name.startswith("device_data_0_2026-11-21T23-40-30_") for name in found), found
    assert await made(full, NOW + DAY_MS).may_keep(ROW)
    assert await read(downloads, found[0])
    later = made(full, NOW + 45 * DAY_MS)
    assert await read(later, found[0]) is None


async def test_nothing_is_there_without_data(store: Store) -> None:
    assert not await made(store).has_data(1, data())
    await store.commit(Changes(tokens=[TokenRow("r.zip", "download", 1, 1, 0, NOW + 1, names.encode(data()))]))
    assert await read(made(store), "r.zip") is None


@pytest.mark.parametrize(
    "gone",
    [
        {"deleted_history": [(1, 1, 0)]},
        {"deleted_devices": [(1, 1, 0)]},
        {"deleted_dashboards": [(1, 1)]},
        {"deleted_accounts": [1]},
    ],
)
async def test_what_is_deleted_is_gone_from_links_that_were_mailed(full: Store, gone: dict[str, Any]) -> None:
    downloads = made(full)
    mailed = [await downloads.offer(ROW, Pin("v", 8)) or "", await downloads.keep(ROW, data())]
    assert all([await read(downloads, name) for name in mailed])
    await full.commit(Changes(**gone, at=NOW))
    assert [await read(downloads, name) for name in mailed] == [None, None]
