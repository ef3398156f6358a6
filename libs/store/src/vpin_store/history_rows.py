"""Rows of the tables of history, which only :mod:`vpin_store.history` and its drivers read and write.

What they exchange with others (a stream's key, points, rollups) is in :mod:`vpin_store.rows`.
"""

from __future__ import annotations

from typing import NamedTuple


class StreamRow(NamedTuple):
    id: int  # given by the database, never again
    account_id: int
    dash_id: int
    device_id: int
    pin_type: int
    pin: int


class DroppedStreamRow(NamedTuple):
    id: int
    dropped_at: int


class PassingRow(NamedTuple):
    """A point on its way into the rollups."""

    shard: int
    seq: int  # ascends in the order of arrival within a shard: batch and position in it
    stream_id: int
    at: int
    value: float


class RawRow(NamedTuple):
    day: int  # of arrival, since 1970
    stream_id: int
    at: int
    value: float


class RollupRow(NamedTuple):
    stream_id: int
    period: int  # minutes, hours or days since 1970
    count: int  # type: ignore[reportIncompatibleMethodOverride]  nobody counts in a row
    total: float
    least: float
    greatest: float
    last: float
    last_at: int  # of the point that is `last`; 0: not known


class HistoryCommitRow(NamedTuple):
    shard: int
    id: bytes  # `Changes.id`
    batch: int


class HistoryRolledRow(NamedTuple):
    shard: int
    batch: int
