"""What the kinds of MQTT sessions (spec 09, 2) make of topics, as data. The log-in tells the kind; so far there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from vpin_protocol import Command, hardware_frame
from vpin_protocol.mqtt import ReasonCode

TOPIC = "hardware"


class Dialect(NamedTuple):
    """How a session of this kind speaks to the owner of its account."""

    name: str
    frame: Callable[[str, int, bytes], bytes | None]
    """(topic, message id, payload) of what the client publishes -> frame for the owner; None: it may not publish there."""
    granted: Callable[[str], ReasonCode]
    """What SUBACK says of a filter."""


def _legacy_frame(topic: str, message_id: int, payload: bytes) -> bytes | None:
    """A write, its parts separated by NULs or blanks (spec 01, 9)."""
    if topic.lower() != TOPIC:
        return None
    return hardware_frame(Command.HARDWARE, message_id, payload.replace(b" ", b"\0"))


def _legacy_granted(filter: str) -> ReasonCode:  # noqa: A002  MQTT's word
    """Nothing is ever sent to such a board (spec 09, 11)."""
    return ReasonCode.UNSPECIFIED_ERROR


LEGACY = Dialect("legacy", _legacy_frame, _legacy_granted)
"""A board that was written for Blynk server 0.41."""
