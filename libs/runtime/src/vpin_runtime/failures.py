"""Failed attempts of the last minute, by any key; bounded. No IO, no clock."""

from __future__ import annotations

from collections import deque

MOST = 10
SECONDS = 60.0
KEPT = 10_000


class Failures:
    """`most` of them in `SECONDS` are too many. `now` is in seconds that never go back."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._times: dict[str, deque[float]] = {}

    def wait(self, keys: list[str], now: float) -> float:
        """Seconds until another attempt may be made; 0: now."""
        return max(self._wait(key, now) for key in keys)

    def add(self, keys: list[str], now: float) -> None:
        """An attempt has failed."""
        for key in keys:
            times = self._times.pop(key, None) or deque(maxlen=self._most)
            times.append(now)
            self._times[key] = times
            if len(self._times) > KEPT:
                del self._times[next(iter(self._times))]

    def are_many(self, key: str, now: float) -> bool:
        """Whether there were too many in the last minute, for those who lock nobody out."""
        times = self._times.get(key)
        return times is not None and len(times) == self._most and now - times[0] <= SECONDS

    def _wait(self, key: str, now: float) -> float:
        times = self._times.get(key)
        if times is None or len(times) < self._most:
            return 0.0
        return max(0.0, times[0] + SECONDS - now)
