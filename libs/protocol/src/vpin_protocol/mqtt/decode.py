"""Bytes of a client to packets: one incremental decoder per connection.

Whatever bytes arrive, it yields packets or raises MqttError, nothing else, and the same however the bytes are cut.

The first byte of a packet says whether the packet may come at all: each version has a *gate*, 256 bytes that hold the
reason against each first byte, 0 for none. Before CONNECT nothing else may come, after it no second one. So nobody
makes the server wait for the rest of what it will refuse; the size is refused on the header too.
"""

from __future__ import annotations

from collections.abc import Callable

from vpin_protocol.mqtt.packets import (
    MQTT_3_1_1,
    MQTT_5,
    NO_PROPERTIES,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)
from vpin_protocol.mqtt.properties import Carrier, read_properties
from vpin_protocol.mqtt.reasons import MqttError, ReasonCode
from vpin_protocol.mqtt.topics import SHARE, topic_valid
from vpin_protocol.mqtt.wire import Reader, malformed, violation

_PROTOCOLS = {"MQTT": (4, 5), "MQIsdp": (3,)}
_BRIDGE = 0x80
"""A bridge of Mosquitto marks its level with this bit, and tries again without it when it hears CONNACK 1."""

_LEGAL = b"\x30\x31\x32\x33\x34\x35\x3a\x3b\x3c\x3d\x40\x50\x62\x70\x82\xa2\xc0\xe0"
_OF_SERVERS = b"\x10\x20\x90\xb0\xd0"
"""and a second CONNECT."""
_AUTH = b"\xf0"


def _gate(legal: bytes, forbidden: bytes) -> bytes:
    """PROTOCOL_ERROR for whole packets that exist but may not come, MALFORMED_PACKET for what does not exist."""
    gate = bytearray([ReasonCode.MALFORMED_PACKET]) * 256
    for first in forbidden:
        gate[first] = ReasonCode.PROTOCOL_ERROR
    for first in legal:
        gate[first] = 0
    return bytes(gate)


_BEFORE_CONNECT = _gate(b"\x10", bytes(range(256)))
_AFTER_DISCONNECT = bytes(256)
_GATES = {
    3: _gate(_LEGAL + b"\x6a\x8a\xaa", _OF_SERVERS),  # MQTT 3.1 repeats these with DUP
    4: _gate(_LEGAL, _OF_SERVERS),
    5: _gate(_LEGAL, _OF_SERVERS + _AUTH),  # there is no extended authentication here to go on with
}


def _reasons(*codes: int) -> dict[int, ReasonCode]:
    return {code: ReasonCode(code) for code in codes}


_PUBLISHED = _reasons(0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)
_RELEASED = _reasons(0x00, 0x92)
_DISCONNECTED = _reasons(
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99
)  # those that a client may send


