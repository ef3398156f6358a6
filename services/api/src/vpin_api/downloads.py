"""Exported files: whoever has the name of one may read it, and it is made from the database when it is read.

Names and what they stand for are in :mod:`vpin_messages.downloads`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from email.utils import formatdate
from typing import TypeVar

import msgspec
from vpin_messages import downloads
from vpin_messages.downloads import Csv, DeviceData, Report
from vpin_store import Store, StoreUnavailable
from vpin_store.history import Step, finished
from vpin_store.rows import Changes, StreamKey, TokenRow

from vpin_api import answers, exports, packing
from vpin_api.answers import Header, Send
from vpin_api.owner import Owners
from vpin_api.parsing import Pin

DAY_MS = 86_400_000
FIRST_TAG = 100_000
"""Targets from here on are several devices: which ones, the owner of the account knows."""
AGE = 60  # seconds that a client may keep a file
T = TypeVar("T")
GZIP, ZIP = b"application/x-gzip", b"application/zip"

Content = AsyncGenerator[bytes]


class Downloads:
    """`days`: how long names are good; `points`: most of one pin in a CSV file; `exports`: of a device and day by the IoT
    API, 0: any number."""

    def __init__(
        self, store: Store, owners: Owners, days: int, points: int, exports: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._owners = owners
        self._days = days
        self._points = points
        self._exports = exports
        self._clock = clock
        self._key = b""

    @property
    def _now(self) -> int:
        return int(self._clock() * 1000)

    async def offer(self, row: TokenRow, pin: Pin) -> str | None:
        """The name of a file with the minutes of a device's pin; None where there are none. Nothing is written."""
        now = self._now
        kind = ord(pin.kind)
        stream = StreamKey(row.account_id, row.dash_id, row.device_id, kind, pin.number)
        if not await self._store.history.rollups(stream, Step.MINUTE, 0, finished(now, Step.MINUTE), 1):
            return None
        account = await self._store.get_account(row.account_id)
        if account is None:
            return None
        csv = Csv(row.account_id, row.dash_id, row.device_id, kind, pin.number, now)
        return downloads.csv_name(await self._signing_key(), account.email, csv)

    async def may_keep(self, row: TokenRow) -> bool:
        """Whether the device has exports left for today (UTC)."""
        today = self._now // DAY_MS * DAY_MS
        device = (row.account_id, row.dash_id, row.device_id)
        made = await self._store.tokens.count(downloads.KIND, device, today + self._days * DAY_MS)
        return not self._exports or made < self._exports

    async def keep(self, row: TokenRow, data: DeviceData) -> str:
        """The name of a file with that data, for some weeks."""
        now = self._now
        moment = time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime(now / 1000))
        name = downloads.device_data_name(row.device_id, moment)
        expires_at = now + self._days * DAY_MS
        place = (row.account_id, row.dash_id, row.device_id)
        token = TokenRow(name, downloads.KIND, *place, expires_at, downloads.encode(data))
        await self._store.commit(Changes(tokens=[token]))
        return name

    async def has_data(self, account: int, data: DeviceData) -> bool:
        """Whether there would be anything in the file."""
        async for _, content in exports.device_entries(self._store, account, data):
            async for _ in content:
                return True
        return False

    async def serve(self, name: str, send: Send, *, head: bool) -> bool:
        """Answer with the file of that name; False, and nothing is answered, where there is none.

        StoreUnavailable; once the answer has begun, it ends the connection.
        """
        found = await self._open(name)
        if found is None:
            return False
        kind, content = found
        async with contextlib.aclosing(content):
            first = await anext(content, None)
            if first is None:
                return False
            headers: list[Header] = [
                (b"content-type", kind),
                answers.ANY_ORIGIN,
                (b"cache-control", b"private, max-age=%d" % AGE),
                (b"expires", formatdate(self._clock() + AGE, usegmt=True).encode()),
                (b"x-content-type-options", b"nosniff"),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if not head:
                await send({"type": "http.response.body", "body": first, "more_body": True})
                try:
                    async for part in content:
                        await send({"type": "http.response.body", "body": part, "more_body": True})
                except StoreUnavailable as fault:
                    raise ConnectionAbortedError("the database went away within an answer") from fault
            await send({"type": "http.response.body", "body": b""})
        return True

    async def _open(self, name: str) -> tuple[bytes, Content] | None:
        if name.endswith(".csv.gz"):
            csv = downloads.read_csv_name(await self._signing_key(), name)
            if csv is None or not 0 <= self._now - csv.at < self._days * DAY_MS:
                return None
            return GZIP, self._csv(csv)
        row = (await self._store.tokens.find([name])).get(name)
        if row is None or row.kind != downloads.KIND or row.expires_at <= self._now:
            return None
        return ZIP, self._zip(row)

    async def _csv(self, csv: Csv) -> Content:
        """Nothing at all where the data is gone."""
        devices = [csv.target] if csv.target < FIRST_TAG else await self._devices_of(csv)
        streams = [StreamKey(csv.account, csv.dash, device, csv.kind, csv.pin) for device in devices]
        lines = exports.csv_lines(self._store, streams, finished(csv.at, Step.MINUTE), self._points)
        first = await anext(lines, None)
        if first is not None:
            async for part in packing.gzipped(_chain(first, lines)):
                yield part

    async def _zip(self, row: TokenRow) -> Content:
        """Nothing at all where the data is gone."""
        recipe = downloads.decode(row.body)
        if isinstance(recipe, Report):
            entries = exports.report_entries(self._store, row.account_id, recipe)
        else:
            entries = exports.device_entries(self._store, row.account_id, recipe)
        first = await anext(entries, None)
        if first is not None:
            async for part in packing.zipped(_chain(first, entries)):
                yield part

    async def _devices_of(self, csv: Csv) -> list[int]:
        arguments = msgspec.json.encode({"dash": csv.dash, "target": csv.target})
        reply = await self._owners.ask_account(csv.account, "devicesOfTarget", arguments)
        return msgspec.json.decode(reply.body, type=list[int]) if reply.status == 200 else []

    async def _signing_key(self) -> bytes:
        if not self._key:
            self._key = await self._store.tokens.key(downloads.KEY)
        return self._key


async def _chain(first: T, rest: AsyncIterator[T]) -> AsyncIterator[T]:
    yield first
    async for each in rest:
        yield each
