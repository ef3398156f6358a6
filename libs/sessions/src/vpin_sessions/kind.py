"""The three kinds of clients as data: framing, what may come before the log-in, how to answer."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from vpin_messages.slab import Side
from vpin_protocol import (
    APP_HEADER,
    BEFORE_LOGIN,
    HARDWARE_HEADER,
    Admission,
    Framing,
    app_response,
    hardware_response,
    scan_app,
    scan_hardware,
)


class Kind(NamedTuple):
    """How a session reads its stream."""

    side: Side
    header: struct.Struct  # of the frames in up and down entries
    scan: Callable[[bytes], tuple[int, int]]  # (end of the last whole frame, number of whole frames)
    admitted: Mapping[int, Admission]  # commands before the log-in
    response: Callable[[int, int], bytes]  # (message id, status)


HARDWARE = Kind(Side.HARDWARE, HARDWARE_HEADER, scan_hardware, BEFORE_LOGIN[Framing.HARDWARE], hardware_response)
APP = Kind(Side.APP, APP_HEADER, scan_app, BEFORE_LOGIN[Framing.APP], app_response)
WEB = Kind(Side.WEB, APP_HEADER, scan_app, BEFORE_LOGIN[Framing.WEB], app_response)
"""Browsers: inside vpin their frames have the app framing, since the web framing has no length and cannot be joined."""
MQTT = Kind(Side.MQTT, HARDWARE_HEADER, scan_hardware, {}, hardware_response)
"""The framing is that inside vpin; the client's stream is :mod:`vpin_sessions.mqtt`'s."""
