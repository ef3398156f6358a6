"""Images of firmware on their way to boards: from the database, remembered since many boards ask for the same one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from vpin_store.rows import FirmwareRow

PREFIX = "/static/ota/"
IMAGE_MAX = 16 * 1024 * 1024
"""Bytes: the largest flash of the boards that we know."""
KEPT = 2 * IMAGE_MAX
"""Bytes of images that are remembered."""


class Images:
    """`find` gets an image from the store by its name."""

    def __init__(self, find: Callable[[str], Awaitable[FirmwareRow | None]]) -> None:
        self._find = find
        self._kept: OrderedDict[str, FirmwareRow] = OrderedDict()
        self._finding = asyncio.Lock()

    async def get(self, name: str) -> FirmwareRow | None:
        """Raises StoreUnavailable. An image never changes: names are random."""
        async with self._finding:
            row = self._kept.get(name) or await self._find(name)
            if row is not None:
                self._kept[name] = row
                self._kept.move_to_end(name)
                while sum(len(kept.content) for kept in self._kept.values()) > KEPT:
                    self._kept.popitem(last=False)
            return row
