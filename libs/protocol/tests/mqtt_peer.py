"""The other side of the MQTT codec: packets that a client may send, their bytes, and the same packets of ``mqtt5``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import mqtt5
from hypothesis import strategies as st
from vpin_protocol.mqtt import (
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
from vpin_protocol.mqtt.packets import MQTT_3_1_1
from vpin_protocol.mqtt.properties import PROPERTIES, Carrier, write_properties
from vpin_protocol.mqtt.reasons import ReasonCode
from vpin_protocol.mqtt.wire import binary, text, variable

texts = st.text("ab/+#$ \x7fé€\ufeff\U0001f600", max_size=8)
topics = st.text("ab/$ \x7fé€\ufeff\U0001f600", min_size=1, max_size=8)
filters = st.one_of(topics, st.sampled_from(["#", "+", "a/+/b", "a/#", "+/+/#", "$SYS/#", "/"]))
blobs = st.binary(max_size=12)
payloads = st.one_of(blobs, st.binary(min_size=100, max_size=400))
packet_ids = st.integers(1, 0xFFFF)

_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "response_topic": topics,
    "subscription_identifiers": st.tuples(st.integers(1, 0xFFFFFFF)),
    "user_properties": st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    "correlation_data": blobs,
    "authentication_data": blobs,
    "server_keep_alive": st.integers(0, 0xFFFF),
    "receive_maximum": st.integers(1, 0xFFFF),
    "topic_alias_maximum": st.integers(0, 0xFFFF),
    "topic_alias": st.integers(1, 0xFFFF),
    "maximum_packet_size": st.integers(1, 0xFFFFFFFF),
    **dict.fromkeys(
        ("message_expiry_interval", "session_expiry_interval", "will_delay_interval"), st.integers(0, 0xFFFFFFFF)
    ),
    **dict.fromkeys(
        (
            "payload_format_indicator",
            "request_problem_information",
            "request_response_information",
            "maximum_qos",
            "retain_available",
            "wildcard_subscription_available",
            "subscription_identifiers_available",
            "shared_subscription_available",
        ),
        st.booleans(),
    ),
}


@cache
def properties_of(carrier: Carrier, *without: str) -> st.SearchStrategy[Properties]:
    names = [row.name for row in PROPERTIES if carrier in row.carriers and row.name not in without]
    some = st.lists(st.sampled_from(names), unique=True, max_size=4)
    given = some.flatmap(lambda some: st.fixed_dictionaries({name: _VALUES.get(name, texts) for name in some}))
    return given.map(lambda values: Properties(**values) if values else NO_PROPERTIES)


@cache
def connects(version: int) -> st.SearchStrategy[Connect]:
    def of(carrier: Carrier, *without: str) -> st.SearchStrategy[Properties]:
        return properties_of(carrier, *without) if version == MQTT_5 else st.just(NO_PROPERTIES)

    wills = st.builds(Will, st.integers(0, 2), st.booleans(), of(Carrier.WILL), topics, payloads)
    names = st.one_of(
        st.tuples(st.none(), st.none() if version == MQTT_3_1_1 else blobs),
        st.tuples(texts, st.none()),
        st.tuples(texts, blobs),
    )
    own = of(Carrier.CONNECT, "authentication_method", "authentication_data")
    fields = st.tuples(st.booleans(), st.integers(0, 0xFFFF), own, texts, st.none() | wills, names)
    return fields.map(lambda field: Connect(version, *field[:5], *field[5]))


@cache
def packets(version: int) -> st.SearchStrategy[Packet]:
    """Whatever may follow CONNECT, but DISCONNECT."""
    five = version == MQTT_5

    def of(carrier: Carrier, *without: str) -> st.SearchStrategy[Properties]:
        return properties_of(carrier, *without) if five else st.just(NO_PROPERTIES)

    def reasons(*codes: int) -> st.SearchStrategy[ReasonCode]:
        return st.sampled_from([ReasonCode(code) for code in codes]) if five else st.just(ReasonCode.SUCCESS)

    received = reasons(0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)
    released = reasons(0x00, 0x92)
    published = of(Carrier.PUBLISH, "topic_alias", "subscription_identifiers")
    once = st.builds(Publish, st.just(False), st.just(0), st.booleans(), topics, st.just(0), published, payloads)
    more = st.builds(Publish, st.booleans(), st.integers(1, 2), st.booleans(), topics, packet_ids, published, payloads)
    option = st.booleans() if five else st.just(False)
    handling = st.integers(0, 2) if five else st.just(0)
    subscription = st.builds(Subscription, filters, st.integers(0, 2), option, option, handling)
    return st.one_of(
        once,
        more,
        st.builds(Puback, packet_ids, received, of(Carrier.PUBACK)),
        st.builds(Pubrec, packet_ids, received, of(Carrier.PUBREC)),
        st.builds(Pubrel, packet_ids, released, of(Carrier.PUBREL)),
        st.builds(Pubcomp, packet_ids, released, of(Carrier.PUBCOMP)),
        st.builds(
            Subscribe,
            packet_ids,
            of(Carrier.SUBSCRIBE),
            st.lists(subscription, min_size=1, max_size=4).map(tuple),
        ),
        st.builds(
            Unsubscribe, packet_ids, of(Carrier.UNSUBSCRIBE), st.lists(filters, min_size=1, max_size=4).map(tuple)
        ),
        st.just(Pingreq()),
    )


def sent(packet: Packet, version: int) -> bytes:
    """The bytes with which a client sends it."""
    five = version == MQTT_5

    def block(properties: Properties, carrier: Carrier) -> bytes:
        return write_properties(properties, carrier) if five else b""

    def outcome(reason: ReasonCode, properties: Properties, carrier: Carrier) -> bytes:
        return bytes((reason,)) + block(properties, carrier) if five else b""

    match packet:
        case Connect():
            flags = packet.clean_start << 1 | (packet.username is not None) << 7 | (packet.password is not None) << 6
            will = b""
            if packet.will is not None:
                flags |= 0x04 | packet.will.qos << 3 | packet.will.retain << 5
                will = block(packet.will.properties, Carrier.WILL)
                will += text(packet.will.topic) + binary(packet.will.payload)
            body = text("MQTT") + bytes((version, flags)) + packet.keep_alive.to_bytes(2, "big")
            body += block(packet.properties, Carrier.CONNECT) + text(packet.client_id) + will
            body += b"" if packet.username is None else text(packet.username)
            body += b"" if packet.password is None else binary(packet.password)
            return framed(0x10, body)
        case Publish():
            body = text(packet.topic) + (packet.packet_id.to_bytes(2, "big") if packet.qos else b"")
            body += block(packet.properties, Carrier.PUBLISH) + packet.payload
            return framed(0x30 | packet.dup << 3 | packet.qos << 1 | packet.retain, body)
        case Puback() | Pubrec() | Pubrel() | Pubcomp():
            first = {Puback: 0x40, Pubrec: 0x50, Pubrel: 0x62, Pubcomp: 0x70}[type(packet)]
            carrier = Carrier[type(packet).__name__.upper()]
            return framed(first, packet.packet_id.to_bytes(2, "big") + outcome(*packet[1:], carrier))
        case Subscribe():
            body = packet.packet_id.to_bytes(2, "big") + block(packet.properties, Carrier.SUBSCRIBE)
            for each in packet.subscriptions:
                options = each.qos | each.no_local << 2 | each.retain_as_published << 3 | each.retain_handling << 4
                body += text(each.filter) + bytes((options,))
            return framed(0x82, body)
        case Unsubscribe():
            body = packet.packet_id.to_bytes(2, "big") + block(packet.properties, Carrier.UNSUBSCRIBE)
            return framed(0xA2, body + b"".join(map(text, packet.filters)))
        case Pingreq():
            return framed(0xC0, b"")
        case Disconnect():
            return framed(0xE0, outcome(*packet, Carrier.DISCONNECT))


def framed(first: int, body: bytes) -> bytes:
    return bytes((first,)) + variable(len(body)) + body


_THEIR_NAMES = {
    "subscription_identifiers": "subscription_ids",
    "assigned_client_identifier": "assigned_client_id",
    "request_problem_information": "request_problem_info",
    "request_response_information": "request_response_info",
    "response_information": "response_info",
    "reason_string": "reason_str",
    "receive_maximum": "receive_max",
    "topic_alias_maximum": "topic_alias_max",
    "maximum_qos": "max_qos",
    "maximum_packet_size": "max_packet_size",
    "subscription_identifiers_available": "subscription_id_available",
}


_THEIR_TYPES: dict[str, Callable[[Any], Any]] = {
    "subscription_identifiers": list,
    "user_properties": list,
    "maximum_qos": lambda value: mqtt5.QoS(int(value)),
    "payload_format_indicator": int,
}


def their_properties(properties: Properties) -> dict[str, Any]:
    """Of what is given, as the arguments of a packet of ``mqtt5``."""
    given: dict[str, Any] = {}
    for name, value in properties._asdict().items():
        if value is None or value == ():
            continue
        converted = _THEIR_TYPES.get(name, lambda value: value)(value)
        given[_THEIR_NAMES.get(name, name)] = converted
    return given


def theirs(packet: Packet) -> mqtt5.Packet:
    """The same packet of ``mqtt5``, which writes and compares it. Defaults that are given or left out are equal there."""
    match packet:
        case Connect():
            will = None
            if packet.will is not None:
                will = mqtt5.Will(
                    packet.will.topic,
                    payload=packet.will.payload,
                    qos=mqtt5.QoS(packet.will.qos),
                    retain=packet.will.retain,
                    **their_properties(packet.will.properties),
                )
            return mqtt5.ConnectPacket(
                packet.client_id,
                username=packet.username,
                password=packet.password,
                clean_start=packet.clean_start,
                will=will,
                keep_alive=packet.keep_alive,
                **their_properties(packet.properties),
            )
        case Publish():
            return mqtt5.PublishPacket(
                packet.topic,
                packet.payload,
                qos=mqtt5.QoS(packet.qos),
                retain=packet.retain,
                packet_id=packet.packet_id or None,
                duplicate=packet.dup,
                **their_properties(packet.properties),
            )
        case Puback():
            code = mqtt5.PubAckReasonCode(packet.reason)
            return mqtt5.PubAckPacket(packet.packet_id, reason_code=code, **their_properties(packet.properties))
        case Pubrec():
            code = mqtt5.PubRecReasonCode(packet.reason)
            return mqtt5.PubRecPacket(packet.packet_id, reason_code=code, **their_properties(packet.properties))
        case Pubrel():
            code = mqtt5.PubRelReasonCode(packet.reason)
            return mqtt5.PubRelPacket(packet.packet_id, reason_code=code, **their_properties(packet.properties))
        case Pubcomp():
            code = mqtt5.PubCompReasonCode(packet.reason)
            return mqtt5.PubCompPacket(packet.packet_id, reason_code=code, **their_properties(packet.properties))
        case Subscribe():
            properties = their_properties(packet.properties)
            if "subscription_ids" in properties:
                (properties["subscription_id"],) = properties.pop("subscription_ids")
            patterns = [
                mqtt5.TopicFilter(
                    each.filter,
                    max_qos=mqtt5.QoS(each.qos),
                    no_local=each.no_local,
                    retain_as_published=each.retain_as_published,
                    retain_handling=mqtt5.RetainHandling(each.retain_handling),
                )
                for each in packet.subscriptions
            ]
            return mqtt5.SubscribePacket(packet.packet_id, patterns, **properties)
        case Unsubscribe():
            return mqtt5.UnsubscribePacket(
                packet.packet_id, list(packet.filters), **their_properties(packet.properties)
            )
        case Pingreq():
            return mqtt5.PingReqPacket()
        case Disconnect():
            code = mqtt5.DisconnectReasonCode(packet.reason)
            return mqtt5.DisconnectPacket(reason_code=code, **their_properties(packet.properties))
