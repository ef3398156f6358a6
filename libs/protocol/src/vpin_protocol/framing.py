"""What the three framings have in common: headers, limits, the decoded frame, the one error (spec 01, section 1).

    hardware   command u8 · message id u16 · length or status u16 · body
    app        command u8 · message id u16 · length or status u32 · body
    web        command u8 · message id u16 · body = the rest of the websocket message (command 0: status u32)

All integers are big endian. A frame with command 0 has a status in place of the length and never a body.
Whatever bytes arrive, this package yields frames or raises ProtocolError, nothing else.
"""

from __future__ import annotations

import struct
from enum import Enum, IntEnum
from typing import NamedTuple

HARDWARE_HEADER = struct.Struct(">BHH")
APP_HEADER = struct.Struct(">BHI")
WEB_HEADER = struct.Struct(">BH")
WEB_RESPONSE = struct.Struct(">BHI")

COMMANDS = 100
"""Commands are below this; a larger one means that the stream is not ours, and the connection is closed."""
HARDWARE_MAX_BODY = 0xFFFF
"""The range of the length field; all of it is accepted and forwarded."""
APP_MAX_BODY = 10_000_000
"""Checked on the header, so that nobody makes the server buffer gigabytes for one frame."""
WEB_MAX_MESSAGE = 65536
"""Of a browser's message: the limit to configure on the server's side of the websocket."""


class Framing(IntEnum):
    """Which of the three framings; the numbers are those of a session's side."""

    HARDWARE = 0
    APP = 1
    WEB = 2


class Frame(NamedTuple):
    """One decoded message. A response (command 0) has a status and no body."""

    command: int
    message_id: int
    body: bytes = b""
    status: int | None = None


class Reason(Enum):
    UNKNOWN_COMMAND = "command is 100 or more"
    OVERSIZE = "body is larger than allowed"
    TRUNCATED = "data ends inside a frame"


class ProtocolError(Exception):
    """The stream cannot go on: close the connection.

    What stood whole before the broken frame is good: ``end`` is where it ends in the data that was scanned, ``frames``
    how many frames it is, and ``decoded`` these frames, when a decoder raises.
    """

    def __init__(self, reason: Reason, end: int = 0, frames: int = 0, decoded: tuple[Frame, ...] = ()) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.end = end
        self.frames = frames
        self.decoded = decoded
