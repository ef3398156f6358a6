"""What the C++ board libraries put on the wire, byte for byte (spec 01, 10). No IO, no clock.

A :class:`Firmware` makes the frames that one board sends and numbers them as the library does: 1 for the log-in, then
counting up to 65535 and on with 1. Times are seconds of the caller's clock.
"""

from __future__ import annotations

from vpin_protocol import Command, hardware_frame, hardware_response, join

LAST_ID = 65_535
IOT_HEARTBEAT, OLD_HEARTBEAT = 40, 10
BUFFER = 256
PATIENCE = 18
"""Seconds beyond the heartbeat in which nothing came: the library takes the connection for dead."""
TEMPLATE = "TMPLvpinsim0"
UNKNOWN = 2
"""Response to an operation that the firmware does not know."""


class Firmware:
    """One connection's worth of frames. `old`: the library 0.6 of Blynk, else 1.4 of Blynk IoT."""

    def __init__(self, token: str, *, old: bool) -> None:
        self.token = token
        self.old = old
        self.heartbeat = OLD_HEARTBEAT if old else IOT_HEARTBEAT
        self._last_id = 0

    def next_id(self) -> int:
        self._last_id = self._last_id % LAST_ID + 1
        return self._last_id

    def frame(self, command: int, *fields: bytes | str | int) -> bytes:
        return hardware_frame(command, self.next_id(), join(*fields) if fields else b"")

    def log_in(self) -> bytes:
        """Always with id 1."""
        self._last_id = 0
        return self.frame(Command.HARDWARE_LOGIN, self.token)

    def info(self) -> bytes:
        """What the library tells of itself as soon as it is let in."""
        if self.old:
            fields: tuple[str | int, ...] = (
                *("ver", "0.6.1", "h-beat", OLD_HEARTBEAT, "buff-in", BUFFER, "dev", "ESP8266"),
                *("con", "ESP8266", "build", "Nov 21 2026 10:00:00"),
            )
        else:
            fields = (
                *("mcu", "1.0.0", "fw-type", TEMPLATE, "build", "Nov 21 2026 10:00:00", "blynk", "1.4.0"),
                *("h-beat", IOT_HEARTBEAT, "buff-in", BUFFER, "dev", "ESP32", "con", "WiFi", "tmpl", TEMPLATE),
            )
        return self.frame(Command.INTERNAL, *fields)

    def write(self, pin: int, *values: float | str) -> bytes:
        """`virtualWrite`: integers as digits, floats with three decimals."""
        return self.frame(Command.HARDWARE, "vw", pin, *map(text, values))

    def begin_group(self, epoch_ms: int) -> bytes:
        return self.frame(Command.GROUP, "t", epoch_ms)

    def end_group(self) -> bytes:
        return self.frame(Command.GROUP, "e")

    def sync_all(self) -> bytes:
        return self.frame(Command.HARDWARE_SYNC)

    def sync(self, *pins: int) -> bytes:
        return self.frame(Command.HARDWARE_SYNC, "vr", *pins)

    def ping(self) -> bytes:
        return self.frame(Command.PING)

    def answer_read(self, message_id: int, operation: bytes, pin: bytes, value: int) -> bytes:
        """A read (`ar·7`) is answered by a write with the id of the request."""
        return hardware_frame(Command.HARDWARE, message_id, join(operation[:1] + b"w", pin, value))

    def answer_unknown(self, message_id: int) -> bytes:
        return hardware_response(message_id, UNKNOWN)


def text(value: float | str) -> str:
    """How `virtualWrite` prints a value."""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
