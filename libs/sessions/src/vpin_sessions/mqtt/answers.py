"""Answers that a client of MQTT waits for and the owner of its account has to allow, oldest first.

Behind what a client sent goes a *fence*: a frame that the owner answers with 200 once all before it is applied (PING) or
committed (SETTLE). Fences are answered in order, so an answer allows all that were asked for before it, too: one that got
lost with its owner holds nobody up, one that comes twice does nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from vpin_protocol.mqtt import ReasonCode

NUMBERS = 0xFFFE
"""Fences are numbered 1…65534; 65535 is the log-in's."""

Encoder = Callable[[int, int, ReasonCode], bytes]
"""(version, packet id, reason) -> packet."""


@dataclass(slots=True)
class Answer:
    """One packet to be sent when its fence is reached. `due`: loop time by when that has to be."""

    fence: int
    encode: Encoder
    packet_id: int
    due: float
    reason: ReasonCode = ReasonCode.SUCCESS


class Answers:
    """Those of one session. It must not have more than `NUMBERS` of them."""

    __slots__ = ("_last", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[Answer] = deque()
        self._last = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def due(self) -> float:
        """By when the owner has to say something; inf: nothing is expected of it."""
        return self._waiting[0].due if self._waiting else inf

    def add(self, encode: Encoder, packet_id: int, reason: ReasonCode, due: float) -> int:
        """One more; returns the number of its fence."""
        self._last = self._last % NUMBERS + 1
        self._waiting.append(Answer(self._last, encode, packet_id, due, reason))
        return self._last

    def reached(self, fence: int) -> list[Answer]:
        """What may be sent now: all up to this fence. Nothing where it was reached before."""
        if not any(answer.fence == fence for answer in self._waiting):
            return []
        allowed: list[Answer] = []
        while not allowed or allowed[-1].fence != fence:
            allowed.append(self._waiting.popleft())
        return allowed

    def refuse(self, packet_id: int, reason: ReasonCode) -> None:
        """The owner made nothing of what was published with this id: it says so before it reaches the fence behind it."""
        if self._waiting and self._waiting[0].packet_id == packet_id:
            self._waiting[0].reason = reason
