"""The state service: wiring and life cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_state.entry import Entry
from vpin_state.owner import Owner
from vpin_state.settings import core_config, entry_settings, own_shards

if TYPE_CHECKING:
    from vpin_bus import Bus
    from vpin_runtime.settings import Settings
    from vpin_store import Store


class StateService:
    """Owns its shards and serves the entry. Bus and store are open already and stay the caller's to close."""

    name = "state"

    def __init__(self, settings: Settings, bus: Bus, store: Store) -> None:
        self._bus = bus
        self.owner = Owner(bus, store, core_config(settings), own_shards(settings), settings.shards, settings.flush_ms)
        self._entry = Entry(bus, store, self.owner, entry_settings(settings))

    async def start(self) -> None:
        await self.owner.start()
        await self._entry.start()

    async def stop(self) -> None:
        await self._entry.stop()
        await self.owner.stop()

    def checks(self) -> dict[str, bool]:
        return {"bus": self._bus.ready, "database": self.owner.commits.database_there}
