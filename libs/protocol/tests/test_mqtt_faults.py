"""What the MQTT decoder refuses and with which reason, its limit, and what it lets through on purpose."""

from __future__ import annotations

import tracemalloc

import pytest
from mqtt_peer import framed, sent
from vpin_protocol.mqtt import (
    MQTT_3_1_1,
    MQTT_5,
    Connect,
    Decoder,
    Disconnect,
    MqttError,
    Pingreq,
    Properties,
    Puback,
    Publish,
    Pubrel,
    ReasonCode,
    Subscribe,
    Subscription,
    encode,
)

MALFORMED, PROTOCOL, ALIAS = ReasonCode.MALFORMED_PACKET, ReasonCode.PROTOCOL_ERROR, ReasonCode.TOPIC_ALIAS_INVALID
TOPIC, VERSION = ReasonCode.TOPIC_NAME_INVALID, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION
NONE = Properties()

HELLO = {
    MQTT_3_1_1: b"\x10\x0e\0\4MQTT\4\2\0\x2d\0\2id",
    MQTT_5: b"\x10\x0f\0\4MQTT\5\2\0\x2d\0\0\2id",
}


def connected(version: int, limit: int = 1000) -> Decoder:
    decoder = Decoder(limit)
    (connect,) = decoder.feed(HELLO[version])
    assert connect == Connect(version, True, 45, NONE, "id", None, None, None)
    return decoder


def fault(decoder: Decoder, data: bytes) -> ReasonCode:
    """The reason with which the first packet is refused."""
    with pytest.raises(MqttError) as refused:
        decoder.feed(data)
    assert refused.value.packets == ()
    return refused.value.reason


def connect(level: int, flags: int, rest: bytes, name: bytes = b"\0\4MQTT") -> bytes:
    return framed(0x10, name + bytes((level, flags)) + b"\0\x2d" + rest)


