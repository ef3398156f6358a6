"""Which bus a URL means."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from vpin_bus.interface import Bus
from vpin_bus.memory import MemoryBus


def open_bus(url: str, *, replicated: bool = False) -> Bus:
    """The bus of `url`, not opened yet; ValueError for an unknown scheme.

    ``memory://`` (nothing survives the process), ``memory:///path/to/folder`` (journalled), ``amqp://…`` or ``amqps://…``
    (RabbitMQ). `replicated` asks RabbitMQ for quorum queues in place of classic ones.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "memory":
        return MemoryBus(Path(unquote(rest)) if rest else None)
    if scheme in ("amqp", "amqps"):
        from vpin_bus.amqp.bus import AmqpBus

        return AmqpBus(url, replicated=replicated)
    raise ValueError(f"{scheme!r} is no bus: give memory://, memory:///folder or amqp://user:password@host:port/vhost")
