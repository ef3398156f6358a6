"""Metrics without cost on the hot way: services count in plain integers, and these are read when somebody scrapes.

Names are ``vpin_<service>_<what>[_<unit>]``; counters end in ``_total``, times are in seconds, sizes in bytes.
`counter` and `gauge` take a function that returns the value now. The same name and labels again replace the function,
so that a service which is made anew (tests, the embedded run) is what shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client.core import REGISTRY, CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["counter", "gauge"]

Read = Callable[[], float]
Labels = tuple[tuple[str, str], ...]


@dataclass
class _Family:
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    help: str
    reads: dict[Labels, Read] = field(default_factory=dict[Labels, Read])


class _Readings(Collector):
    def __init__(self) -> None:
        self.families: dict[str, _Family] = {}

    def add(self, family: _Family, name: str, read: Read, labels: dict[str, str]) -> None:
        known = self.families.setdefault(name, family)
        if known.kind is not family.kind:
            raise ValueError(f"{name} is already a metric of another kind")
        known.reads[tuple(labels.items())] = read

    def collect(self) -> Iterator[Metric]:
        for name, family in self.families.items():
            metric: CounterMetricFamily | GaugeMetricFamily | None = None
            for labels, read in family.reads.items():
                metric = metric or family.kind(name, family.help, labels=[label for label, _ in labels])
                metric.add_metric([value for _, value in labels], read())
            if metric:
                yield metric

    def describe(self) -> Iterator[Metric]:
        yield from ()


_readings = _Readings()
REGISTRY.register(_readings)


def counter(name: str, text: str, read: Read, **labels: str) -> None:
    """A number that only grows: ``counter("vpin_gateway_hw_frames_total", "Frames read.", lambda: self.frames)``."""
    _readings.add(_Family(CounterMetricFamily, text), name, read, labels)


def gauge(name: str, text: str, read: Read, **labels: str) -> None:
    """A number that goes up and down."""
    _readings.add(_Family(GaugeMetricFamily, text), name, read, labels)
