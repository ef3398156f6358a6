"""One AMQP connection: the handshake, its channels, the heartbeat, its end.

It knows nothing of reconnecting: when it is lost, it is lost for good (:attr:`Wire.lost`) and :mod:`vpin_bus.amqp.link`
makes another. A fault in a callback is reported to the loop and does not cost the connection.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TypeVar, cast
from urllib.parse import parse_qs, unquote, urlsplit

import pamqp.base
import pamqp.frame
import structlog
from pamqp import commands
from pamqp.common import FieldTable
from pamqp.exceptions import PAMQPException

from vpin_bus.amqp import frames
from vpin_bus.amqp.channel import AmqpError, Channel

log = structlog.get_logger(__name__)

T = TypeVar("T")

HEARTBEAT = 10  # seconds; a peer that is silent for twice as long is gone
HANDSHAKE = 10.0
FRAME_MAX = 131_072


class Wire(asyncio.Protocol):
    """Made by :func:`connect`. :attr:`lost` gets the reason when the connection ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.channels: dict[int, Channel] = {}
        self.lost: asyncio.Future[AmqpError] = loop.create_future()
        self.frame_max = FRAME_MAX
        self.blocked = False
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._control: asyncio.Queue[object] = asyncio.Queue()  # methods on channel 0 that answer the handshake
        self._rest = b""
        self._heard = loop.time()
        self._clock: asyncio.TimerHandle | None = None
        self._next_channel = 1

    async def open_channel(self) -> Channel:
        """AmqpError when the connection is lost."""
        if self.lost.done():
            raise self.lost.result()
        number = self._next_channel
        while number in self.channels:
            number = number % 2047 + 1
        self._next_channel = number % 2047 + 1
        channel = self.channels[number] = Channel(self, number)
        await channel.call(commands.Channel.Open())
        return channel

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def send(self, channel: int, method: pamqp.base.Frame) -> None:
        self.write(pamqp.frame.marshal(method, channel))

    async def handshake(self, user: str, password: str, vhost: str, name: str) -> None:
        """AmqpError when the broker does not want us."""
        self.write(b"AMQP\x00\x00\x09\x01")
        await self._expect(commands.Connection.Start)
        capabilities: FieldTable = {
            "publisher_confirms": True,
            "basic.nack": True,
            "consumer_cancel_notify": True,
            "connection.blocked": True,
            "authentication_failure_close": True,
        }
        properties: FieldTable = {"product": "vpin", "connection_name": name, "capabilities": capabilities}
        self.send(0, commands.Connection.StartOk(properties, "PLAIN", f"\0{user}\0{password}"))
        tune = await self._expect(commands.Connection.Tune)
        self.frame_max = min(tune.frame_max or FRAME_MAX, FRAME_MAX)
        self.send(0, commands.Connection.TuneOk(tune.channel_max or 2047, self.frame_max, HEARTBEAT))
        self.send(0, commands.Connection.Open(vhost))
        await self._expect(commands.Connection.OpenOk)
        self._tick()

    async def close(self) -> None:
        """Say goodbye; never fails."""
        if not self.lost.done():
            self.send(0, commands.Connection.Close(200, "", 0, 0))
            await asyncio.wait([self.lost], timeout=2.0)
        self.abort("closed")

    def abort(self, reason: str) -> None:
        self._lose(AmqpError(reason))
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(AmqpError(str(exc) if exc else "the broker closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        if self._rest:
            data = self._rest + data
        try:
            for frame in frames.split(data):
                if isinstance(frame, int):
                    self._rest = data[frame:]
                elif frame.channel:
                    channel = self.channels.get(frame.channel)
                    if channel is not None:
                        self._hand(channel, frame)
                elif frame.kind == frames.METHOD:
                    self._manage(pamqp.frame.unmarshal(frame.whole)[2])
        except (frames.FrameError, PAMQPException) as error:
            self.abort(f"malformed frame: {error}")

    def _hand(self, channel: Channel, frame: frames.Frame) -> None:
        try:
            channel.receive(frame)
        except (frames.FrameError, PAMQPException):
            raise
        except Exception as error:  # noqa: BLE001  a callback's fault is reported, and not the connection's end
            self._loop.call_exception_handler({"message": "fault in a callback of the bus", "exception": error})

    def _manage(self, method: object) -> None:
        if isinstance(method, commands.Connection.Close):
            self.send(0, commands.Connection.CloseOk())
            error = AmqpError(method.reply_text, method.reply_code or 0)
            self._lose(error)
            self._control.put_nowait(error)
            if self._transport is not None:
                self._transport.close()
        elif isinstance(method, commands.Connection.Blocked):
            self.blocked = True
            log.warning("bus.blocked", reason=method.reason)
        elif isinstance(method, commands.Connection.Unblocked):
            self.blocked = False
            log.info("bus.unblocked")
        elif isinstance(method, commands.Connection.CloseOk):
            self._lose(AmqpError("closed"))
        else:
            self._control.put_nowait(method)

    async def _expect(self, kind: type[T]) -> T:
        method = await self._control.get()
        if isinstance(method, AmqpError):
            raise method
        if not isinstance(method, kind):
            raise AmqpError(f"the broker sent {method!r} during the handshake")
        return method

    def _tick(self) -> None:
        if self._loop.time() - self._heard > 2.5 * HEARTBEAT:
            self.abort("no heartbeat from the broker")
            return
        self.write(frames.HEARTBEAT_FRAME)
        self._clock = self._loop.call_later(HEARTBEAT / 2, self._tick)

    def _lose(self, error: AmqpError) -> None:
        if self._clock is not None:
            self._clock.cancel()
        if self.lost.done():
            return
        self.lost.set_result(error)
        self._control.put_nowait(error)
        for channel in list(self.channels.values()):
            channel.fail(error)


async def connect(url: str, name: str) -> Wire:
    """A connection that is ready for channels. OSError, TimeoutError or AmqpError when it cannot be had."""
    parts = urlsplit(url)
    context = _tls(parse_qs(parts.query)) if parts.scheme == "amqps" else None
    port = parts.port or (5672 if context is None else 5671)
    vhost = unquote(parts.path[1:]) if len(parts.path) > 1 else "/"
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(HANDSHAKE):
        _, wire = await loop.create_connection(lambda: Wire(loop), parts.hostname or "localhost", port, ssl=context)
        try:
            await wire.handshake(unquote(parts.username or "guest"), unquote(parts.password or "guest"), vhost, name)
        except BaseException:
            wire.abort("the handshake failed")
            raise
    return wire


def _tls(query: dict[str, list[str]]) -> ssl.SSLContext:
    """Options of an amqps URL: ``cafile`` (to trust), ``certfile`` and ``keyfile`` (to show)."""
    context = ssl.create_default_context(cafile=query["cafile"][0] if "cafile" in query else None)
    if "certfile" in query:
        context.load_cert_chain(query["certfile"][0], query["keyfile"][0] if "keyfile" in query else None)
    return context
