"""How our queues are declared in RabbitMQ (3.10 to 4.x)."""

from __future__ import annotations

from typing import Any

import structlog
from pamqp import commands

from vpin_bus.amqp.channel import AmqpError, Channel
from vpin_bus.amqp.wire import Wire
from vpin_bus.interface import Queue

EVENTS = "vpin.events"
DELAYS = (1, 5, 15, 60, 300, 900, 3600)
"""Seconds of the delay queues."""

PRECONDITION_FAILED, NOT_FOUND = 406, 404

log = structlog.get_logger(__name__)


class Declarer:
    """Declares queues on a channel of its own: a refused declaration closes the channel, nothing else."""

    def __init__(self, wire: Wire, *, replicated: bool) -> None:
        self._wire = wire
        self._replicated = replicated
        self._known: set[str] = set()

    async def declare(self, queue: Queue) -> None:
        """The queue and its dead-letter queue. One that exists with other properties is used as it is."""
        if queue.dead_letter:
            await self._declare(queue.dead_letter, {})
        await self._declare(queue.name, _arguments(queue))

    async def declare_delay(self, queue: Queue, delay: float) -> str:
        """Name of the queue whose messages go to `queue` after `delay` seconds, rounded up."""
        seconds = next((step for step in DELAYS if step >= delay), DELAYS[-1])
        name = f"{queue.name}.delay.{seconds}"
        back = {
            "x-message-ttl": seconds * 1000,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": again(queue).name,
        }
        await self.declare(again(queue))
        await self._declare(name, back)
        return name

    async def declare_events(self) -> None:
        channel = await self._wire.open_channel()
        await channel.call(commands.Exchange.Declare(0, EVENTS, "topic", durable=True))
        await channel.close()

    def forget(self, name: str) -> None:
        """The queue went away: the next declaration declares it again."""
        self._known.discard(name)

    async def _declare(self, name: str, arguments: dict[str, Any]) -> None:
        if name in self._known:
            return
        arguments = {**arguments, "x-queue-type": "quorum" if self._replicated else "classic"}
        channel = await self._wire.open_channel()
        try:
            await channel.call(commands.Queue.Declare(0, name, durable=True, arguments=arguments))
        except AmqpError as error:
            if error.code != PRECONDITION_FAILED:
                raise
            log.error("bus.queue_differs", queue=name, reason=str(error))
        else:
            await channel.close()
        self._known.add(name)


def again(queue: Queue) -> Queue:
    """Where delayed messages come back. Unbounded: the broker moves them unconfirmed, a full queue would lose them."""
    return Queue(f"{queue.name}.again", dead_letter=queue.dead_letter)


async def depth(wire: Wire, name: str) -> int:
    """Messages that wait in the queue; 0 for a queue that does not exist."""
    channel: Channel = await wire.open_channel()
    try:
        answer = await channel.call(commands.Queue.Declare(0, name, passive=True))
    except AmqpError as error:
        if error.code != NOT_FOUND:
            raise
        return 0
    await channel.close()
    assert isinstance(answer, commands.Queue.DeclareOk)
    return answer.message_count or 0


def _arguments(queue: Queue) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if queue.single_active:
        arguments["x-single-active-consumer"] = True
    if queue.max_messages:
        arguments["x-max-length"] = queue.max_messages
        arguments["x-overflow"] = "reject-publish"
    if queue.expires:
        arguments["x-expires"] = int(queue.expires * 1000)
    if queue.dead_letter:
        arguments["x-dead-letter-exchange"] = ""
        arguments["x-dead-letter-routing-key"] = queue.dead_letter
    return arguments