@pytest.mark.parametrize(
    ("data", "reason", "version"),
    [
        pytest.param(b"\xc0\0", PROTOCOL, None, id="PINGREQ"),
        pytest.param(b"\x30", PROTOCOL, None, id="PUBLISH, its first byte is enough"),
        pytest.param(b"\x16\x03\x01", PROTOCOL, None, id="TLS"),
        pytest.param(b"GET /", PROTOCOL, None, id="HTTP"),
        pytest.param(b"\x11\x0e", PROTOCOL, None, id="CONNECT with a flag in its first byte"),
        pytest.param(b"\x10\x80\x80\x80\x80", MALFORMED, None, id="length of 5 bytes"),
        pytest.param(b"\x10\xff\xff\xff\x7f", ReasonCode.PACKET_TOO_LARGE, None, id="256 MiB"),
        pytest.param(b"\x10\0", MALFORMED, None, id="empty"),
        pytest.param(connect(4, 2, b"\0\0", b"\0\4QMTT"), PROTOCOL, None, id="another protocol"),
        pytest.param(connect(4, 2, b"\0\0", b"\0\x04MQ\xff\xff"), MALFORMED, None, id="a protocol that is not UTF-8"),
        pytest.param(connect(3, 2, b"\0\0"), VERSION, 4, id="level 3 of MQTT"),
        pytest.param(connect(4, 2, b"\0\0", b"\0\6MQIsdp"), VERSION, 4, id="level 4 of MQIsdp"),
        pytest.param(connect(0x84, 2, b"\0\0"), VERSION, 4, id="a bridge of level 4"),
        pytest.param(connect(6, 2, b"\0\0\0"), VERSION, 5, id="level 6"),
        pytest.param(connect(255, 2, b"\0\0\0"), VERSION, 5, id="level 255"),
        pytest.param(connect(4, 3, b"\0\0"), MALFORMED, 4, id="reserved flag"),
        pytest.param(connect(4, 0x0A, b"\0\0"), MALFORMED, 4, id="QoS of no will"),
        pytest.param(connect(4, 0x22, b"\0\0"), MALFORMED, 4, id="retain of no will"),
        pytest.param(connect(4, 0x1E, b"\0\0\0\1t\0\0"), MALFORMED, 4, id="will of QoS 3"),
        pytest.param(connect(4, 0x42, b"\0\0\0\1p"), MALFORMED, 4, id="password without user name"),
        pytest.param(connect(4, 2, b"\0\0\0"), MALFORMED, 4, id="a byte too many"),
        pytest.param(connect(4, 2, b"\0\1"), MALFORMED, 4, id="a byte too few"),
        pytest.param(connect(4, 2, b"\0\1\0"), MALFORMED, 4, id="NUL in the client id"),
        pytest.param(connect(4, 2, b"\0\3\xed\xa0\x80"), MALFORMED, 4, id="a surrogate"),
        pytest.param(connect(4, 2, b"\0\2\xc1\x81"), MALFORMED, 4, id="overlong UTF-8"),
        pytest.param(connect(4, 6, b"\0\0\0\3a/#\0\0"), TOPIC, 4, id="wildcard in the will"),
        pytest.param(connect(4, 6, b"\0\0\0\0\0\0"), TOPIC, 4, id="will without topic"),
        pytest.param(connect(5, 6, b"\0\0\0\4\x08\0\1#\0\1t\0\0"), PROTOCOL, 5, id="response topic of the will"),
        pytest.param(connect(5, 2, b"\3\x21\0\0\0\0"), PROTOCOL, 5, id="receive maximum 0"),
        pytest.param(connect(5, 2, b"\5\x27\0\0\0\0\0\0"), PROTOCOL, 5, id="maximum packet size 0"),
        pytest.param(connect(5, 2, b"\2\x17\2\0\0"), PROTOCOL, 5, id="boolean 2"),
        pytest.param(connect(5, 2, b"\6\x22\0\1\x22\0\1\0\0"), PROTOCOL, 5, id="a property twice"),
        pytest.param(connect(5, 2, b"\2\x18\0\0\0"), MALFORMED, 5, id="a property of the will"),
        pytest.param(connect(5, 2, b"\2\x01\0\0\0"), MALFORMED, 5, id="a property of PUBLISH"),
        pytest.param(connect(5, 2, b"\2\x7e\0\0\0"), MALFORMED, 5, id="an unknown property"),
        pytest.param(connect(5, 2, b"\2\xa1\x00\0\0"), MALFORMED, 5, id="an identifier of two bytes for one"),
        pytest.param(connect(5, 2, b"\x03\x21\x01"), MALFORMED, 5, id="properties longer than the packet"),
        pytest.param(connect(5, 2, b"\x02\x21\x01\x01\0\0"), MALFORMED, 5, id="a property longer than the properties"),
        pytest.param(connect(5, 2, b"\x80\x00\0\0"), MALFORMED, 5, id="properties' length of two bytes for one"),
        pytest.param(connect(5, 2, b"\4\x15\0\1m\0\0"), ReasonCode.BAD_AUTHENTICATION_METHOD, 5, id="authentication"),
        pytest.param(connect(5, 2, b"\4\x16\0\1d\0\0"), PROTOCOL, 5, id="authentication data alone"),
        pytest.param(b"\x10\x8d\0\0\4MQTT\5\2\0\x2d\0\0\0", MALFORMED, 5, id="a length of two bytes for one"),
    ],
)
def test_bad_beginnings(data: bytes, reason: ReasonCode, version: int | None):
    """`version` is the one to answer in; without one the connection is just closed."""
    decoder = Decoder(1000)
    assert (fault(decoder, data), decoder.version) == (reason, version)


@pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"\x10", PROTOCOL, id="second CONNECT"),
        pytest.param(b"\x20", PROTOCOL, id="CONNACK"),
        pytest.param(b"\x90", PROTOCOL, id="SUBACK"),
        pytest.param(b"\xb0", PROTOCOL, id="UNSUBACK"),
        pytest.param(b"\xd0", PROTOCOL, id="PINGRESP"),
        pytest.param(b"\x00", MALFORMED, id="type 0"),
        pytest.param(b"\x36", MALFORMED, id="QoS 3"),
        pytest.param(b"\x38", MALFORMED, id="DUP with QoS 0"),
        *(
            pytest.param(bytes((first,)), MALFORMED, id=f"flags {first:#x}")
            for first in (0x11, 0x41, 0x52, 0x60, 0x6A, 0x78, 0x80, 0x8A, 0xA0, 0xAA, 0xC1, 0xE8, 0xF1)
        ),
        pytest.param(b"\xc0\1\0", MALFORMED, id="PINGREQ with a body"),
        pytest.param(b"\x40\2\0\0", PROTOCOL, id="PUBACK 0"),
        pytest.param(b"\x40\1\1", MALFORMED, id="PUBACK of one byte"),
        pytest.param(b"\x62\2\0\0", PROTOCOL, id="PUBREL 0"),
        pytest.param(b"\x82\2\0\1", {4: PROTOCOL, 5: MALFORMED}, id="SUBSCRIBE to nothing"),
        pytest.param(b"\x82\0", MALFORMED, id="SUBSCRIBE of nothing"),
        pytest.param(b"\xa2\0", MALFORMED, id="UNSUBSCRIBE of nothing"),
        pytest.param(b"\x30\0", MALFORMED, id="PUBLISH of nothing"),
        pytest.param(b"\x30\1\0\0", MALFORMED, id="PUBLISH of half a length"),
        pytest.param(b"\x30\4\0\3ab\0\0", MALFORMED, id="a topic that is longer than the packet"),
        pytest.param(b"\x32\4\0\1a\0\1", MALFORMED, id="half a packet identifier"),
        pytest.param(b"\x32\6\0\1a\0\0\0", PROTOCOL, id="packet identifier 0"),
        pytest.param(b"\x30\4\0\1\0\0", MALFORMED, id="NUL in a topic"),
        pytest.param(b"\x30\4\0\1\xff\0", MALFORMED, id="a topic that is not UTF-8"),
        pytest.param(b"\x30\3\0\0\0", TOPIC, id="no topic"),
        pytest.param(b"\x30\4\0\1+\0", TOPIC, id="+ in a topic"),
        pytest.param(b"\x30\4\0\1#\0", TOPIC, id="# in a topic"),
    ],
)
def test_bad_packets(version: int, data: bytes, reason: ReasonCode | dict[int, ReasonCode]):
    expected = reason[version] if isinstance(reason, dict) else reason
    assert fault(connected(version), data) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"\xf0", MALFORMED, id="AUTH does not exist"),
        pytest.param(b"\x40\3\0\1\0", MALFORMED, id="PUBACK with a reason"),
        pytest.param(b"\xe0\1\0", MALFORMED, id="DISCONNECT with a reason"),
        pytest.param(b"\x82\6\0\1\0\1a\4", MALFORMED, id="subscription option"),
        pytest.param(b"\x82\6\0\1\0\1a\3", MALFORMED, id="subscription of QoS 3"),
        pytest.param(b"\x82\5\0\1\0\1a", MALFORMED, id="subscription without QoS"),
        pytest.param(b"\x82\6\0\0\0\1a\0", PROTOCOL, id="SUBSCRIBE 0"),
        pytest.param(b"\xa2\2\0\1", PROTOCOL, id="UNSUBSCRIBE from nothing"),
        pytest.param(b"\xa2\5\0\0\0\1a", PROTOCOL, id="UNSUBSCRIBE 0"),
    ],
)
def test_bad_packets_of_3_1_1(data: bytes, reason: ReasonCode):
    assert fault(connected(MQTT_3_1_1), data) == reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"\xf0", PROTOCOL, id="AUTH"),
        pytest.param(b"\x40\3\0\1\x92", MALFORMED, id="a reason that PUBACK does not have"),
        pytest.param(b"\x62\3\0\1\x10", MALFORMED, id="a reason that PUBREL does not have"),
        pytest.param(b"\xe0\1\x8b", MALFORMED, id="a reason that only servers give"),
        pytest.param(b"\xe0\7\0\5\x11\0\0\0\1", PROTOCOL, id="session expiry out of nothing"),
        pytest.param(b"\x40\5\0\1\0\0\0", MALFORMED, id="bytes behind the properties"),
        pytest.param(b"\x82\3\0\1\0", PROTOCOL, id="SUBSCRIBE to nothing"),
        pytest.param(b"\xa2\3\0\1\0", PROTOCOL, id="UNSUBSCRIBE from nothing"),
        pytest.param(b"\x82\7\0\1\0\0\1a\x40", MALFORMED, id="reserved subscription option"),
        pytest.param(b"\x82\7\0\1\0\0\1a\x03", MALFORMED, id="subscription of QoS 3"),
        pytest.param(b"\x82\7\0\1\0\0\1a\x30", PROTOCOL, id="retain handling 3"),
        pytest.param(b"\x82\x10\0\1\0\0\x0a$share/a/b\4", PROTOCOL, id="no local on a shared subscription"),
        pytest.param(b"\x82\x09\0\1\2\x0b\0\0\1a\0", PROTOCOL, id="subscription identifier 0"),
        pytest.param(b"\x82\x0b\0\1\4\x0b\1\x0b\2\0\1a\0", PROTOCOL, id="two subscription identifiers"),
        pytest.param(b"\x30\6\0\1a\2\x0b\1", PROTOCOL, id="subscription identifier of a publisher"),
        pytest.param(b"\x30\6\0\1a\2\1\2", PROTOCOL, id="payload format 2"),
        pytest.param(b"\x30\7\0\1a\3\x23\0\1", ALIAS, id="topic alias"),
        pytest.param(b"\x30\6\0\0\3\x23\0\1", ALIAS, id="topic alias for a topic"),
        pytest.param(b"\x30\7\0\1a\3\x23\0\0", ALIAS, id="topic alias 0"),
        pytest.param(b"\x30\x08\0\1a\4\x08\0\1+", PROTOCOL, id="response topic"),
        pytest.param(b"\x30\3\0\1a\0", MALFORMED, id="PUBLISH without properties"),
        pytest.param(b"\x30\x84\0\0\1a\0", MALFORMED, id="a length of two bytes for one"),
    ],
)
def test_bad_packets_of_5(data: bytes, reason: ReasonCode):
    assert fault(connected(MQTT_5), data) == reason


