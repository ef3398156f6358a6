"""The bus of one process: outlets and consumers on its two links to the broker."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from pamqp import commands

from vpin_bus.amqp import queues
from vpin_bus.amqp.channel import AmqpError
from vpin_bus.amqp.consuming import AmqpConsumer
from vpin_bus.amqp.link import Link
from vpin_bus.amqp.outlet import FIRST_PAUSE, LAST_PAUSE, AmqpOutlet
from vpin_bus.amqp.publishing import Outcome, Publisher, Shot
from vpin_bus.amqp.queues import Declarer
from vpin_bus.amqp.wire import Wire
from vpin_bus.interface import BusClosedError, Delivery, Queue
from vpin_bus.outlet import Turn

DRAIN = 5.0
MARK_AFTER = 1.0

log = structlog.get_logger(__name__)


class AmqpBus:
    """See :class:`vpin_bus.interface.Bus`."""

    def __init__(self, url: str, *, replicated: bool = False) -> None:
        self._url = url
        self._replicated = replicated
        self._links: tuple[Link, Link] | None = None  # to publish, to consume
        self._turn: Turn | None = None
        self._publisher: Publisher | None = None
        self._publish_declarer: Declarer | None = None
        self._consume_wire: Wire | None = None
        self._consume_declarer: Declarer | None = None
        self._outlets: set[AmqpOutlet] = set()
        self._tails: set[AmqpOutlet] = set()
        self._consumers: set[AmqpConsumer] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._publishes: set[asyncio.Task[None]] = set()
        self._ids = (f"{secrets.token_hex(8)}-{number}".encode() for number in itertools.count())
        self._closed = False

    @property
    def ready(self) -> bool:
        return self._links is not None and all(link.wire is not None for link in self._links)

    async def open(self) -> None:
        self._turn = Turn(asyncio.get_running_loop())
        self._links = (
            Link(self._url, "publish", self._publish_up, self._publish_down),
            Link(self._url, "consume", self._consume_up, self._consume_down),
        )
        for link in self._links:
            link.start()
        for link in self._links:
            await link.up()

    async def close(self) -> None:
        if self._links is None or self._closed:
            return
        drains = [asyncio.ensure_future(outlet.drained()) for outlet in self._outlets if not outlet.absent]
        pending = [*drains, *self._publishes, *self._tasks]
        if pending:
            await asyncio.wait(pending, timeout=DRAIN)
        self._closed = True
        for outlet in list(self._outlets):
            outlet.abandon()
        for task in [*self._publishes, *self._tasks]:
            task.cancel()
        await asyncio.gather(*drains, *self._tasks, return_exceptions=True)
        for consumer in list(self._consumers):
            if not consumer.attached.done():
                consumer.attached.set_exception(BusClosedError("the bus was closed before the queue was consumed"))
            await consumer.cancel()
        for link in self._links:
            await link.close()

    def outlet(
        self,
        queue: Queue,
        head: Callable[[int], bytes],
        *,
        high: int = 4 * 1024 * 1024,
        low: int = 1024 * 1024,
        on_pressure: Callable[[bool], None] | None = None,
    ) -> AmqpOutlet:
        if self._turn is None:
            raise RuntimeError("the bus is not open")
        outlet = AmqpOutlet(
            queue,
            self._turn,
            head,
            high,
            low,
            on_pressure,
            on_absent=self._absent,
            on_tail=self._mark_later,
            on_close=self._outlets.discard,
        )
        self._outlets.add(outlet)
        if self._publisher is not None:
            self._start(self._connect_outlet(outlet))
        return outlet

    async def publish(self, queue: Queue, body: bytes) -> None:
        await self._cancellable(self._publish(queue, body))

    async def emit(self, key: str, body: bytes) -> None:
        await self._cancellable(self._confirmed(lambda _: _ready(key), body, exchange=queues.EVENTS))

    async def consume(
        self,
        queue: Queue,
        on_delivery: Callable[[Delivery], None],
        *,
        prefetch: int = 2000,
        on_reset: Callable[[], None] | None = None,
    ) -> AmqpConsumer:
        consumer = AmqpConsumer(self, queue, on_delivery, prefetch, on_reset)
        self._consumers.add(consumer)
        self.reattach(consumer)
        await consumer.attached
        asyncio.get_running_loop().call_soon(consumer.start)
        return consumer

    async def depth(self, queue: Queue) -> int:
        while True:
            wire = await self._opened()[1].up()
            try:
                return await queues.depth(wire, queue.name)
            except AmqpError:
                if not wire.lost.done():
                    raise

    def reattach(self, consumer: AmqpConsumer) -> None:
        self._opened()
        if self._consume_wire is not None and not self._closed:
            self._start(self._attach(consumer, self._consume_wire))

    def detached(self, consumer: AmqpConsumer) -> None:
        self._consumers.discard(consumer)

    def publish_delayed(self, queue: Queue, body: bytes, delay: float, then: Callable[[], None]) -> None:
        async def run() -> None:
            await self._confirmed(lambda declarer: declarer.declare_delay(queue, delay), body)
            then()

        self._start(run())

    def _opened(self) -> tuple[Link, Link]:
        if self._links is None:
            raise RuntimeError("the bus is not open")
        return self._links

    async def _publish_up(self, wire: Wire) -> None:
        channel = await wire.open_channel()
        await channel.call(commands.Confirm.Select())
        declarer = Declarer(wire, replicated=self._replicated)
        await declarer.declare_events()
        self._publish_declarer = declarer
        self._publisher = Publisher(channel)
        for outlet in list(self._outlets):
            await self._declare_for(declarer, outlet.queue)
            outlet.connected(self._publisher)

    def _publish_down(self) -> None:
        publisher, self._publisher, self._publish_declarer = self._publisher, None, None
        for outlet in self._outlets:
            outlet.disconnected()
        if publisher is not None:
            publisher.lost()

    async def _consume_up(self, wire: Wire) -> None:
        self._consume_wire = wire
        self._consume_declarer = Declarer(wire, replicated=self._replicated)
        for consumer in list(self._consumers):
            await consumer.attach(wire, self._consume_declarer)

    def _consume_down(self) -> None:
        self._consume_wire = self._consume_declarer = None
        for consumer in list(self._consumers):
            consumer.detach()

    async def _attach(self, consumer: AmqpConsumer, wire: Wire) -> None:
        declarer = self._consume_declarer
        if declarer is None:
            return
        try:
            declarer.forget(consumer.queue.name)
            await consumer.attach(wire, declarer)
        except AmqpError as error:
            wire.abort(f"consume {consumer.queue.name}: {error}")

    async def _connect_outlet(self, outlet: AmqpOutlet) -> None:
        publisher, declarer = self._publisher, self._publish_declarer
        if publisher is None or declarer is None:
            return
        try:
            await self._declare_for(declarer, outlet.queue)
        except AmqpError as error:
            publisher.abort(f"declare {outlet.queue.name}: {error}")
        else:
            if publisher is self._publisher and not outlet.closed:
                outlet.connected(publisher)

    async def _declare_for(self, declarer: Declarer, queue: Queue) -> None:
        """Publishers do not declare a queue that expires: they would bring it back for nobody."""
        if not queue.expires:
            await declarer.declare(queue)

    def _absent(self, outlet: AmqpOutlet) -> None:
        if not outlet.queue.expires and self._publish_declarer is not None:
            log.warning("bus.queue_vanished", queue=outlet.queue.name)
            self._publish_declarer.forget(outlet.queue.name)
            self._start(self._connect_outlet(outlet))

    async def _publish(self, queue: Queue, body: bytes) -> None:
        async def declare(declarer: Declarer) -> str:
            await self._declare_for(declarer, queue)
            return queue.name

        await self._confirmed(declare, body)

    async def _confirmed(
        self, declare: Callable[[Declarer], Coroutine[Any, Any, str]], body: bytes, exchange: str = ""
    ) -> None:
        """Publish until it is confirmed. `declare` gives the routing key."""
        pause = FIRST_PAUSE
        while True:
            wire = await self._opened()[0].up()
            publisher, declarer = self._publisher, self._publish_declarer
            if publisher is None or declarer is None:
                continue
            try:
                key = await declare(declarer)
            except AmqpError as error:
                wire.abort(f"declare: {error}")
                continue
            if publisher is not self._publisher:
                continue
            shot = Shot()
            publisher.publish(shot, next(self._ids), body, key, exchange)
            outcome = await shot.outcome
            if outcome is Outcome.ACCEPTED:
                return
            if outcome is Outcome.RETURNED:
                declarer.forget(key)
                pause = LAST_PAUSE
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE)

    async def _cancellable(self, publish: Coroutine[Any, Any, None]) -> None:
        """Run it so that close() can end it with BusClosedError."""
        task = asyncio.get_running_loop().create_task(publish)
        self._publishes.add(task)
        task.add_done_callback(self._publishes.discard)
        try:
            await task
        except asyncio.CancelledError:
            if self._closed and task.cancelled():
                raise BusClosedError("the bus was closed before the message was confirmed") from None
            raise

    def _mark_later(self, outlet: AmqpOutlet) -> None:
        if not self._tails:
            asyncio.get_running_loop().call_later(MARK_AFTER, self._mark)
        self._tails.add(outlet)

    def _mark(self) -> None:
        tails, self._tails = self._tails, set()
        for outlet in tails:
            outlet.mark()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _ready(key: str) -> str:
    return key
