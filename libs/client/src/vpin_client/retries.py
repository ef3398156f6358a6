"""Which requests may be sent again, and when; no IO."""

from __future__ import annotations

import random
from enum import Enum, auto

import httpx

from vpin_client.errors import BusyError, TooManyRequestsError, UnreachableError, VpinError

FIRST_SECONDS = 0.25
MOST_SECONDS = 5.0
"""Longest wait before a request is sent again: who is told to wait longer gets the exception."""

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""The server has not seen the request."""


class Repeat(Enum):
    """When a request may be sent again."""

    NEVER = auto()
    UNDONE = auto()  # it was not done for sure: the server was not reached, or said that it is busy
    ALWAYS = auto()  # it may be done twice: also after the connection was lost before the answer


class Attempts:
    """The attempts at one request; `pause` says what to do after a failure."""

    def __init__(self, repeat: Repeat, retries: int) -> None:
        self.repeat = repeat
        self.made = 0
        self._left = 0 if repeat is Repeat.NEVER else retries

    def pause(self, error: VpinError, *, sent: bool) -> float:
        """Seconds until the next attempt; raises `error` where there is none. `sent`: the server may have seen it."""
        undone = isinstance(error, (BusyError, TooManyRequestsError)) or not sent
        again = undone or (isinstance(error, UnreachableError) and self.repeat is Repeat.ALWAYS)
        wanted = getattr(error, "retry_after", 0.0)
        if not again or not self._left or wanted > MOST_SECONDS:
            raise error
        self._left -= 1
        self.made += 1
        return max(wanted, FIRST_SECONDS * 2 ** (self.made - 1) * random.uniform(0.5, 1.5))  # noqa: S311  no secret
