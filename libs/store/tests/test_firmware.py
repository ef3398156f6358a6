"""Images of firmware, the campaigns that offer them, and accounts that do something by the clock."""

from __future__ import annotations

import pytest
from vpin_store import Store
from vpin_store.rows import CampaignRow, Changes, FirmwareRow

from .samples import account

IMAGE = FirmwareRow("a.bin", "Aug 14", 1000, b"\0\xff" * 1000)


def campaign(name: str, started_at: int = 1) -> CampaignRow:
    return CampaignRow(name, 7, "Greenhouse", "Aug 14", started_at, "admin@example.com")


@pytest.mark.anyio
async def test_an_image_is_what_was_uploaded(store: Store) -> None:
    await store.firmware.keep(IMAGE, 0)
    assert await store.firmware.get("a.bin") == IMAGE
    assert await store.firmware.get("b.bin") is None


@pytest.mark.anyio
async def test_old_images_go_unless_they_are_offered(store: Store) -> None:
    for name in ("old.bin", "offered.bin"):
        await store.firmware.keep(IMAGE._replace(name=name), 0)
    await store.firmware.start_campaign(campaign("offered.bin"))
    await store.firmware.keep(IMAGE._replace(name="new.bin", uploaded_at=2000), 2000)
    found = [await store.firmware.get(name) is not None for name in ("old.bin", "offered.bin", "new.bin")]
    assert found == [False, True, True]


@pytest.mark.anyio
async def test_campaigns_newest_first_until_they_are_stopped(store: Store) -> None:
    rows = [campaign("a.bin", 1), campaign("b.bin", 3), campaign("c.bin", 2)]
    for row in rows:
        await store.firmware.start_campaign(row)
    assert await store.firmware.campaigns() == [rows[1], rows[2], rows[0]]
    await store.firmware.stop_campaigns()
    assert await store.firmware.campaigns() == []


@pytest.mark.anyio
async def test_an_account_is_timed_until_its_owner_says_otherwise(store: Store) -> None:
    first, second = account(1, "a@example.com"), account(2, "b@example.com")
    await store.commit(Changes(accounts=[first, second]))
    assert await store.timed_accounts() == [1, 2]
    await store.commit(Changes(accounts=[first._replace(timed=False)]))
    assert await store.timed_accounts() == [2]
