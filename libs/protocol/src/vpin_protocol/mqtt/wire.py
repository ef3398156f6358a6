"""The data types of MQTT (MQTT 5, section 1.5), read and written."""

from __future__ import annotations

import struct

from vpin_protocol.mqtt.reasons import MqttError, ReasonCode

MAX_REMAINING = 268_435_455
"""The largest number that four bytes of a variable length hold."""
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")


class Reader:
    """Reads the body of one packet, ``data[at:stop]``; MqttError (MALFORMED_PACKET) for whatever does not fit in it."""

    __slots__ = ("at", "data", "stop")

    def __init__(self, data: bytes, at: int, stop: int) -> None:
        self.data = data
        self.at = at
        self.stop = stop

    def u8(self) -> int:
        return self.data[self._take(1)]

    def u16(self) -> int:
        value: int = _U16.unpack_from(self.data, self._take(2))[0]
        return value

    def u32(self) -> int:
        value: int = _U32.unpack_from(self.data, self._take(4))[0]
        return value

    def variable(self) -> int:
        """A variable byte integer in its shortest form, as the standard wants it (section 1.5.5)."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if shift and not byte:
                    raise malformed("a variable byte integer is longer than needed")
                return value
        raise malformed("a variable byte integer has more than 4 bytes")

    def binary(self) -> bytes:
        length = self.u16()
        start = self._take(length)
        return self.data[start : start + length]

    def text(self) -> str:
        """UTF-8 without surrogates (Python refuses them) and NUL; other control characters are let through."""
        try:
            text = self.binary().decode()
        except UnicodeDecodeError:
            raise malformed("a string is not UTF-8") from None
        if "\0" in text:
            raise malformed("a string holds NUL")
        return text

    def packet_id(self) -> int:
        packet_id = self.u16()
        if packet_id == 0:
            raise violation("the packet identifier is 0")
        return packet_id

    def rest(self) -> bytes:
        start, self.at = self.at, self.stop
        return self.data[start : self.stop]

    def end(self) -> None:
        if self.at != self.stop:
            raise malformed("bytes are left behind the last field")

    def _take(self, count: int) -> int:
        start = self.at
        if start + count > self.stop:
            raise malformed("the packet ends inside a field")
        self.at = start + count
        return start


def malformed(text: str) -> MqttError:
    return MqttError(ReasonCode.MALFORMED_PACKET, text)


def violation(text: str) -> MqttError:
    return MqttError(ReasonCode.PROTOCOL_ERROR, text)


def variable(value: int) -> bytes:
    """A variable byte integer in its shortest form; ValueError above MAX_REMAINING."""
    if value < 0x80:
        return bytes((value,))
    if value > MAX_REMAINING:
        raise ValueError("too much for a packet of MQTT")
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def unsigned(value: int, size: int) -> bytes:
    """Big endian; ValueError when it does not fit."""
    if not 0 <= value < 1 << 8 * size:
        raise ValueError(f"{value} does not fit in {size} bytes")
    return value.to_bytes(size, "big")


def binary(value: bytes) -> bytes:
    if len(value) > 0xFFFF:
        raise ValueError("too long for a field of MQTT")
    return _U16.pack(len(value)) + value


def text(value: str) -> bytes:
    """A string with its length; ValueError when it is too long, or holds NUL or a lone surrogate."""
    if "\0" in value:
        raise ValueError("a string of MQTT has no NUL")
    return binary(value.encode())
