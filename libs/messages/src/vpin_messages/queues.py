"""Names and kinds of the queues: the same objects for who publishes and who consumes."""

from __future__ import annotations

from vpin_bus import Queue

ENTRY = Queue("vpin.entry", max_messages=10_000, expires=60.0)
"""Log-ins and other commands of clients without a session; all state processes serve it. Nothing to keep: clients ask again."""

NOTIFY_DEAD = Queue("vpin.notify.dead")
NOTIFY = Queue("vpin.notify", max_messages=100_000, dead_letter=NOTIFY_DEAD.name)
"""Notification jobs."""


def shard_queue(shard: int) -> Queue:
    """Uplink of a shard: its owner consumes it, everybody else publishes slabs to it."""
    return Queue(f"vpin.shard.{shard}", single_active=True, max_messages=20_000)


def instance_queue(sender: bytes) -> Queue:
    """Downlink of one process (gateway or API), by its sender id. Outlives a broker restart, not the process."""
    return Queue(f"vpin.down.{sender.hex()}", max_messages=20_000, expires=60.0)
