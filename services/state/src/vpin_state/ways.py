"""The outlets of a state process: to the queues of shards, its own and others', and to those of gateways and API processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_messages import slab
from vpin_messages.queues import instance_queue, shard_queue

if TYPE_CHECKING:
    from vpin_bus import Bus, Outlet


class Ways:
    """One outlet for each queue, made when it is first used. `sender` is this process."""

    def __init__(self, bus: Bus, sender: bytes) -> None:
        self._bus = bus
        self._sender = sender
        self._down: dict[bytes, Outlet] = {}
        self._up: dict[int, Outlet] = {}

    def to_shard(self, shard: int) -> Outlet:
        """The way to the owner of a shard, of this process or another."""
        outlet = self._up.get(shard)
        if outlet is None:
            outlet = self._up[shard] = self._bus.outlet(shard_queue(shard), lambda n: slab.head(self._sender, n))
        return outlet

    def to_instance(self, sender: bytes) -> Outlet:
        """The way to an instance, one for all shards of this process."""
        outlet = self._down.get(sender)
        if outlet is None:
            outlet = self._down[sender] = self._bus.outlet(instance_queue(sender), lambda n: slab.head(self._sender, n))
        return outlet

    def forget(self, sender: bytes) -> None:
        """The instance is dead for all shards."""
        if outlet := self._down.pop(sender, None):
            outlet.close()
