"""The campaigns of the installation as this process knows them: read when a shard is claimed and when an api says so.

The api changes them in the database, then sends CAMPAIGNS to every shard; the reply tells it that from now on every board
that reports its build is looked at by the new ones. An owner that is not there reads them when it comes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vpin_messages import requests
from vpin_messages.requests import PinReply

if TYPE_CHECKING:
    from vpin_store.rows import CampaignRow

    from vpin_state.owner import Owner
    from vpin_state.session import Instance


class Campaigns:
    """`rows`: newest first."""

    def __init__(self, owner: Owner) -> None:
        self.rows: list[CampaignRow] = []
        self._owner = owner
        self._reading = asyncio.Lock()  # so that what was read last is what was committed last

    async def read(self) -> None:
        """Raises StoreUnavailable."""
        async with self._reading:
            self.rows[:] = await self._owner.store.firmware.campaigns()

    async def read_for(self, instance: Instance, number: int) -> None:
        """The same patiently, then reply."""
        await self._owner.commits.patiently(self.read)
        self._owner.outbox.reply(instance, number, requests.encode(PinReply(200)), durable=False)
