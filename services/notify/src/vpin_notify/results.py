"""What notify tells the owners of accounts: outcomes of first attempts (RESULT), phones that are gone (REQUEST)."""

from __future__ import annotations

import asyncio
import contextlib

import structlog
from vpin_bus import Bus, Outlet
from vpin_messages import requests, slab
from vpin_messages.jobs import Answer, Job
from vpin_messages.queues import shard_queue
from vpin_messages.requests import PinRequest
from vpin_messages.slab import Up

FAREWELL = 1.0  # seconds for the last outcomes to be confirmed

log = structlog.get_logger("vpin.notify")


class Results:
    """An outlet per shard that was ever told something, with a sender id of its own."""

    def __init__(self, bus: Bus, shards: int) -> None:
        self._bus = bus
        self._shards = shards
        self._outlets: dict[int, Outlet] = {}
        self.sender = slab.new_sender()

    def tell(self, answer: Answer, delivered: bool) -> None:
        """Payload: gateway id (16 bytes), status u16, message id u16; the entry's session is the waiting one."""
        if len(answer.gateway) != 16:
            log.error("notify.answer_without_gateway")
            return
        status = answer.ok if delivered else answer.failed
        payload = answer.gateway + status.to_bytes(2, "big") + answer.message_id.to_bytes(2, "big")
        self._outlet(answer.shard).add(slab.up_entry(Up.RESULT, answer.session, payload))

    def forget_phone(self, job: Job, phone: str) -> None:
        """The push service does not know a phone any more: the job's account forgets it. Nobody waits for the reply."""
        details = job.details
        if "credential" not in details:
            return
        entry = slab.up_entry(
            Up.REQUEST,
            payload=requests.encode(PinRequest("forgetPhone", name=phone)),
            account=job.account,
            dash=int(details["dash"]),
            device=int(details["device"]),
            credential=int(details["credential"]),
        )
        self._outlet(slab.shard_of(job.account, self._shards)).add(entry)

    async def close(self) -> None:
        """Take leave of the shards once everything is confirmed."""
        for outlet in self._outlets.values():
            outlet.add(slab.up_entry(Up.BYE))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await asyncio.gather(*(outlet.drained() for outlet in self._outlets.values()))
        for outlet in self._outlets.values():
            outlet.close()
        self._outlets.clear()

    def _outlet(self, shard: int) -> Outlet:
        outlet = self._outlets.get(shard)
        if outlet is None:
            outlet = self._bus.outlet(shard_queue(shard), lambda number: slab.head(self.sender, number))
            self._outlets[shard] = outlet
        return outlet