class Decoder:
    """``limit`` is the size of the largest packet that is accepted, in bytes, header included; it may be set at any
    time and counts from the next ``feed``, also for a packet that has come in part.

    ``version`` is None until CONNECT tells it; it is known as soon as the level is, so that a faulty CONNECT is
    answered in its own version, and one of an unknown level in the one that its sender may understand.
    """

    __slots__ = ("_expires", "_fault", "_gate", "_need", "_pending", "limit", "version")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.version: int | None = None
        self._gate = _BEFORE_CONNECT
        self._expires = False
        self._pending = bytearray()
        self._need = 0
        self._fault: MqttError | None = None

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that are whole now. MqttError ends the stream: it is raised by every later call too."""
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
            while at < end and self._gate is not _AFTER_DISCONNECT:
                first = data[at]
                if self._gate[first]:
                    raise MqttError(ReasonCode(self._gate[first]), f"a packet that begins with 0x{first:02x}")
                if at + 1 < end and data[at + 1] < 0x80:
                    body, size = at + 2, data[at + 1] + 2
                else:
                    body, size = _header(data, at)
                if size > self.limit:
                    raise MqttError(ReasonCode.PACKET_TOO_LARGE, f"a packet of more than {self.limit} bytes")
                if size > end - at:
                    pending += data[at:]
                    self._need = size
                    break
                stop = at + size
                packet: Packet
                if first >> 4 == 3:
                    packet = self._publish(first, data, body, stop)
                else:
                    packet = _READERS[first >> 4](self, Reader(data, body, stop))
                if body > at + 2 and data[body - 1] == 0 and self.version == MQTT_5:
                    raise malformed("a remaining length with more bytes than it needs")
                packets.append(packet)
                at = stop
        except MqttError as fault:
            fault.packets = tuple(packets)
            self._fault = fault
            raise
        return packets

    def _publish(self, first: int, data: bytes, at: int, stop: int) -> Publish:
        start = at + 2
        if start > stop:
            raise malformed("the packet ends inside a field")
        at = start + (data[at] << 8 | data[at + 1])
        if at > stop:
            raise malformed("the packet ends inside a field")
        try:
            topic = data[start:at].decode()
        except UnicodeDecodeError:
            raise malformed("a string is not UTF-8") from None
        if "\0" in topic:
            raise malformed("a string holds NUL")
        qos = first >> 1 & 3
        packet_id = 0
        if qos:
            if at + 2 > stop:
                raise malformed("the packet ends inside a field")
            packet_id = data[at] << 8 | data[at + 1]
            if packet_id == 0:
                raise violation("the packet identifier is 0")
            at += 2
        properties = NO_PROPERTIES
        if self.version == MQTT_5:
            if at < stop and data[at] == 0:
                at += 1
            else:
                reader = Reader(data, at, stop)
                properties = _publish_properties(reader)
                at = reader.at
        if not topic or "+" in topic or "#" in topic:
            raise MqttError(ReasonCode.TOPIC_NAME_INVALID, "a topic that is empty or has wildcards")
        return Publish(first & 8 != 0, qos, first & 1 != 0, topic, packet_id, properties, data[at:stop])

    def _connect(self, reader: Reader) -> Connect:
        levels = _PROTOCOLS.get(reader.text())
        if levels is None:
            raise violation("a protocol that is not MQTT")
        level = reader.u8()
        self.version = version = MQTT_5 if level & ~_BRIDGE >= 5 else MQTT_3_1_1
        if level not in levels:
            raise MqttError(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, f"protocol level {level}")
        flags = reader.u8()
        has_will, has_username, has_password = flags & 0x04, flags & 0x80, flags & 0x40
        if flags & 0x01 or (flags & 0x38 and not has_will) or flags & 0x18 == 0x18:
            raise malformed("connect flags that contradict each other")
        if has_password and not has_username and version != MQTT_5:
            raise malformed("a password without a user name")
        keep_alive = reader.u16()
        properties = read_properties(reader, Carrier.CONNECT) if version == MQTT_5 else NO_PROPERTIES
        client_id = reader.text()
        will = _will(reader, flags, version) if has_will else None
        username = reader.text() if has_username else None
        password = reader.binary() if has_password else None
        reader.end()
        if properties.authentication_method is not None:
            raise MqttError(ReasonCode.BAD_AUTHENTICATION_METHOD, "extended authentication is not offered")
        if properties.authentication_data is not None:
            raise violation("authentication data without a method")
        self._gate = _GATES[level]
        self._expires = bool(properties.session_expiry_interval)
        return Connect(version, flags & 0x02 != 0, keep_alive, properties, client_id, will, username, password)

    def _puback(self, reader: Reader) -> Puback:
        return Puback(*self._acknowledgement(reader, Carrier.PUBACK, _PUBLISHED))

    def _pubrec(self, reader: Reader) -> Pubrec:
        return Pubrec(*self._acknowledgement(reader, Carrier.PUBREC, _PUBLISHED))

    def _pubrel(self, reader: Reader) -> Pubrel:
        return Pubrel(*self._acknowledgement(reader, Carrier.PUBREL, _RELEASED))

    def _pubcomp(self, reader: Reader) -> Pubcomp:
        return Pubcomp(*self._acknowledgement(reader, Carrier.PUBCOMP, _RELEASED))

    def _acknowledgement(
        self, reader: Reader, carrier: Carrier, reasons: dict[int, ReasonCode]
    ) -> tuple[int, ReasonCode, Properties]:
        packet_id = reader.packet_id()
        reason, properties = self._ending(reader, carrier, reasons)
        return packet_id, reason, properties

    def _disconnect(self, reader: Reader) -> Disconnect:
        reason, properties = self._ending(reader, Carrier.DISCONNECT, _DISCONNECTED)
        if properties.session_expiry_interval and not self._expires:
            raise violation("a session that was to end with its connection is to live on")
        self._gate = _AFTER_DISCONNECT
        return Disconnect(reason, properties)

    def _ending(
        self, reader: Reader, carrier: Carrier, reasons: dict[int, ReasonCode]
    ) -> tuple[ReasonCode, Properties]:
        """Reason and properties of MQTT 5; either may be left out at the end of the packet."""
        reason, properties = ReasonCode.SUCCESS, NO_PROPERTIES
        if self.version == MQTT_5 and reader.at < reader.stop:
            code = reader.u8()
            if code not in reasons:
                raise malformed(f"a reason that {carrier.value} of a client does not have: 0x{code:02x}")
            reason = reasons[code]
            if reader.at < reader.stop:
                properties = read_properties(reader, carrier)
        reader.end()
        return reason, properties

    def _subscribe(self, reader: Reader) -> Subscribe:
        packet_id = reader.packet_id()
        properties = read_properties(reader, Carrier.SUBSCRIBE) if self.version == MQTT_5 else NO_PROPERTIES
        subscriptions: list[Subscription] = []
        while reader.at < reader.stop:
            subscriptions.append(_subscription(reader, self.version == MQTT_5))
        if not subscriptions:
            raise violation("a subscription to nothing")
        return Subscribe(packet_id, properties, tuple(subscriptions))

    def _unsubscribe(self, reader: Reader) -> Unsubscribe:
        packet_id = reader.packet_id()
        properties = read_properties(reader, Carrier.UNSUBSCRIBE) if self.version == MQTT_5 else NO_PROPERTIES
        filters: list[str] = []
        while reader.at < reader.stop:
            filters.append(reader.text())
        if not filters:
            raise violation("an unsubscription from nothing")
        return Unsubscribe(packet_id, properties, tuple(filters))

    def _pingreq(self, reader: Reader) -> Pingreq:
        reader.end()
        return Pingreq()


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


def _publish_properties(reader: Reader) -> Properties:
    properties = read_properties(reader, Carrier.PUBLISH)
    if properties.topic_alias is not None:
        raise MqttError(ReasonCode.TOPIC_ALIAS_INVALID, "topic aliases are not offered")
    if properties.subscription_identifiers:
        raise violation("a client names no subscription")
    _check_response_topic(properties)
    return properties


def _check_response_topic(properties: Properties) -> None:
    if properties.response_topic is not None and not topic_valid(properties.response_topic):
        raise violation("a response topic that is empty or has wildcards")


def _will(reader: Reader, flags: int, version: int) -> Will:
    properties = NO_PROPERTIES
    if version == MQTT_5:
        properties = read_properties(reader, Carrier.WILL)
        _check_response_topic(properties)
    topic = reader.text()
    if not topic_valid(topic):
        raise MqttError(ReasonCode.TOPIC_NAME_INVALID, "the topic of the will is empty or has wildcards")
    return Will(flags >> 3 & 3, flags & 0x20 != 0, properties, topic, reader.binary())


def _subscription(reader: Reader, options: bool) -> Subscription:
    filter_ = reader.text()
    byte = reader.u8()
    if byte & (0xC0 if options else 0xFC) or byte & 0x03 == 3:
        raise malformed("subscription options that do not exist")
    no_local, handling = byte & 0x04 != 0, byte >> 4
    if handling == 3:
        raise violation("retain handling is 0 to 2")
    if no_local and filter_.startswith(SHARE):
        raise violation("a shared subscription without one's own messages")
    return Subscription(filter_, byte & 0x03, no_local, byte & 0x08 != 0, handling)


_READERS: dict[int, Callable[[Decoder, Reader], Packet]] = {
    1: Decoder._connect,
    4: Decoder._puback,
    5: Decoder._pubrec,
    6: Decoder._pubrel,
    7: Decoder._pubcomp,
    8: Decoder._subscribe,
    10: Decoder._unsubscribe,
    12: Decoder._pingreq,
    14: Decoder._disconnect,
}
