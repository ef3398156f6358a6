"""The property table of MQTT 5 (section 2.2.2.2), and properties read and written by it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from vpin_protocol.mqtt import wire
from vpin_protocol.mqtt.packets import NO_PROPERTIES, Properties
from vpin_protocol.mqtt.reasons import MqttError, ReasonCode
from vpin_protocol.mqtt.wire import Reader, malformed, violation


class Carrier(Enum):
    """What properties stand in: a packet, or the will in CONNECT."""

    CONNECT = "CONNECT"
    CONNACK = "CONNACK"
    PUBLISH = "PUBLISH"
    WILL = "will"
    PUBACK = "PUBACK"
    PUBREC = "PUBREC"
    PUBREL = "PUBREL"
    PUBCOMP = "PUBCOMP"
    SUBSCRIBE = "SUBSCRIBE"
    SUBACK = "SUBACK"
    UNSUBSCRIBE = "UNSUBSCRIBE"
    UNSUBACK = "UNSUBACK"
    DISCONNECT = "DISCONNECT"


class _Kind(NamedTuple):
    read: Callable[[Reader], Any]
    write: Callable[[Any], bytes]


class _Property(NamedTuple):
    identifier: int
    name: str
    kind: _Kind
    carriers: frozenset[Carrier]
    not_zero: ReasonCode | None
    """What is wrong when the number is 0; None: it may be."""


def _boolean(reader: Reader) -> bool:
    value = reader.u8()
    if value > 1:
        raise violation("a property that is 0 or 1 is neither")
    return value == 1


def _pair(reader: Reader) -> tuple[str, str]:
    return reader.text(), reader.text()


def _one_byte(value: bool) -> bytes:
    return b"\1" if value else b"\0"


def _two_bytes(value: int) -> bytes:
    return wire.unsigned(value, 2)


def _four_bytes(value: int) -> bytes:
    return wire.unsigned(value, 4)


def _two_texts(value: tuple[str, str]) -> bytes:
    return wire.text(value[0]) + wire.text(value[1])


_BOOLEAN = _Kind(_boolean, _one_byte)
_U16 = _Kind(Reader.u16, _two_bytes)
_U32 = _Kind(Reader.u32, _four_bytes)
_VARIABLE = _Kind(Reader.variable, wire.variable)
_TEXT = _Kind(Reader.text, wire.text)
_BINARY = _Kind(Reader.binary, wire.binary)
_PAIR = _Kind(_pair, _two_texts)


def _property(
    identifier: int, name: str, kind: _Kind, *carriers: Carrier, not_zero: ReasonCode | None = None
) -> _Property:
    return _Property(identifier, name, kind, frozenset(carriers), not_zero)


_C = Carrier
_ACKS = (_C.PUBACK, _C.PUBREC, _C.PUBREL, _C.PUBCOMP, _C.SUBACK, _C.UNSUBACK)
_ENDS = (_C.CONNECT, _C.CONNACK)
_MESSAGES = (_C.PUBLISH, _C.WILL)
_WRONG = ReasonCode.PROTOCOL_ERROR

PROPERTIES = (
    _property(0x01, "payload_format_indicator", _BOOLEAN, *_MESSAGES),
    _property(0x02, "message_expiry_interval", _U32, *_MESSAGES),
    _property(0x03, "content_type", _TEXT, *_MESSAGES),
    _property(0x08, "response_topic", _TEXT, *_MESSAGES),
    _property(0x09, "correlation_data", _BINARY, *_MESSAGES),
    _property(0x0B, "subscription_identifiers", _VARIABLE, _C.PUBLISH, _C.SUBSCRIBE, not_zero=_WRONG),
    _property(0x11, "session_expiry_interval", _U32, *_ENDS, _C.DISCONNECT),
    _property(0x12, "assigned_client_identifier", _TEXT, _C.CONNACK),
    _property(0x13, "server_keep_alive", _U16, _C.CONNACK),
    _property(0x15, "authentication_method", _TEXT, *_ENDS),
    _property(0x16, "authentication_data", _BINARY, *_ENDS),
    _property(0x17, "request_problem_information", _BOOLEAN, _C.CONNECT),
    _property(0x18, "will_delay_interval", _U32, _C.WILL),
    _property(0x19, "request_response_information", _BOOLEAN, _C.CONNECT),
    _property(0x1A, "response_information", _TEXT, _C.CONNACK),
    _property(0x1C, "server_reference", _TEXT, _C.CONNACK, _C.DISCONNECT),
    _property(0x1F, "reason_string", _TEXT, _C.CONNACK, *_ACKS, _C.DISCONNECT),
    _property(0x21, "receive_maximum", _U16, *_ENDS, not_zero=_WRONG),
    _property(0x22, "topic_alias_maximum", _U16, *_ENDS),
    _property(0x23, "topic_alias", _U16, _C.PUBLISH, not_zero=ReasonCode.TOPIC_ALIAS_INVALID),
    _property(0x24, "maximum_qos", _BOOLEAN, _C.CONNACK),
    _property(0x25, "retain_available", _BOOLEAN, _C.CONNACK),
    _property(0x26, "user_properties", _PAIR, *Carrier),
    _property(0x27, "maximum_packet_size", _U32, *_ENDS, not_zero=_WRONG),
    _property(0x28, "wildcard_subscription_available", _BOOLEAN, _C.CONNACK),
    _property(0x29, "subscription_identifiers_available", _BOOLEAN, _C.CONNACK),
    _property(0x2A, "shared_subscription_available", _BOOLEAN, _C.CONNACK),
)
"""Row n is field n of Properties."""

_BY_IDENTIFIER = {row.identifier: row for row in PROPERTIES}
_REPEATED = frozenset({"subscription_identifiers", "user_properties"})
"""The fields that are tuples. Only a server's PUBLISH has several subscription identifiers."""


