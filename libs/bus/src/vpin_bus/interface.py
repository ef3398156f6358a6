"""The bus as services see it: named queues of bytes, chosen by URL with :func:`vpin_bus.open_bus`.

Rules that hold for every implementation (the contract tests run them all against each):

* **Order**: what one :class:`Outlet` publishes reaches a queue's consumer in that order.
* **Confirmed means safe**: a confirmed message of a durable queue survives ``kill -9`` of any process and a broker
  restart. It is delivered until acknowledged; what was delivered and not acknowledged comes again, in the old order,
  before anything newer.
* **Bounded**: a queue that is full refuses; the outlet keeps its slab, tries again, and tells its owner to stop feeding
  it.
* **It comes back by itself**: a lost connection is made again, queues are declared again, unconfirmed messages are
  published again (so a message may come twice, never not at all); nobody sees an exception meanwhile.
* **Self-clocking**: an outlet publishes at the end of the loop turn while fewer than ``WINDOW`` of its publishes await
  their confirm, else when a confirm returns; outlets to a broker take turns. Idle: one entry per message. Under load:
  hundreds.

Everything is called on the event loop's thread. Callbacks are plain functions: they must not block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

WINDOW = 4
"""Publishes of one outlet that may await their confirm."""


class BusClosedError(Exception):
    """The bus was closed while a publish or :meth:`Outlet.drained` still waited for its confirm."""


class Delivery(NamedTuple):
    """One message: ``tag`` grows with every delivery of a consumer, and starts anew after `on_reset`."""

    body: bytes
    tag: int
    redelivered: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue by name and kind. Publisher and consumer declare the same thing, so give both the same object.

    A queue that expires is declared by its consumer only: publishers to it wait until it is there, and for ever when
    its consumer is gone (close the outlet).
    """

    name: str
    single_active: bool = False  # one consumer at a time is served, the others stand by
    max_messages: int = 0  # full from here on (0: unbounded): publishers are refused and wait
    expires: float = 0.0  # seconds without a consumer after which the queue goes away (0: never)
    dead_letter: str = ""  # name of the queue that rejected messages go to


class Outlet(Protocol):
    """One sender's road into one queue: entries go in, slabs go out."""

    backlog: int
    """Bytes added and not yet confirmed."""

    def add(self, entry: bytes) -> None:
        """Append an entry to the slab of this loop turn."""
        ...

    async def drained(self) -> None:
        """Return when everything added so far is confirmed."""
        ...

    def close(self) -> None:
        """Forget this outlet and what it still holds (its receiver is gone)."""
        ...


class Consumer(Protocol):
    """A subscription to one queue."""

    def ack(self, tag: int) -> None:
        """Acknowledge this delivery and all before it. A tag from before a reset is ignored."""
        ...

    def ack_one(self, tag: int) -> None:
        """Acknowledge just this delivery (queues whose messages are independent, e.g. jobs)."""
        ...

    def retry(self, tag: int, body: bytes, delay: float) -> None:
        """Acknowledge this delivery and deliver `body` (the message, perhaps changed) again after `delay` seconds.

        It is durable meanwhile. For job queues: ValueError when the queue has no dead-letter queue. RabbitMQ rounds the
        delay up to 1, 5, 15 or 60 seconds, 5, 15 or 60 minutes.
        """
        ...

    def reject(self, tag: int) -> None:
        """Send this delivery to the queue's dead-letter queue."""
        ...

    async def cancel(self) -> None:
        """Stop consuming; what is not acknowledged goes back to the queue."""
        ...


class Bus(Protocol):
    """A connection to the bus. ``memory://`` shares queues inside one event loop; ``amqp://…`` is RabbitMQ."""

    @property
    def ready(self) -> bool:
        """Whether the bus can be reached now (readiness probe)."""
        ...

    async def open(self) -> None:
        """Connect; waits until the broker answers."""
        ...

    async def close(self) -> None:
        """Drain what is being published (5 s at most), then disconnect."""
        ...

    def outlet(
        self,
        queue: Queue,
        head: Callable[[int], bytes],
        *,
        high: int = 4 * 1024 * 1024,
        low: int = 1024 * 1024,
        on_pressure: Callable[[bool], None] | None = None,
    ) -> Outlet:
        """A new outlet. ``head(number)`` gives the head of slab `number` (1, 2, …), or b""; a slab is head + entries.

        A slab that has to be published again keeps its number. `on_pressure(True)` is called when the backlog exceeds
        `high` bytes, `on_pressure(False)` when it has fallen below `low`.
        """
        ...

    async def publish(self, queue: Queue, body: bytes) -> None:
        """Publish one message; returns once it is confirmed, however long the broker is away."""
        ...

    async def emit(self, key: str, body: bytes) -> None:
        """Publish a domain event to the topic exchange ``vpin.events`` under a routing key.

        Nobody bound: nobody hears it.
        """
        ...

    async def consume(
        self,
        queue: Queue,
        on_delivery: Callable[[Delivery], None],
        *,
        prefetch: int = 2000,
        on_reset: Callable[[], None] | None = None,
    ) -> Consumer:
        """Declare the queue and consume it; no delivery comes before the caller has its consumer.

        `on_reset` is called when the connection was lost: outstanding tags are void, their messages come again.
        """
        ...

    async def depth(self, queue: Queue) -> int:
        """Messages waiting in the queue, not yet delivered (for metrics and tests)."""
        ...
