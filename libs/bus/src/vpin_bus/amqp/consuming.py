"""A consumer over RabbitMQ: a channel of its own on each connection in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from pamqp import commands

from vpin_bus.amqp import frames
from vpin_bus.amqp.channel import AmqpError, Channel
from vpin_bus.amqp.queues import Declarer, again
from vpin_bus.amqp.sequence import PATIENCE, Message, Sequencer, read_stamp
from vpin_bus.amqp.wire import Wire
from vpin_bus.interface import Delivery, Queue

GENERATION = 40  # bits of the broker's tag in ours; the number of the channel that delivered stands above
_TAG = (1 << GENERATION) - 1


class Owner(Protocol):
    """What a consumer needs of its bus."""

    def reattach(self, consumer: AmqpConsumer) -> None:
        """The broker closed its channel."""
        ...

    def detached(self, consumer: AmqpConsumer) -> None:
        """It was cancelled."""
        ...

    def publish_delayed(self, queue: Queue, body: bytes, delay: float, then: Callable[[], None]) -> None:
        """Publish to a delay queue of `queue`, and call `then` when that is confirmed."""
        ...


class AmqpConsumer:
    """See :class:`vpin_bus.interface.Consumer`."""

    def __init__(
        self,
        owner: Owner,
        queue: Queue,
        on_delivery: Callable[[Delivery], None],
        prefetch: int,
        on_reset: Callable[[], None] | None,
    ) -> None:
        self.queue = queue
        self.attached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._owner = owner
        self._on_delivery = on_delivery
        self._on_reset = on_reset
        self._prefetch = prefetch
        self._channel: Channel | None = None
        self._generation = 0
        self._open: set[int] = set()  # broker's tags that are delivered and not settled
        self._oldest = 1  # all tags below are settled
        self._early: list[Message] | None = []  # what comes before the caller has its consumer
        self._sequencer: Sequencer | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._cancelled = False
        if queue.single_active or queue.expires:
            self._sequencer = Sequencer(self._deliver, self._drop)

    async def attach(self, wire: Wire, declarer: Declarer) -> None:
        """Declare and consume on this connection; AmqpError."""
        await declarer.declare(self.queue)
        channel = await wire.open_channel()
        if self._cancelled:
            await channel.close()
            return
        self._channel = channel
        self._generation += 1
        channel.on_delivery = self._receive
        await channel.call(commands.Basic.Qos(0, self._prefetch, False))
        await channel.call(commands.Basic.Consume(0, self.queue.name))
        if self.queue.dead_letter:
            await declarer.declare(again(self.queue))
            await channel.call(commands.Basic.Consume(0, again(self.queue).name))
        channel.on_closed = self._on_closed
        if not self.attached.done():
            self.attached.set_result(None)

    def detach(self) -> None:
        """The channel is lost: tags are void."""
        if self._channel is None:
            return
        self._channel = None
        self._open.clear()
        self._oldest = 1
        if self._early is not None:
            self._early.clear()
        if self._sequencer is not None:
            self._sequencer.reset()
        if self._on_reset is not None and not self._cancelled:
            asyncio.get_running_loop().call_soon(self._on_reset)

    def start(self) -> None:
        """The caller has its consumer: deliver."""
        early, self._early = self._early or [], None
        for message in early:
            self._sort(message)

    def ack(self, tag: int) -> None:
        if self._is_void(tag):
            return
        last = 0
        for number in range(self._oldest, (tag & _TAG) + 1):
            if number in self._open:
                self._open.discard(number)
                last = number
        self._oldest = max(self._oldest, (tag & _TAG) + 1)
        if last:
            self._send_ack(last, multiple=True)

    def ack_one(self, tag: int) -> None:
        if not self._is_void(tag) and tag & _TAG in self._open:
            self._open.discard(tag & _TAG)
            self._send_ack(tag & _TAG, multiple=False)

    def retry(self, tag: int, body: bytes, delay: float) -> None:
        if not self.queue.dead_letter:
            raise ValueError(f"queue {self.queue.name} has no dead-letter queue, so its messages cannot be retried")
        if not self._is_void(tag):
            self._owner.publish_delayed(self.queue, body, delay, lambda: self.ack_one(tag))

    def reject(self, tag: int) -> None:
        if not self._is_void(tag) and tag & _TAG in self._open and self._channel is not None:
            self._open.discard(tag & _TAG)
            self._channel.wire.write(frames.reject(self._channel.number, tag & _TAG))

    async def cancel(self) -> None:
        self._cancelled = True
        self._owner.detached(self)
        channel, self._channel = self._channel, None
        self._open.clear()
        if self._patience is not None:
            self._patience.cancel()
        if channel is not None:
            try:
                await channel.close()
            except AmqpError:
                pass  # lost meanwhile: so the broker has everything back

    def _is_void(self, tag: int) -> bool:
        return self._channel is None or tag >> GENERATION != self._generation

    def _send_ack(self, number: int, *, multiple: bool) -> None:
        if self._channel is not None:
            self._channel.wire.write(frames.ack(self._channel.number, number, multiple=multiple))

    def _on_closed(self, error: AmqpError) -> None:
        self.detach()
        self._owner.reattach(self)

    def _receive(self, tag: int, redelivered: bool, header: bytes, body: bytes) -> None:
        if self._channel is None:
            return  # cancelled, the answer is on its way
        if self._sequencer is None:
            message = Message(tag, redelivered, body, b"", 0, 0)
        else:
            message = Message(tag, redelivered, body, *read_stamp(frames.message_id(header)))
        if self._early is None:
            self._sort(message)
        else:
            self._early.append(message)

    def _sort(self, message: Message) -> None:
        sequencer = self._sequencer
        if sequencer is None:
            self._deliver(message)
            return
        sequencer.receive(message)
        if sequencer.holding and self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(PATIENCE, self._give_up, self._generation)

    def _give_up(self, generation: int) -> None:
        self._patience = None
        if self._sequencer is not None and generation == self._generation:
            self._sequencer.give_up()

    def _deliver(self, message: Message) -> None:
        self._open.add(message.tag)
        self._on_delivery(Delivery(message.body, self._generation << GENERATION | message.tag, message.redelivered))

    def _drop(self, message: Message) -> None:
        self._send_ack(message.tag, multiple=False)
