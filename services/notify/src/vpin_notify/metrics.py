"""Metrics of the notify service, by channel."""

from __future__ import annotations

from prometheus_client import Counter

DELIVERED = Counter("vpin_notify_delivered_total", "Jobs that the outer service has taken.", ["channel"])
FAILED = Counter("vpin_notify_failed_total", "Attempts that did not succeed.", ["channel"])
RETRIED = Counter("vpin_notify_retried_total", "Jobs put back to be tried again later.", ["channel"])
DEAD = Counter("vpin_notify_dead_total", "Jobs given up.", ["channel"])
REPEATED = Counter("vpin_notify_repeated_total", "Jobs that came again and were known.", ["channel"])
