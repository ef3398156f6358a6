"""What a server sends, as bytes. ``version`` is MQTT_3_1_1 or MQTT_5; properties are left out of 3.1.1.

ValueError for what no packet can say: a text with NUL or of more than 65,535 bytes, a packet above 256 MiB, a property
in the wrong packet. The client's limits (maximum packet size, no problem information) are the caller's to keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from struct import Struct

from vpin_protocol.mqtt import wire
from vpin_protocol.mqtt.packets import MQTT_5, NO_PROPERTIES, Properties
from vpin_protocol.mqtt.properties import Carrier, write_properties
from vpin_protocol.mqtt.reasons import ReasonCode
from vpin_protocol.mqtt.topics import topic_valid

PINGRESP = b"\xd0\x00"

_U16 = Struct(">H")
_RETURN_CODES = {
    ReasonCode.SUCCESS: 0,
    ReasonCode.UNSUPPORTED_PROTOCOL_VERSION: 1,
    ReasonCode.CLIENT_IDENTIFIER_NOT_VALID: 2,
    ReasonCode.SERVER_UNAVAILABLE: 3,
    ReasonCode.SERVER_BUSY: 3,
    ReasonCode.SERVER_SHUTTING_DOWN: 3,
    ReasonCode.BAD_USER_NAME_OR_PASSWORD: 4,
    ReasonCode.NOT_AUTHORIZED: 5,
    ReasonCode.BANNED: 5,
    ReasonCode.QUOTA_EXCEEDED: 5,
    ReasonCode.CONNECTION_RATE_EXCEEDED: 5,
}


def connack(
    version: int, reason: ReasonCode, *, session_present: bool = False, properties: Properties = NO_PROPERTIES
) -> bytes:
    """The answer to CONNECT; empty where 3.1.1 has no return code for the reason: the close says it all."""
    if version >= MQTT_5:
        return _packet(0x20, bytes((session_present, reason)) + write_properties(properties, Carrier.CONNACK))
    code = _RETURN_CODES.get(reason)
    return b"" if code is None else bytes((0x20, 2, session_present, code))


def publish(
    version: int,
    topic: str,
    payload: bytes,
    *,
    qos: int = 0,
    packet_id: int = 0,
    retain: bool = False,
    dup: bool = False,
    properties: Properties = NO_PROPERTIES,
) -> bytes:
    """``packet_id`` is left out with QoS 0. ValueError for a topic that is not ``topic_valid``."""
    name = topic.encode()
    if len(name) > 0xFFFF or not topic_valid(topic):
        raise ValueError("a topic that is empty, too long, or has wildcards")
    if not 0 <= qos <= 2 or (dup and not qos):
        raise ValueError("a QoS that does not exist, or a repetition with QoS 0")
    block = write_properties(properties, Carrier.PUBLISH) if version >= MQTT_5 else b""
    number = _packet_id(packet_id) if qos else b""
    length = 2 + len(name) + len(number) + len(block) + len(payload)
    first = 0x30 | dup << 3 | qos << 1 | retain
    return b"".join((bytes((first,)), wire.variable(length), _U16.pack(len(name)), name, number, block, payload))


def suback(
    version: int, packet_id: int, reasons: Sequence[ReasonCode], properties: Properties = NO_PROPERTIES
) -> bytes:
    """One reason per subscription, in their order: a granted QoS (0, 1, 2) or a refusal, in 3.1.1 always 0x80."""
    if version >= MQTT_5:
        block = write_properties(properties, Carrier.SUBACK)
        return _packet(0x90, _packet_id(packet_id) + block + bytes(reasons))
    return _packet(0x90, _packet_id(packet_id) + bytes(min(reason, 0x80) for reason in reasons))


def unsuback(
    version: int, packet_id: int, reasons: Sequence[ReasonCode], properties: Properties = NO_PROPERTIES
) -> bytes:
    """One reason per filter, in their order; 3.1.1 has none."""
    if version >= MQTT_5:
        block = write_properties(properties, Carrier.UNSUBACK)
        return _packet(0xB0, _packet_id(packet_id) + block + bytes(reasons))
    return _packet(0xB0, _packet_id(packet_id))


def pingresp() -> bytes:
    return PINGRESP


def disconnect(version: int, reason: ReasonCode, properties: Properties = NO_PROPERTIES) -> bytes:
    """Why the server closes the connection, after CONNACK; empty in 3.1.1, where a server cannot say it."""
    if version < MQTT_5:
        return b""
    if properties is NO_PROPERTIES:
        return bytes((0xE0, 1, reason)) if reason else b"\xe0\x00"
    return _packet(0xE0, bytes((reason,)) + write_properties(properties, Carrier.DISCONNECT))


def _acknowledgement(
    first: int,
    carrier: Carrier,
    version: int,
    packet_id: int,
    reason: ReasonCode = ReasonCode.SUCCESS,
    properties: Properties = NO_PROPERTIES,
) -> bytes:
    """3.1.1 has no reason: its acknowledgement says nothing but that the packet was handled."""
    body = _packet_id(packet_id)
    if version >= MQTT_5:
        if properties is not NO_PROPERTIES:
            body += bytes((reason,)) + write_properties(properties, carrier)
        elif reason:
            body += bytes((reason,))
    return _packet(first, body)


puback = partial(_acknowledgement, 0x40, Carrier.PUBACK)
"""(version, packet id[, reason, properties]) -> packet; so are the three below."""
pubrec = partial(_acknowledgement, 0x50, Carrier.PUBREC)
"""In MQTT 5 a reason of 0x80 and more ends the exchange: no PUBREL follows."""
pubrel = partial(_acknowledgement, 0x62, Carrier.PUBREL)
pubcomp = partial(_acknowledgement, 0x70, Carrier.PUBCOMP)


def _packet_id(packet_id: int) -> bytes:
    if not 0 < packet_id <= 0xFFFF:
        raise ValueError("a packet identifier is 1 to 65,535")
    return _U16.pack(packet_id)


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + wire.variable(len(body)) + body