def test_what_stood_before_the_fault_is_told():
    decoder = Decoder(1000)
    with pytest.raises(MqttError) as refused:
        decoder.feed(HELLO[MQTT_3_1_1] + encode.publish(MQTT_3_1_1, "ds/V1", b"1") + b"\xc0\0\xd0\0")
    assert [type(packet) for packet in refused.value.packets] == [Connect, Publish, Pingreq]
    with pytest.raises(MqttError) as again:
        decoder.feed(b"\xc0\0")
    assert (again.value.reason, again.value.packets) == (PROTOCOL, ())


def test_the_limit_counts_the_whole_packet_and_is_checked_on_the_header():
    packet = encode.publish(MQTT_3_1_1, "ds/V1", bytes(200))
    exact = connected(MQTT_3_1_1, limit=len(packet))
    assert exact.feed(packet) == [Publish(False, 0, False, "ds/V1", 0, NONE, bytes(200))]
    assert fault(connected(MQTT_3_1_1, limit=len(packet) - 1), packet[:3]) == ReasonCode.PACKET_TOO_LARGE


def test_the_limit_can_be_changed_in_the_middle_of_a_packet():
    packet = encode.publish(MQTT_3_1_1, "ds/V1", bytes(400))
    raised = connected(MQTT_3_1_1, limit=100)
    raised.limit = 1000
    assert len(raised.feed(packet * 3)) == 3
    assert raised.feed(packet[:50]) == []
    raised.limit = 100
    assert fault(raised, packet[50:51]) == ReasonCode.PACKET_TOO_LARGE


def test_a_packet_in_single_bytes_costs_no_more_memory_than_its_size():
    size = 200_000
    packet = encode.publish(MQTT_3_1_1, "ds/V1", bytes(size))
    decoder = connected(MQTT_3_1_1, limit=1 << 20)
    tracemalloc.start()
    try:
        for at in range(len(packet) - 1):
            decoder.feed(packet[at : at + 1])
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1.5 * size
    (read,) = decoder.feed(packet[-1:])
    assert isinstance(read, Publish)
    assert read.payload == bytes(size)


def test_filters_are_not_the_decoders_business():
    """SUBACK refuses them one by one (spec 09, 3), so a bad one must not end the stream."""
    packet = Subscribe(
        7, NONE, tuple(Subscription(pattern, 1) for pattern in ("", "a#", "+b", "$share/g/a", "a" * 300))
    )
    for version in (MQTT_3_1_1, MQTT_5):
        assert connected(version, 2000).feed(sent(packet, version)) == [packet]


def test_mqtt_3_1_is_read_as_3_1_1():
    decoder = Decoder(1000)
    packets = decoder.feed(
        connect(3, 0xC2, b"\0\2id\0\6device\0\3abc", b"\0\6MQIsdp") + b"\x6a\2\0\7" + b"\x8a\6\0\1\0\1a\1" + b"\xe0\0"
    )
    assert packets == [
        Connect(MQTT_3_1_1, True, 45, NONE, "id", None, "device", b"abc"),
        Pubrel(7),
        Subscribe(1, NONE, (Subscription("a", 1),)),
        Disconnect(),
    ]


def test_3_1_1_does_not_insist_on_short_lengths():
    assert connected(MQTT_3_1_1).feed(b"\x40\x82\x80\0\0\7\xc0\x80\0") == [Puback(7), Pingreq()]


def test_reasons_and_properties_may_be_left_out():
    decoder = connected(MQTT_5)
    assert decoder.feed(b"\x40\2\0\7\x40\3\0\7\x10\x40\4\0\7\x10\0") == [
        Puback(7),
        Puback(7, ReasonCode.NO_MATCHING_SUBSCRIBERS),
        Puback(7, ReasonCode.NO_MATCHING_SUBSCRIBERS),
    ]
    assert decoder.feed(b"\xe0\1\4") == [Disconnect(ReasonCode.DISCONNECT_WITH_WILL)]


def test_a_session_that_expires_later_may_choose_when():
    decoder = Decoder(1000)
    later = Properties(session_expiry_interval=60)
    decoder.feed(sent(Connect(MQTT_5, True, 0, later, "id", None, None, None), MQTT_5))
    assert decoder.feed(sent(Disconnect(properties=later), MQTT_5)) == [Disconnect(properties=later)]
