"""The way of a job: from its delivery to acknowledgement, another attempt, or the dead-letter queue.

Rules: a job stays unacknowledged until its outcome is known, so a crash brings it back. A key is delivered once: while
a job runs, and as long as its key is remembered, the same key is only acknowledged. A first attempt's outcome is told
when the job asks for it. What runs when the connection is lost goes on; the delivery that comes again takes its place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import msgspec
import structlog
from vpin_bus import Consumer, Delivery
from vpin_messages import jobs
from vpin_messages.jobs import Answer, Job

from vpin_notify import metrics
from vpin_notify.providers import Provider, Refused, Unavailable
from vpin_notify.recent import Recent

DELAYS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds before the second, third, … attempt; after the last one a job is given up."""

REMEMBERED = 10_000  # keys of delivered jobs

log = structlog.get_logger("vpin.notify")


class _Run:
    """A job that is being delivered. `tag` is 0 while its delivery is void."""

    __slots__ = ("begun", "job", "tag", "task")

    def __init__(self, job: Job, tag: int) -> None:
        self.job = job
        self.tag = tag
        self.begun = False
        self.task: asyncio.Task[None] | None = None


class Courier:
    """Runs jobs through `providers` (by channel); `report` is told the outcome of first attempts with an answer."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        report: Callable[[Answer, bool], None],
        *,
        delays: tuple[float, ...] = DELAYS,
    ) -> None:
        self._providers = providers
        self._slots = {channel: asyncio.Semaphore(provider.concurrency) for channel, provider in providers.items()}
        self._report = report
        self._delays = delays
        self._recent = Recent(REMEMBERED)
        self._runs: dict[str, _Run] = {}  # by key
        self._stopping = False
        self.consumer: Consumer | None = None  # set before the first delivery
        self.bury = True  # whether given-up jobs go to the dead-letter queue: nobody may ever empty it

    @property
    def running(self) -> int:
        """Jobs that wait for their provider or are being delivered."""
        return len(self._runs)

    def take(self, delivery: Delivery) -> None:
        """Begin a job (the bus's callback)."""
        if self._stopping or self.consumer is None:
            return
        try:
            job = jobs.decode(delivery.body)
        except msgspec.MsgspecError as error:
            log.error("notify.unreadable", error=str(error))
            metrics.DEAD.labels("unknown").inc()
            self.consumer.reject(delivery.tag)
            return
        run = self._runs.get(job.key)
        if run is not None and not run.tag:
            run.tag = delivery.tag
        elif run is not None or job.key in self._recent:
            metrics.REPEATED.labels(job.channel).inc()
            self.consumer.ack_one(delivery.tag)
        else:
            run = self._runs[job.key] = _Run(job, delivery.tag)
            run.task = asyncio.create_task(self._run(run), name="notification")

    def reset(self) -> None:
        """The connection was lost: what runs goes on, its delivery will come again."""
        for run in self._runs.values():
            run.tag = 0

    async def stop(self, seconds: float) -> None:
        """Take nothing new, finish what has begun, at most for so long. The rest stays unacknowledged."""
        self._stopping = True
        begun: list[asyncio.Task[None]] = []
        rest: list[asyncio.Task[None]] = []
        for run in self._runs.values():
            if run.task is not None:
                (begun if run.begun else rest).append(run.task)
        for task in rest:
            task.cancel()
        if begun:
            _, late = await asyncio.wait(begun, timeout=seconds)
            for task in late:
                task.cancel()
        await asyncio.gather(*begun, *rest, return_exceptions=True)

    async def _run(self, run: _Run) -> None:
        job, started = run.job, time.perf_counter()
        try:
            await self._deliver(run)
        except Refused as refusal:
            self._failed(run, str(refusal), None)
        except Unavailable as refusal:
            self._failed(run, str(refusal), job.to if refusal.to is None else refusal.to)
        except Exception:
            log.exception("notify.provider_failed", channel=job.channel, key=job.key)
            self._failed(run, "the provider has a fault", job.to)
        else:
            self._delivered(run, time.perf_counter() - started)
        finally:
            del self._runs[job.key]

    async def _deliver(self, run: _Run) -> None:
        provider = self._providers.get(run.job.channel)
        if provider is None:
            raise Refused("this channel has no provider")
        async with self._slots[run.job.channel]:
            run.begun = True
            await provider.deliver(run.job)

    def _delivered(self, run: _Run, seconds: float) -> None:
        job = run.job
        self._recent.add(job.key)
        self._tell(job, True)
        metrics.DELIVERED.labels(job.channel).inc()
        log.info("notify.delivered", **_facts(job), seconds=round(seconds, 3))
        if run.tag and self.consumer is not None:
            self.consumer.ack_one(run.tag)

    def _failed(self, run: _Run, reason: str, to: list[str] | None) -> None:
        """Try again later for the receivers in `to`, or give up: for good (None), or since it was the last attempt."""
        job = run.job
        self._tell(job, False)
        metrics.FAILED.labels(job.channel).inc()
        if not run.tag or self.consumer is None:
            log.warning("notify.failed", **_facts(job), reason=reason)
        elif to is not None and job.attempt < len(self._delays):
            delay = self._delays[job.attempt]
            again = msgspec.structs.replace(job, to=to, attempt=job.attempt + 1, answer=None)
            log.warning("notify.again_later", **_facts(job), reason=reason, seconds=delay)
            metrics.RETRIED.labels(job.channel).inc()
            self.consumer.retry(run.tag, jobs.encode(again), delay)
        else:
            log.error("notify.given_up", **_facts(job), reason=reason)
            metrics.DEAD.labels(job.channel).inc()
            if self.bury:
                self.consumer.reject(run.tag)
            else:
                self.consumer.ack_one(run.tag)

    def _tell(self, job: Job, delivered: bool) -> None:
        if job.answer is not None:
            self._report(job.answer, delivered)


def _facts(job: Job) -> dict[str, str | int]:
    """What a log line tells of a job: neither receivers nor content."""
    return {"channel": job.channel, "key": job.key, "account": job.account, "attempt": job.attempt + 1}
