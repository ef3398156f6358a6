"""What the server sends: the bytes of 3.1.1, and for MQTT 5 what ``mqtt5`` reads in them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt_peer import packet_ids, payloads, properties_of, their_properties, topics
from vpin_protocol.mqtt import MQTT_3_1_1, MQTT_5, Properties, ReasonCode, encode
from vpin_protocol.mqtt.properties import Carrier

V4, V5 = MQTT_3_1_1, MQTT_5


def read(data: bytes) -> mqtt5.Packet:
    packet, size = mqtt5.read(memoryview(data))
    assert size == len(data)
    return packet


def codes_of(theirs: Any) -> st.SearchStrategy[ReasonCode]:
    """Those that their enumeration has; it cannot be iterated."""
    found: list[ReasonCode] = []
    for code in ReasonCode:
        with suppress(ValueError):
            theirs(code)
            found.append(code)
    return st.sampled_from(found)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encode.connack(V4, ReasonCode.SUCCESS), "20020000"),
        (encode.connack(V4, ReasonCode.SUCCESS, session_present=True), "20020100"),
        (encode.connack(V4, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION), "20020001"),
        (encode.connack(V4, ReasonCode.CLIENT_IDENTIFIER_NOT_VALID), "20020002"),
        (encode.connack(V4, ReasonCode.SERVER_UNAVAILABLE), "20020003"),
        (encode.connack(V4, ReasonCode.BAD_USER_NAME_OR_PASSWORD), "20020004"),
        (encode.connack(V4, ReasonCode.CONNECTION_RATE_EXCEEDED), "20020005"),
        (encode.connack(V4, ReasonCode.MALFORMED_PACKET), ""),
        (encode.publish(V4, "a/b", b"10", retain=True), "31070003612f623130"),
        (encode.publish(V4, "a/b", b"10", qos=1, packet_id=10), "32090003612f62000a3130"),
        (encode.publish(V4, "a/b", b"", qos=2, packet_id=10, dup=True), "3c070003612f62000a"),
        (encode.publish(V4, "a", bytes(124)), "307f000161" + "00" * 124),
        (encode.publish(V4, "a", bytes(125)), "308001000161" + "00" * 125),
        (encode.puback(V4, 0x1234, ReasonCode.QUOTA_EXCEEDED), "40021234"),
        (encode.pubrec(V4, 0x1234), "50021234"),
        (encode.pubrel(V4, 0x1234), "62021234"),
        (encode.pubcomp(V4, 0x1234), "70021234"),
        (encode.suback(V4, 7, [ReasonCode(0), ReasonCode(1), ReasonCode.QUOTA_EXCEEDED]), "90050007000180"),
        (encode.unsuback(V4, 7, [ReasonCode.NO_SUBSCRIPTION_EXISTED]), "b0020007"),
        (encode.pingresp(), "d000"),
        (encode.disconnect(V4, ReasonCode.SERVER_SHUTTING_DOWN), ""),
        (encode.puback(V5, 7), "40020007"),
        (encode.puback(V5, 7, ReasonCode.QUOTA_EXCEEDED), "4003000797"),
        (encode.disconnect(V5, ReasonCode.SUCCESS), "e000"),
        (encode.disconnect(V5, ReasonCode.SESSION_TAKEN_OVER), "e0018e"),
    ],
)
def test_bytes(data: bytes, expected: str):
    assert data.hex() == expected


@given(st.booleans(), codes_of(mqtt5.ConnAckReasonCode), properties_of(Carrier.CONNACK))
def test_connack(present: bool, reason: ReasonCode, properties: Properties):
    data = encode.connack(V5, reason, session_present=present, properties=properties)
    assert read(data) == mqtt5.ConnAckPacket(
        session_present=present, reason_code=mqtt5.ConnAckReasonCode(reason), **their_properties(properties)
    )


@given(
    topics, payloads, st.integers(0, 2), st.booleans(), packet_ids, properties_of(Carrier.PUBLISH), st.lists(packet_ids)
)
def test_publish(
    topic: str, payload: bytes, qos: int, flag: bool, packet_id: int, properties: Properties, names: list[int]
):
    properties = properties._replace(subscription_identifiers=tuple(names))
    dup = flag and qos > 0
    data = encode.publish(V5, topic, payload, qos=qos, packet_id=packet_id, retain=flag, dup=dup, properties=properties)
    assert read(data) == mqtt5.PublishPacket(
        topic,
        payload,
        qos=mqtt5.QoS(qos),
        retain=flag,
        packet_id=packet_id if qos else None,
        duplicate=dup,
        **their_properties(properties),
    )


@pytest.mark.parametrize(
    ("write", "theirs", "codes"),
    [
        (encode.puback, mqtt5.PubAckPacket, mqtt5.PubAckReasonCode),
        (encode.pubrec, mqtt5.PubRecPacket, mqtt5.PubRecReasonCode),
        (encode.pubrel, mqtt5.PubRelPacket, mqtt5.PubRelReasonCode),
        (encode.pubcomp, mqtt5.PubCompPacket, mqtt5.PubCompReasonCode),
    ],
)
@given(packet_ids, st.data())
def test_acknowledgements(write, theirs, codes, packet_id: int, data: st.DataObject):
    reason = data.draw(codes_of(codes))
    properties = data.draw(properties_of(Carrier.PUBACK))
    written = write(V5, packet_id, reason, properties)
    assert read(written) == theirs(packet_id, reason_code=codes(reason), **their_properties(properties))


@given(packet_ids, st.lists(codes_of(mqtt5.SubAckReasonCode), min_size=1, max_size=4), properties_of(Carrier.SUBACK))
def test_suback(packet_id: int, reasons: list[ReasonCode], properties: Properties):
    expected = [mqtt5.SubAckReasonCode(reason) for reason in reasons]
    packet = mqtt5.SubAckPacket(packet_id, expected, **their_properties(properties))
    assert read(encode.suback(V5, packet_id, reasons, properties)) == packet


@given(
    packet_ids, st.lists(codes_of(mqtt5.UnsubAckReasonCode), min_size=1, max_size=4), properties_of(Carrier.UNSUBACK)
)
def test_unsuback(packet_id: int, reasons: list[ReasonCode], properties: Properties):
    expected = [mqtt5.UnsubAckReasonCode(reason) for reason in reasons]
    packet = mqtt5.UnsubAckPacket(packet_id, expected, **their_properties(properties))
    assert read(encode.unsuback(V5, packet_id, reasons, properties)) == packet


@given(codes_of(mqtt5.DisconnectReasonCode), properties_of(Carrier.DISCONNECT))
def test_disconnect(reason: ReasonCode, properties: Properties):
    packet = mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode(reason), **their_properties(properties))
    assert read(encode.disconnect(V5, reason, properties)) == packet


def test_pingresp():
    assert read(encode.pingresp()) == mqtt5.PingRespPacket()


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda: encode.publish(V4, "", b""), id="no topic"),
        pytest.param(lambda: encode.publish(V4, "a/#", b""), id="wildcard"),
        pytest.param(lambda: encode.publish(V4, "a\0", b""), id="NUL"),
        pytest.param(lambda: encode.publish(V4, "a\ud800", b""), id="surrogate"),
        pytest.param(lambda: encode.publish(V4, "é" * 40000, b""), id="a long topic"),
        pytest.param(lambda: encode.publish(V4, "a", b"", qos=1), id="packet identifier 0"),
        pytest.param(lambda: encode.publish(V4, "a", b"", qos=3, packet_id=1), id="QoS 3"),
        pytest.param(lambda: encode.publish(V4, "a", b"", dup=True), id="DUP with QoS 0"),
        pytest.param(lambda: encode.puback(V4, 65536), id="packet identifier 65536"),
        pytest.param(
            lambda: encode.puback(V5, 1, properties=Properties(server_keep_alive=1)), id="a property of CONNACK"
        ),
        pytest.param(
            lambda: encode.connack(V5, ReasonCode.SUCCESS, properties=Properties(server_keep_alive=65536)), id="range"
        ),
        pytest.param(
            lambda: encode.connack(V5, ReasonCode.SUCCESS, properties=Properties(receive_maximum=0)), id="zero"
        ),
        pytest.param(
            lambda: encode.disconnect(V5, ReasonCode.SUCCESS, Properties(reason_string="a\0")), id="NUL in a text"
        ),
    ],
)
def test_what_no_packet_can_say_is_refused(write):
    with pytest.raises(ValueError):
        write()


def test_a_packet_is_at_most_256_mib():
    class Huge(bytes):
        def __len__(self) -> int:
            return 268_435_455

    with pytest.raises(ValueError, match="too much"):
        encode.publish(V4, "a", Huge())
