"""One AMQP channel: calls and their answers; deliveries, confirms and returns as callbacks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import pamqp.base
import pamqp.frame
from pamqp import commands

from vpin_bus.amqp import frames

if TYPE_CHECKING:
    from vpin_bus.amqp.wire import Wire

ANSWER = 10.0  # seconds that an answer may take


class AmqpError(Exception):
    """The broker refused, or the connection is lost. `code` is the reply code (0: the connection)."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class Channel:
    """One channel. Calls are answered in order; an error closes the channel, not the connection."""

    def __init__(self, wire: Wire, number: int) -> None:
        self.wire = wire
        self.number = number
        self.closed: AmqpError | None = None
        self.on_delivery: Callable[[int, bool, bytes, bytes], None] | None = None  # tag, redelivered, header, body
        self.on_confirm: Callable[[int, bool, bool], None] | None = None  # tag, multiple, accepted
        self.on_return: Callable[[bytes], None] | None = None  # header
        self.on_closed: Callable[[AmqpError], None] | None = None  # closed by the broker, or consumer cancelled by it
        self._calls: deque[asyncio.Future[pamqp.base.Frame]] = deque()
        self._content = b""  # method frame whose header and body come next
        self._header = b""
        self._body: list[bytes] = []
        self._missing = 0

    async def call(self, method: pamqp.base.Frame) -> pamqp.base.Frame:
        """Send and wait for the answer; AmqpError when the channel is closed instead.

        A broker that recovers its queues may forget to answer: after `ANSWER` seconds the connection is given up. One that
        has blocked this connection (out of memory or disk) answers when it can.
        """
        if self.closed is not None:
            raise self.closed
        answer: asyncio.Future[pamqp.base.Frame] = asyncio.get_running_loop().create_future()
        self._calls.append(answer)
        self.wire.send(self.number, method)
        while not (await asyncio.wait([answer], timeout=ANSWER))[0]:
            if not self.wire.blocked:
                self.wire.abort(f"no answer to {method.name}")
        return answer.result()

    async def close(self) -> None:
        """Close it; what is not acknowledged goes back to its queue."""
        if self.closed is None:
            await self.call(commands.Channel.Close(200, "", 0, 0))
            self.fail(AmqpError("closed"))

    def fail(self, error: AmqpError) -> None:
        self.closed = error
        self.wire.channels.pop(self.number, None)
        while self._calls:
            answer = self._calls.popleft()
            if not answer.done():
                answer.set_exception(error)

    def receive(self, frame: frames.Frame) -> None:
        payload = frame.payload
        if frame.kind == frames.BODY:
            self._body.append(payload)
            self._missing -= len(payload)
            if not self._missing:
                self._content_complete()
        elif frame.kind == frames.HEADER:
            self._header = payload
            self._missing = frames.body_size(payload)
            if not self._missing:
                self._content_complete()
        else:
            self._method(frame)

    def _method(self, frame: frames.Frame) -> None:
        kind = frames.method_id(frame.payload)
        if kind in (frames.DELIVER, frames.RETURN):
            self._content = frame.payload
        elif kind in (frames.ACK, frames.NACK):
            if self.on_confirm is not None:
                self.on_confirm(*frames.read_confirm(frame.payload), kind == frames.ACK)
        else:
            self._answer(pamqp.frame.unmarshal(frame.whole)[2])

    def _answer(self, method: object) -> None:
        if isinstance(method, commands.Channel.Close):
            self.wire.send(self.number, commands.Channel.CloseOk())
            self._closed_by_broker(AmqpError(method.reply_text, method.reply_code or 0))
        elif isinstance(method, commands.Basic.Cancel):
            self.wire.send(self.number, commands.Channel.Close(200, "", 0, 0))
            self._closed_by_broker(AmqpError("the consumer was cancelled: its queue is gone", 404))
        elif isinstance(method, pamqp.base.Frame) and self._calls:
            answer = self._calls.popleft()
            if not answer.done():
                answer.set_result(method)

    def _closed_by_broker(self, error: AmqpError) -> None:
        self.fail(error)
        if self.on_closed is not None:
            self.on_closed(error)

    def _content_complete(self) -> None:
        chunks, self._body = self._body, []
        if frames.method_id(self._content) == frames.RETURN:
            if self.on_return is not None:
                self.on_return(self._header)
        elif self.on_delivery is not None:
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self.on_delivery(*frames.read_deliver(self._content), self._header, body)
