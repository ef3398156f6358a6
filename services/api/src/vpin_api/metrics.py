"""Metrics of the api service, by route template: a token is never a label.

Counted in plain numbers and made into samples when somebody asks for them: the library's own counters would cost the pin
routes as much as the parsing of their requests.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
"""Upper bounds of the buckets, in seconds; one more is for all the rest."""

_statuses: dict[tuple[str, int], int] = {}
_times: dict[str, list[int]] = {}  # by route: answers in each bucket
_sums: dict[str, float] = {}


def observe(route: str, status: int, started: float) -> None:
    """Count an answered request. `started`: time.perf_counter() at its begin."""
    seconds = time.perf_counter() - started
    key = (route, status)
    try:
        _statuses[key] += 1
    except KeyError:
        _statuses[key] = 1
        if route not in _times:
            _times[route] = [0] * (len(BOUNDS) + 1)
            _sums[route] = 0.0
    _times[route][bisect_left(BOUNDS, seconds)] += 1
    _sums[route] += seconds


class _Requests(Collector):
    def collect(self) -> Iterable[Metric]:
        counts = CounterMetricFamily("vpin_api_requests", "HTTP requests answered.", labels=["route", "status"])
        for (route, status), count in _statuses.items():
            counts.add_metric([route, str(status)], count)
        seconds = HistogramMetricFamily(
            "vpin_api_request_seconds", "Time from a request's head to its whole answer.", labels=["route"]
        )
        for route, buckets in _times.items():
            seconds.add_metric([route], list(_cumulated(buckets)), _sums[route])
        return [counts, seconds]


def _cumulated(buckets: list[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
        total += count
        yield bound, total


REGISTRY.register(_Requests())
