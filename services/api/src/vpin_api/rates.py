"""How often one may ask: by session, by device, by address; what a device may do in a day (spec 04, 1.11 and 2.4). No IO.

Each process of the API counts for itself, so that nothing has to be asked for a request; with n of them behind a balancer
somebody may have up to n times as much. Memory is bounded: `KEPT` keys of each kind.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import NamedTuple

from vpin_messages.requests import PinReply
from vpin_runtime.settings import Settings

BURST_SECONDS = 10.0
"""So many seconds' worth of requests may come at once."""
KEPT = 50_000
DAY_SECONDS = 86_400

_ROUNDING = 1e-6  # of sums of floats

TOO_MANY = PinReply(429, b"Too many requests.")


class Rate:
    """`per_second` on average, by any key. What is remembered of a key is when it would be back to nothing."""

    def __init__(self, per_second: float, burst_seconds: float = BURST_SECONDS, kept: int = KEPT) -> None:
        self._step = 1.0 / per_second
        self._burst = burst_seconds
        self._kept = kept
        self._free: dict[Hashable, float] = {}

    def wait(self, key: Hashable, now: float | None = None) -> float:
        """0: go on, it is counted. Else seconds until it may come again."""
        now = time.monotonic() if now is None else now
        free = self._free.get(key, now)
        if free < now:
            free = now
        over = free - now + self._step - self._burst
        if over > _ROUNDING:
            return over
        self._free[key] = free + self._step
        if len(self._free) > self._kept:
            self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        """Those who have asked nothing lately; where that is not enough, the older half."""
        left = {key: free for key, free in self._free.items() if free > now}
        if len(left) > self._kept:
            left = dict(list(left.items())[len(left) // 2 :])
        self._free = left


class Daily:
    """At most `most` a day (UTC), by any key."""

    def __init__(self, most: int, kept: int = KEPT) -> None:
        self._most = most
        self._kept = kept
        self._day = 0
        self._counts: dict[Hashable, int] = {}

    def allows(self, key: Hashable, count: int = 1, now: float | None = None) -> bool:
        """Count so many, unless that would be too many."""
        day = int((time.time() if now is None else now) // DAY_SECONDS)
        if day != self._day:
            self._day, self._counts = day, {}
        found = self._counts.get(key, 0) + count
        if found > self._most:
            return False
        self._counts[key] = found
        if len(self._counts) > self._kept:
            self._counts = dict(list(self._counts.items())[self._kept // 2 :])
        return True


class Rates(NamedTuple):
    """The limits of a process; None: there is none."""

    address: Rate | None = None  # any request but those of the oldest API
    session: Rate | None = None  # /api/v1
    device: Rate | None = None  # /external/api, by token
    updates: Daily | None = None  # of a device there
    points: Daily | None = None
    exports: Daily | None = None
    legacy_updates: Rate | None = None  # by account
    legacy_notices: Rate | None = None  # by device and kind


def rates_of(settings: Settings) -> Rates:
    """What the settings say; 0 is none."""

    def rate(per_second: float, burst_seconds: float = BURST_SECONDS) -> Rate | None:
        return Rate(per_second, burst_seconds) if per_second else None

    def daily(most: int) -> Daily | None:
        return Daily(most) if most else None

    interval = settings.legacy_notify_interval
    return Rates(
        rate(settings.address_rate),
        rate(settings.session_rate),
        rate(settings.device_rate),
        daily(settings.device_updates_per_day),
        daily(settings.device_points_per_day),
        daily(settings.device_exports_per_day),
        rate(settings.legacy_update_rate, 1.0),
        rate(1 / interval, interval) if interval else None,
    )


def address_key(address: str) -> str:
    """An address as it is counted: of IPv6 the network, since who has one address there has them all."""
    return ":".join(address.split(":")[:4]) if ":" in address else address
