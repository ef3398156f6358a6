"""What stands in the packets of a client behind the fixed header: readers of one body each, pure functions."""

from __future__ import annotations

from collections.abc import Callable

from vpin_protocol.mqtt.packets import (
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

_LEVELS = {"MQIsdp": (3,), "MQTT": (4, 5)}


def _reasons(*codes: int) -> dict[int, ReasonCode]:
    return {code: ReasonCode(code) for code in codes}


_RECEIVED = _reasons(0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)
_RELEASED = _reasons(0x00, 0x92)
_CLIENT_ENDS = _reasons(0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99)


def protocol(reader: Reader) -> tuple[int, bool]:
    """The protocol level with which CONNECT begins, and whether it is served; MqttError when it is not MQTT at all."""
    levels = _LEVELS.get(reader.text())
    if levels is None:
        raise violation("a protocol that is not MQTT")
    level = reader.u8()
    return level, level in levels


def connect(reader: Reader, version: int) -> Connect:
    """What follows the level in CONNECT."""
    flags = reader.u8()
    has_will, has_username, has_password = flags & 0x04, flags & 0x80, flags & 0x40
    if flags & 0x01 or (flags & 0x38 and not has_will) or flags & 0x18 == 0x18:
        raise malformed("connect flags that contradict each other")
    if has_password and not has_username and version != MQTT_5:
        raise malformed("a password without a user name")
    keep_alive = reader.u16()
    properties = _properties(reader, version, Carrier.CONNECT)
    client_id = reader.text()
    will = _will(reader, version, flags) if has_will else None
    username = reader.text() if has_username else None
    password = reader.binary() if has_password else None
    reader.end()
    if properties.authentication_method is not None:
        raise MqttError(ReasonCode.BAD_AUTHENTICATION_METHOD, "extended authentication is not offered")
    if properties.authentication_data is not None:
        raise violation("authentication data without a method")
    return Connect(version, flags & 0x02 != 0, keep_alive, properties, client_id, will, username, password)


def publish(first: int, data: bytes, at: int, stop: int, version: int | None) -> Publish:
    """The body ``data[at:stop]`` behind the first byte of the packet. Without a Reader: this one has to be fast."""
    start = at + 2
    if start > stop:
        raise malformed("the packet ends inside a field")
    at = start + (data[at] << 8 | data[at + 1])
    qos = first >> 1 & 3
    packet_id = 0
    if qos:
        behind = at + 2
        if behind > stop:
            raise malformed("the packet ends inside a field")
        packet_id = data[at] << 8 | data[at + 1]
        if packet_id == 0:
            raise violation("the packet identifier is 0")
    else:
        behind = at
        if behind > stop:
            raise malformed("the packet ends inside a field")
    try:
        topic = data[start:at].decode()
    except UnicodeDecodeError:
        raise malformed("a string is not UTF-8") from None
    if "\0" in topic:
        raise malformed("a string holds NUL")
    properties = NO_PROPERTIES
    if version == MQTT_5:
        if behind < stop and data[behind] == 0:
            behind += 1
        else:
            reader = Reader(data, behind, stop)
            properties = _published_properties(reader)
            behind = reader.at
    if not topic or "+" in topic or "#" in topic:
        raise MqttError(ReasonCode.TOPIC_NAME_INVALID, "a topic that is empty or has wildcards")
    return Publish(first & 8 != 0, qos, first & 1 != 0, topic, packet_id, properties, data[behind:stop])


def _puback(reader: Reader, version: int | None) -> Puback:
    return Puback(reader.packet_id(), *_outcome(reader, version, Carrier.PUBACK, _RECEIVED))


def _pubrec(reader: Reader, version: int | None) -> Pubrec:
    return Pubrec(reader.packet_id(), *_outcome(reader, version, Carrier.PUBREC, _RECEIVED))


def _pubrel(reader: Reader, version: int | None) -> Pubrel:
    return Pubrel(reader.packet_id(), *_outcome(reader, version, Carrier.PUBREL, _RELEASED))


def _pubcomp(reader: Reader, version: int | None) -> Pubcomp:
    return Pubcomp(reader.packet_id(), *_outcome(reader, version, Carrier.PUBCOMP, _RELEASED))


def _disconnect(reader: Reader, version: int | None) -> Disconnect:
    return Disconnect(*_outcome(reader, version, Carrier.DISCONNECT, _CLIENT_ENDS))


def _subscribe(reader: Reader, version: int | None) -> Subscribe:
    packet_id = reader.packet_id()
    properties = _properties(reader, version, Carrier.SUBSCRIBE)
    subscriptions: list[Subscription] = []
    while reader.at < reader.stop:
        subscriptions.append(_subscription(reader, version))
    if not subscriptions:
        raise violation("a subscription to nothing")
    return Subscribe(packet_id, properties, tuple(subscriptions))


def _unsubscribe(reader: Reader, version: int | None) -> Unsubscribe:
    packet_id = reader.packet_id()
    properties = _properties(reader, version, Carrier.UNSUBSCRIBE)
    filters: list[str] = []
    while reader.at < reader.stop:
        filters.append(reader.text())
    if not filters:
        raise violation("an unsubscription from nothing")
    return Unsubscribe(packet_id, properties, tuple(filters))


def _pingreq(reader: Reader, _version: int | None) -> Pingreq:
    reader.end()
    return Pingreq()


BODIES: dict[int, Callable[[Reader, int | None], Packet]] = {
    4: _puback,
    5: _pubrec,
    6: _pubrel,
    7: _pubcomp,
    8: _subscribe,
    10: _unsubscribe,
    12: _pingreq,
    14: _disconnect,
}
"""By packet type; CONNECT and PUBLISH have their own functions."""


def _properties(reader: Reader, version: int | None, carrier: Carrier) -> Properties:
    return read_properties(reader, carrier) if version == MQTT_5 else NO_PROPERTIES


def _outcome(
    reader: Reader, version: int | None, carrier: Carrier, reasons: dict[int, ReasonCode]
) -> tuple[ReasonCode, Properties]:
    """Reason and properties of MQTT 5 at the end of a packet; both may be left out, or the properties."""
    reason, properties = ReasonCode.SUCCESS, NO_PROPERTIES
    if version == MQTT_5 and reader.at < reader.stop:
        code = reader.u8()
        if code not in reasons:
            raise malformed(f"a reason that {carrier.value} of a client does not have: 0x{code:02x}")
        reason = reasons[code]
        if reader.at < reader.stop:
            properties = read_properties(reader, carrier)
    reader.end()
    return reason, properties


def _published_properties(reader: Reader) -> Properties:
    properties = read_properties(reader, Carrier.PUBLISH)
    if properties.topic_alias is not None:
        raise MqttError(ReasonCode.TOPIC_ALIAS_INVALID, "topic aliases are not offered")
    if properties.subscription_identifiers:
        raise violation("a client that names a subscription in what it publishes")
    _check_response_topic(properties)
    return properties


def _check_response_topic(properties: Properties) -> None:
    if properties.response_topic is not None and not topic_valid(properties.response_topic):
        raise violation("a response topic that is empty or has wildcards")


def _will(reader: Reader, version: int, flags: int) -> Will:
    properties = _properties(reader, version, Carrier.WILL)
    _check_response_topic(properties)
    topic = reader.text()
    if not topic_valid(topic):
        raise MqttError(ReasonCode.TOPIC_NAME_INVALID, "the topic of the will is empty or has wildcards")
    return Will(flags >> 3 & 3, flags & 0x20 != 0, properties, topic, reader.binary())


def _subscription(reader: Reader, version: int | None) -> Subscription:
    pattern = reader.text()
    options = reader.u8()
    if options & (0xC0 if version == MQTT_5 else 0xFC) or options & 0x03 == 3:
        raise malformed("subscription options that do not exist")
    no_local, retain_handling = options & 0x04 != 0, options >> 4
    if retain_handling == 3:
        raise violation("retain handling is 0 to 2")
    if no_local and pattern.startswith(SHARE):
        raise violation("no local on a shared subscription")
    return Subscription(pattern, options & 0x03, no_local, options & 0x08 != 0, retain_handling)
