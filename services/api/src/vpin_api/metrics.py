"""Metrics of the api service, by route template: a token is never a label."""

from __future__ import annotations

import time

from prometheus_client import Counter, Histogram

REQUESTS = Counter("vpin_api_requests_total", "HTTP requests answered.", ["route", "status"])
SECONDS = Histogram(
    "vpin_api_request_seconds",
    "Time from a request's head to its whole answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)

_children: dict[tuple[str, int], tuple[Counter, Histogram]] = {}


def observe(route: str, status: int, started: float) -> None:
    """Count an answered request. `started`: time.perf_counter() at its begin."""
    child = _children.get((route, status))
    if child is None:
        child = _children[route, status] = (REQUESTS.labels(route, str(status)), SECONDS.labels(route))
    child[0].inc()
    child[1].observe(time.perf_counter() - started)
