"""What a gateway counts: plain integers on the hot path, read by Prometheus when it asks (``vpin_gateway_…``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

GAUGES = {
    "connections": "connections, logged in or not",
    "sessions": "sessions that are logged in",
    "pressure": "shards whose uplink is under pressure: their sessions are not read",
    "blocked": "sessions whose client reads slower than it is written to",
}
COUNTERS = {
    "accepted": "connections accepted by the gateway's own listeners",
    "logins": "sessions opened",
    "frames_in": "whole frames received in sessions",
    "bytes_in": "bytes received",
    "bytes_out": "bytes from owners to clients",
    "refused": "connections closed for a command that needs a log-in",
    "malformed": "connections closed for an unknown command",
    "oversize": "connections closed for a frame that is too large",
    "bad_requests": "HTTP requests refused: no websocket of ours, broken or too large",
    "bad_proxy": "connections closed for a broken PROXY header",
    "quota_dropped": "frames dropped by the message quota",
    "idle_closed": "connections closed for silence",
    "unanswered": "connections closed since no log-in answer came in time",
    "slow_readers": "connections closed since the client did not read",
    "pressures": "times an uplink came under pressure",
    "slabs_repeated": "down slabs that came twice and were dropped",
    "slabs_broken": "down slabs that could not be read",
}


@dataclass(slots=True)
class Tally:
    """One gateway's numbers."""

    connections: int = 0
    sessions: int = 0
    pressure: int = 0
    blocked: int = 0
    accepted: int = 0
    logins: int = 0
    frames_in: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    refused: int = 0
    malformed: int = 0
    oversize: int = 0
    bad_requests: int = 0
    bad_proxy: int = 0
    quota_dropped: int = 0
    idle_closed: int = 0
    unanswered: int = 0
    slow_readers: int = 0
    pressures: int = 0
    slabs_repeated: int = 0
    slabs_broken: int = 0


def new_tally(gateway: str) -> Tally:
    """A fresh tally, shown under the label ``gateway`` in place of an older one of that name."""
    _TALLIES[gateway] = tally = Tally()
    return tally


class _Tallies(Collector):
    def describe(self) -> Iterable[Metric]:
        return self.collect()

    def collect(self) -> Iterable[Metric]:
        for field in fields(Tally):
            name = f"vpin_gateway_{field.name}"
            family = (
                GaugeMetricFamily(name, GAUGES[field.name], labels=["gateway"])
                if field.name in GAUGES
                else CounterMetricFamily(name, COUNTERS[field.name], labels=["gateway"])
            )
            for gateway, tally in _TALLIES.items():
                family.add_metric([gateway], getattr(tally, field.name))
            yield family


_TALLIES: dict[str, Tally] = {}
REGISTRY.register(_Tallies())
