"""Wiring and life cycle of the notify service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog
from vpin_bus import Bus, Consumer
from vpin_messages.queues import NOTIFY, NOTIFY_DEAD
from vpin_runtime.metrics import gauge
from vpin_runtime.settings import Settings

from vpin_notify.apprise import AppriseProvider
from vpin_notify.courier import DELAYS, Courier
from vpin_notify.mail import MailProvider
from vpin_notify.providers import Provider
from vpin_notify.push import PushProvider
from vpin_notify.results import Results
from vpin_notify.sms import SmsProvider
from vpin_notify.tweet import TweetProvider

PREFETCH = 100  # jobs that are delivered or wait for their provider here
FINISH = 4.0  # seconds for what is being delivered when the service stops
DEPTH = 10.0  # seconds between two looks at the queues' depths
DEAD_LIMIT = 1000  # jobs in the dead-letter queue from which on given-up jobs are dropped

log = structlog.get_logger("vpin.notify")


class NotifyService:
    """Consumes the notification jobs. `bus` is open, and stays so."""

    name = "notify"

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        *,
        providers: Mapping[str, Provider] | None = None,
        delays: tuple[float, ...] = DELAYS,
    ) -> None:
        self._bus = bus
        self._results = Results(bus, settings.shards)
        self._providers = dict(providers) if providers is not None else self._all(settings)
        self._courier = Courier(self._providers, self._results.tell, delays=delays)
        self._consumer: Consumer | None = None
        self._clock: asyncio.Task[None] | None = None
        self._depth = 0
        self._dead = 0
        if providers is None and not settings.smtp_host:
            log.warning("notify.no_mail_server", advice="set VPIN_SMTP_HOST: until then mails fail")

    def _all(self, settings: Settings) -> dict[str, Provider]:
        """A provider for each channel."""
        push = PushProvider(settings, self._results.forget_phone)
        return {
            "mail": MailProvider(settings),
            "sms": SmsProvider(settings),
            "push": push,
            "tweet": TweetProvider(settings),
            "apprise": AppriseProvider(settings),
        }

    async def start(self) -> None:
        courier = self._courier
        gauge("vpin_notify_queue_depth", "Jobs that wait in the queue.", lambda: self._depth)
        gauge("vpin_notify_dead_letters", "Jobs in the dead-letter queue.", lambda: self._dead)
        gauge("vpin_notify_running", "Jobs in delivery, or waiting here for their provider.", lambda: courier.running)
        self._consumer = courier.consumer = await self._bus.consume(
            NOTIFY, courier.take, prefetch=PREFETCH, on_reset=courier.reset
        )
        self._clock = asyncio.create_task(self._watch(), name="notify depth")

    async def stop(self) -> None:
        """Finish what is being delivered; the rest goes back to the queue."""
        await self._courier.stop(FINISH)
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)
        if self._consumer is not None:
            await self._consumer.cancel()
        await self._results.close()
        for provider in self._providers.values():
            await provider.close()

    def checks(self) -> dict[str, bool]:
        return {"consuming": self._consumer is not None, "bus": self._bus.ready}

    async def _watch(self) -> None:
        while True:
            self._depth = await self._bus.depth(NOTIFY)
            self._dead = await self._bus.depth(NOTIFY_DEAD)
            self._courier.bury = self._dead < DEAD_LIMIT
            await asyncio.sleep(DEPTH)
