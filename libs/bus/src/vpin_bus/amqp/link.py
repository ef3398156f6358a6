"""Supervision of one connection: made again for ever, with growing pauses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from vpin_bus.amqp.channel import AmqpError
from vpin_bus.amqp.wire import Wire, connect
from vpin_bus.interface import BusClosedError

FIRST_PAUSE, LAST_PAUSE = 0.1, 2.0

log = structlog.get_logger(__name__)


class Link:
    """Keeps a :class:`Wire` to `url`. `on_up` sets it up (declares, consumes); `on_down` is called when it is lost.

    `on_up` may raise AmqpError: then the connection is made anew. :attr:`wire` is None while there is none, or while it
    is being set up.
    """

    def __init__(
        self, url: str, name: str, on_up: Callable[[Wire], Awaitable[None]], on_down: Callable[[], None]
    ) -> None:
        self.wire: Wire | None = None
        self._url = url
        self._name = name
        self._on_up = on_up
        self._on_down = on_down
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"bus-{self._name}")

    async def up(self) -> Wire:
        """The connection, once there is one; BusClosedError when there will be none."""
        while self.wire is None:
            if self._closing:
                raise BusClosedError("the bus is closed")
            await self._up.wait()
        return self.wire

    async def close(self) -> None:
        if self._task is None:
            return
        self._closing = True
        self._up.set()
        if self.wire is not None:
            await self.wire.close()
        else:
            self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        quiet = False  # one line per outage
        while not self._closing:
            try:
                wire = await connect(self._url, self._name)
            except (OSError, TimeoutError, AmqpError) as error:
                if not quiet:
                    log.warning("bus.unreachable", connection=self._name, reason=str(error) or type(error).__name__)
                quiet = True
            else:
                if await self._serve(wire):
                    pause, quiet = FIRST_PAUSE, False
                if self._closing:
                    return
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  jitter, no secret
            pause = min(pause * 2, LAST_PAUSE)

    async def _serve(self, wire: Wire) -> bool:
        """Until the connection is lost. Whether it was of use."""
        try:
            setting_up = asyncio.ensure_future(self._on_up(wire))
            try:
                await asyncio.wait([setting_up, wire.lost], return_when=asyncio.FIRST_COMPLETED)
                if not setting_up.done():
                    setting_up.cancel()
                    await asyncio.wait([setting_up])
                    raise wire.lost.result()
                setting_up.result()
            finally:
                setting_up.cancel()
            self.wire = wire
            self._up.set()
            log.info("bus.connected", connection=self._name)
            reason = await wire.lost
            if not self._closing:
                log.warning("bus.lost", connection=self._name, reason=str(reason))
            return True
        except AmqpError as error:
            log.warning("bus.setup_failed", connection=self._name, reason=str(error))
            return False
        except Exception:  # a fault of ours: said loudly, and no reason to stop supervising
            log.exception("bus.fault", connection=self._name)
            return False
        finally:
            self.wire = None
            if not self._closing:
                self._up.clear()
            wire.abort("lost")
            self._on_down()
