"""The message quota of one connection: a token bucket of whole frames (spec 01, section 8.1)."""

from __future__ import annotations

import struct
from math import inf

BURST = 10
"""The bucket holds this many seconds' worth of frames: an app that draws a large project asks hundreds of things at once, and
the average over a minute that clients know (spec 02, 1) lets still more pass."""
WARN_EVERY = 60.0
"""Seconds between two answers "quota limit" on one connection; the frames in between are dropped silently."""


class Bucket:
    """Tokens of one connection; times are seconds of one monotonic clock."""

    __slots__ = ("_filled", "_tokens", "_warned")

    def __init__(self, rate: int, now: float) -> None:
        self._tokens = float(rate * BURST)
        self._filled = now
        self._warned = -inf

    def take(self, frames: int, rate: int, now: float) -> int:
        """How many of ``frames`` may pass now; ``rate`` is the quota in frames a second."""
        tokens = self._tokens + (now - self._filled) * rate
        if tokens > rate * BURST:
            tokens = float(rate * BURST)
        self._filled = now
        passed = frames if frames <= tokens else int(tokens)
        self._tokens = tokens - passed
        return passed

    def wait(self, rate: int) -> float:
        """Seconds until a frame may pass that may not now."""
        return (1 - self._tokens) / rate

    def may_warn(self, now: float) -> bool:
        """Whether to tell the client that a frame was dropped; true at most once a minute."""
        if now - self._warned < WARN_EVERY:
            return False
        self._warned = now
        return True


def first_frames(data: bytes, count: int, header: struct.Struct) -> tuple[int, int]:
    """(end of the first ``count`` frames of a chunk of whole frames, message id of the frame after them)."""
    at, size = 0, header.size
    for _ in range(count):
        command, _, length = header.unpack_from(data, at)
        at += size + length if command else size
    return at, header.unpack_from(data, at)[1]
