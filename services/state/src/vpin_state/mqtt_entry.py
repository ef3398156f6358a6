"""Log-ins by MQTT: user name and password tell what kind of session it is (spec 09, 2).

So far there are boards of Blynk server 0.41: user = the account's e-mail, password = the token of one of its devices.
Whatever is wrong, the answer is the same, and takes the same: account and token are always looked up, both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from vpin_messages import entry, slab
from vpin_messages.entry import EntryAnswer, EntryRequest, Grant, Opening
from vpin_protocol import Status, hardware_response
from vpin_runtime.failures import Failures

from vpin_state import metrics

if TYPE_CHECKING:
    from vpin_store import Store
    from vpin_store.rows import TokenRow

REFUSALS = 100
"""From one address in a minute: further ones are told `DELAY` seconds later. Nobody is locked out."""
DELAY = 1.0


class MqttEntry:
    """Answers log-ins by MQTT. `look_up`: rows by token."""

    def __init__(self, store: Store, look_up: Callable[[set[str]], Awaitable[dict[str, TokenRow]]]) -> None:
        self._store = store
        self._look_up = look_up
        self._refusals = Failures(REFUSALS)  # by address

    async def answer(self, request: EntryRequest) -> tuple[EntryAnswer, float]:
        """(answer, seconds to wait before it is sent). The body of the request is `user·password`. Or StoreUnavailable."""
        user, _, secret = request.body.partition(b"\0")
        email = user.decode(errors="replace").strip().lower()
        token = secret.decode(errors="replace")
        found, accounts = await asyncio.gather(self._look_up({token}), self._store.find_accounts([email]))
        row = found.get(token)
        if row is None or row.kind != "device" or row.account_id not in {account.id for account in accounts}:
            metrics.logins.labels("invalid token").inc()
            refusal = EntryAnswer(hardware_response(request.message_id, Status.INVALID_TOKEN), close=True)
            return refusal, self._delay(request.address, time.monotonic())
        metrics.logins.labels("ok").inc()
        opening = entry.encode(Opening(request.message_id, request.command, request.address))
        grant = Grant(row.account_id, row.dash_id, row.device_id, slab.credential(token), opening)
        return EntryAnswer(grant=grant), 0.0

    def _delay(self, address: str, now: float) -> float:
        """Of one more refusal to this address."""
        delay = DELAY if self._refusals.are_many(address, now) else 0.0
        self._refusals.add([address], now)
        return delay
