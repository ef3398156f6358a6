"""Firmware in the store: images for boards, and the campaigns that offer them (spec 06, 15).

In the database, since every api process serves the images and every owner of a shard offers them.
"""

from __future__ import annotations

from vpin_store.driver import Driver, Watch
from vpin_store.rows import CampaignRow, FirmwareRow
from vpin_store.schema import CAMPAIGN, FIRMWARE, escape
from vpin_store.statements import insert_new, select


class Firmware:
    """Images and campaigns, by name; names are unique, and who bears one first keeps it."""

    def __init__(self, driver: Driver, watch: Watch) -> None:
        self._driver = driver
        self._watch = watch

    async def keep(self, row: FirmwareRow, forget_before: int) -> None:
        """Store an image. Those from before `forget_before` (ms) that no campaign offers any more are deleted."""
        sql = "DELETE FROM firmware WHERE uploaded_at < $1 AND name NOT IN (SELECT name FROM campaign)"
        await self._watch(self._driver.write(sql, forget_before))
        (values,) = FIRMWARE.stored([row])
        await self._watch(self._driver.write(insert_new(self._driver.dialect, FIRMWARE), *values))

    async def get(self, name: str) -> FirmwareRow | None:
        sql = select(self._driver.dialect, FIRMWARE, "WHERE name = $1")
        found = FIRMWARE.loaded(await self._watch(self._driver.fetch(sql, escape(name))))
        return found[0] if found else None

    async def start_campaign(self, row: CampaignRow) -> None:
        (values,) = CAMPAIGN.stored([row])
        await self._watch(self._driver.write(insert_new(self._driver.dialect, CAMPAIGN), *values))

    async def campaigns(self) -> list[CampaignRow]:
        """Those that were not stopped, newest first."""
        sql = select(self._driver.dialect, CAMPAIGN, "ORDER BY started_at DESC, name")
        return CAMPAIGN.loaded(await self._watch(self._driver.fetch(sql)))

    async def stop_campaigns(self) -> None:
        """All of them."""
        await self._watch(self._driver.write("DELETE FROM campaign"))
