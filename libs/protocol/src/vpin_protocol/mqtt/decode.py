"""Bytes of a client to packets: one incremental decoder per connection.

Whatever bytes arrive, it yields packets or raises MqttError, nothing else, and the same however the bytes are cut.

The first byte of a packet says whether the packet may come at all: each protocol level has a *gate*, 256 bytes that
hold the reason against each first byte, 0 for none. Before CONNECT nothing else may come, after it no second one. So
nobody makes the server wait for the rest of what it will refuse; the size is refused on the header too.
"""

from __future__ import annotations

from vpin_protocol.mqtt.bodies import BODIES, connect, protocol, publish
from vpin_protocol.mqtt.packets import MQTT_3_1_1, MQTT_5, Connect, Disconnect, Packet
from vpin_protocol.mqtt.reasons import MqttError, ReasonCode
from vpin_protocol.mqtt.wire import Reader, malformed, violation

_BRIDGE = 0x80
"""A bridge of Mosquitto marks its level with this bit, and tries again without it when it hears CONNACK 1."""


def _gate(legal: bytes, forbidden: bytes) -> bytes:
    """PROTOCOL_ERROR for whole packets that exist but may not come, MALFORMED_PACKET for what does not exist."""
    gate = bytearray([ReasonCode.MALFORMED_PACKET]) * 256
    for first in forbidden:
        gate[first] = ReasonCode.PROTOCOL_ERROR
    for first in legal:
        gate[first] = 0
    return bytes(gate)


_CONNECT = b"\x10"
_CONNECTED = b"\x30\x31\x32\x33\x34\x35\x3a\x3b\x3c\x3d\x40\x50\x62\x70\x82\xa2\xc0\xe0"
"""PUBLISH comes in ten forms: no QoS 3, no DUP with QoS 0."""
_REPEATED = b"\x6a\x8a\xaa"
"""MQTT 3.1 sets DUP when it sends PUBREL, SUBSCRIBE and UNSUBSCRIBE again."""
_OF_SERVERS = b"\x20\x90\xb0\xd0"
_AUTH = b"\xf0"
"""Without extended authentication in CONNECT there is nothing to go on with."""

_BEFORE_CONNECT = _gate(_CONNECT, bytes(range(256)))
_GATES = {
    3: _gate(_CONNECTED + _REPEATED, _CONNECT + _OF_SERVERS),
    4: _gate(_CONNECTED, _CONNECT + _OF_SERVERS),
    5: _gate(_CONNECTED, _CONNECT + _OF_SERVERS + _AUTH),
}


class Decoder:
    """``limit`` is the size of the largest packet that is accepted, in bytes, header included. It may be set at any
    time and counts from the next ``feed``, also for a packet that has come in part.

    ``version`` is None until CONNECT tells it; it is known as soon as the level is, so that a faulty CONNECT is
    answered in its own version, and one of an unknown level in the one that its sender may understand.
    """

    __slots__ = ("_expires", "_fault", "_gate", "_need", "_over", "_pending", "limit", "version")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.version: int | None = None
        self._gate = _BEFORE_CONNECT
        self._expires = False
        self._pending = bytearray()
        self._need = 0
        self._over = False
        self._fault: MqttError | None = None

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that are whole now. MqttError ends the stream: every later call raises it too."""
        if self._fault is not None:
            raise MqttError(self._fault.reason, str(self._fault))
        pending = self._pending
        if pending:
            pending += data
            if len(pending) < self._need <= self.limit:
                return []
            data = bytes(pending)
            pending.clear()
        packets: list[Packet] = []
        at, end = 0, len(data)
        try:
            while at < end and not self._over:
                first = data[at]
                if self._gate[first]:
                    raise MqttError(ReasonCode(self._gate[first]), f"a packet that begins with 0x{first:02x}")
                if at + 1 < end and data[at + 1] < 0x80:
                    body, size = at + 2, data[at + 1] + 2
                else:
                    body, size = _header(data, at)
                if size > self.limit:
                    raise MqttError(ReasonCode.PACKET_TOO_LARGE, f"a packet of more than {self.limit} bytes")
                stop = at + size
                if stop > end:
                    pending += memoryview(data)[at:]
                    self._need = size
                    break
                packet = (
                    publish(first, data, body, stop, self.version)
                    if first >> 4 == 3
                    else self._other(first >> 4, Reader(data, body, stop))
                )
                if body > at + 2 and data[body - 1] == 0 and self.version == MQTT_5:
                    raise malformed("a remaining length of more bytes than it needs")
                packets.append(packet)
                at = stop
        except MqttError as fault:
            fault.packets = tuple(packets)
            self._fault = fault
            raise
        return packets

    def _other(self, type_: int, reader: Reader) -> Packet:
        if type_ == 1:
            return self._connect(reader)
        packet = BODIES[type_](reader, self.version)
        if isinstance(packet, Disconnect):
            if packet.properties.session_expiry_interval and not self._expires:
                raise violation("a session that was to end with its connection shall live on")
            self._over = True
        return packet

    def _connect(self, reader: Reader) -> Connect:
        level, served = protocol(reader)
        self.version = MQTT_5 if level & ~_BRIDGE >= MQTT_5 else MQTT_3_1_1
        if not served:
            raise MqttError(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, f"protocol level {level}")
        packet = connect(reader, self.version)
        self._gate = _GATES[level]
        self._expires = bool(packet.properties.session_expiry_interval)
        return packet


def _header(data: bytes, at: int) -> tuple[int, int]:
    """Where the body begins, and the size of the packet: more than there is when the header itself is cut."""
    length = shift = 0
    for position in range(at + 1, at + 5):
        if position == len(data):
            return position, position - at + 1
        byte = data[position]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return position + 1, position + 1 - at + length
        shift += 7
    raise malformed("a remaining length of more than 4 bytes")
