"""Which device a token stands for: the store's answer, remembered.

A remembered row is a hint. The account's owner has the last word: it compares the token's credential with the present
one of the device, and when it refuses, the row is forgotten (:meth:`Tokens.forget`). An unknown token is not
remembered: a device may get it any moment.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from vpin_store.rows import TokenRow

CACHED = 20_000  # rows, about 0.5 KiB each
LOOKUP = 500  # tokens in one query

Find = Callable[[Sequence[str]], Awaitable[dict[str, TokenRow]]]


class Tokens:
    """Device tokens by a bounded cache over `find`; look-ups that meet while one runs share the next query."""

    def __init__(self, find: Find, *, size: int = CACHED, clock: Callable[[], float] = time.time) -> None:
        self._find = find
        self._size = size
        self._clock = clock
        self._rows: OrderedDict[str, TokenRow] = OrderedDict()
        self._wanted: dict[str, asyncio.Future[TokenRow | None]] = {}
        self._lookup: asyncio.Task[None] | None = None

    async def device(self, token: str) -> TokenRow | None:
        """The row of a device's token; None for other kinds, an unknown or an expired one. Raises StoreUnavailable."""
        row = self._rows.get(token)
        if row is None:
            row = await self._asked(token)
        else:
            self._rows.move_to_end(token)
        if row is None or row.kind != "device" or 0 < row.expires_at <= self._clock() * 1000:
            return None
        return row

    async def of_kind(self, token: str, kind: str) -> TokenRow | None:
        """The row of a token of another kind, never a remembered one. Raises StoreUnavailable."""
        row = (await self._find([token])).get(token)
        if row is None or row.kind != kind or 0 < row.expires_at <= self._clock() * 1000:
            return None
        return row

    def forget(self, token: str) -> None:
        self._rows.pop(token, None)

    async def close(self) -> None:
        """Give up what is being looked up."""
        if self._lookup is not None:
            self._lookup.cancel()
            await asyncio.gather(self._lookup, return_exceptions=True)
        for future in self._wanted.values():
            future.cancel()

    def _asked(self, token: str) -> asyncio.Future[TokenRow | None]:
        future = self._wanted.get(token)
        if future is None:
            future = self._wanted[token] = asyncio.get_running_loop().create_future()
            if self._lookup is None:
                self._lookup = asyncio.create_task(self._look_up(), name="token look-up")
        return asyncio.shield(future)

    async def _look_up(self) -> None:
        try:
            while self._wanted:
                asked = list(self._wanted)[:LOOKUP]
                try:
                    rows = await self._find(asked)
                except Exception as error:  # noqa: BLE001  whoever asked gets it: the look-up itself goes on
                    for token in asked:
                        future = self._wanted.pop(token)
                        if not future.done():
                            future.set_exception(error)
                            future.exception()  # the asker may be gone
                    continue
                for token in asked:
                    self._settle(token, rows.get(token))
        finally:
            self._lookup = None

    def _settle(self, token: str, row: TokenRow | None) -> None:
        if row is not None:
            self._rows[token] = row
            if len(self._rows) > self._size:
                self._rows.popitem(last=False)
        future = self._wanted.pop(token)
        if not future.done():
            future.set_result(row)