def read_properties(reader: Reader, carrier: Carrier) -> Properties:
    """The properties that stand next, with their length before them; MqttError for what the standard forbids."""
    length = reader.variable()
    if length == 0:
        return NO_PROPERTIES
    outer, stop = reader.stop, reader.at + length
    if stop > outer:
        raise malformed("the properties are longer than their packet")
    reader.stop = stop
    found: dict[str, Any] = {}
    while reader.at < stop:
        row = _BY_IDENTIFIER.get(reader.variable())
        if row is None or carrier not in row.carriers:
            raise malformed(f"a property that {carrier.value} does not have")
        value = row.kind.read(reader)
        if row.not_zero is not None and value == 0:
            raise MqttError(row.not_zero, f"{row.name} is 0")
        if row.name in _REPEATED:
            found.setdefault(row.name, []).append(value)
        elif row.name in found:
            raise violation(f"{row.name} is given twice")
        else:
            found[row.name] = value
    reader.stop = outer
    for name in _REPEATED & found.keys():
        found[name] = tuple(found[name])
    if carrier is Carrier.SUBSCRIBE and len(found.get("subscription_identifiers", ())) > 1:
        raise violation("several subscription identifiers")
    return Properties(**found)


def write_properties(properties: Properties, carrier: Carrier) -> bytes:
    """With their length before them. ValueError for a property that the carrier does not have."""
    if properties is NO_PROPERTIES:
        return b"\0"
    parts: list[bytes] = []
    for row, value in zip(PROPERTIES, properties, strict=True):
        if value is None:
            continue
        values = value if isinstance(value, tuple) else (value,)
        if values and carrier not in row.carriers:
            raise ValueError(f"{carrier.value} has no {row.name}")
        for each in values:
            if row.not_zero is not None and not each:
                raise ValueError(f"{row.name} is 0")
            parts += (bytes((row.identifier,)), row.kind.write(each))
    block = b"".join(parts)
    return wire.variable(len(block)) + block
