"""Events of devices in the store; a commit adds them."""

from __future__ import annotations

from vpin_store.driver import Driver, Watch
from vpin_store.rows import EventRow
from vpin_store.schema import EVENT
from vpin_store.statements import select

_OF_DEVICE = "WHERE account_id = $1 AND dash_id = $2 AND device_id = $3"


class Events:
    """A device is (account, dashboard, device)."""

    def __init__(self, driver: Driver, watch: Watch) -> None:
        self._driver = driver
        self._watch = watch

    async def find(
        self, device: tuple[int, int, int], start: int, end: int, severity: str, before: int, limit: int
    ) -> list[EventRow]:
        """Newest first: from `start` to below `end` (ms), of a severity ("": any), with an id below `before`."""
        wanted = f"{_OF_DEVICE} AND at >= $4 AND at < $5 AND ($6 = '' OR severity = $6) AND id < $7 ORDER BY id DESC LIMIT $8"
        sql = select(self._driver.dialect, EVENT, wanted)
        return EVENT.loaded(await self._watch(self._driver.fetch(sql, *device, start, end, severity, before, limit)))

    async def get(self, device: tuple[int, int, int], event_id: int) -> EventRow | None:
        sql = select(self._driver.dialect, EVENT, f"{_OF_DEVICE} AND id = $4")
        found = EVENT.loaded(await self._watch(self._driver.fetch(sql, *device, event_id)))
        return found[0] if found else None
