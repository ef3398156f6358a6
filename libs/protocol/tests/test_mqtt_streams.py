"""Properties of the MQTT decoder: round trip, any cutting, any garbage, and the same reading as ``mqtt5``."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from itertools import pairwise

import mqtt5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqtt_peer import connects, packets, properties_of, sent, theirs
from vpin_protocol.mqtt import (
    MQTT_3_1_1,
    MQTT_5,
    NO_PROPERTIES,
    Connect,
    Decoder,
    Disconnect,
    MqttError,
    Packet,
    ReasonCode,
    Subscribe,
    Unsubscribe,
    filter_fault,
)
from vpin_protocol.mqtt.properties import Carrier

LIMIT = 1 << 20
versions = pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5], ids=["3.1.1", "5"])


@cache
def streams(version: int) -> st.SearchStrategy[list[Packet]]:
    return st.tuples(connects(version), st.lists(packets(version), max_size=6)).map(lambda parts: [parts[0], *parts[1]])


def outcome(chunks: list[bytes]) -> tuple[list[tuple[str, Packet]], ReasonCode | None, int | None]:
    """The packets with their types, how it ended, and the version that was understood."""
    decoder, found, reason = Decoder(LIMIT), list[Packet](), None
    for chunk in chunks:
        try:
            found += decoder.feed(chunk)
        except MqttError as fault:
            found += fault.packets
            reason = fault.reason
            with pytest.raises(MqttError) as again:
                decoder.feed(b"\xc0\x00")
            assert (again.value.reason, again.value.packets) == (reason, ())
            break
    return [(type(packet).__name__, packet) for packet in found], reason, decoder.version


@cache
@st.composite
def cut(draw: st.DrawFn, version: int) -> tuple[bytes, list[bytes]]:
    """A stream, more often than not with faults, whole and cut somewhere."""
    data = bytearray(b"".join(sent(packet, version) for packet in draw(streams(version))))
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    data += draw(st.binary(max_size=8))
    at = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=12))})
    return bytes(data), [bytes(data[a:b]) for a, b in pairwise(at)]


@versions
@given(st.data())
def test_what_a_client_sends_is_read(version: int, data: st.DataObject):
    stream = data.draw(streams(version))
    found, reason, understood = outcome([b"".join(sent(packet, version) for packet in stream)])
    assert (found, reason) == ([(type(packet).__name__, packet) for packet in stream], None)
    assert understood == version


@versions
@settings(max_examples=60)
@given(st.data())
def test_any_cut_of_a_stream_gives_the_same(version: int, data: st.DataObject):
    whole, chunks = data.draw(cut(version))
    expected = outcome([whole])
    assert outcome(chunks) == expected
    assert outcome([whole[i : i + 1] for i in range(len(whole))]) == expected


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\x10\x0c\0\4MQTT\4\2\0\0\0\0", b"\x10\x0d\0\4MQTT\5\2\0\0\0\0\0"])
)
def test_any_bytes_give_packets_or_the_one_error(garbage: bytes, hello: bytes):
    decoder = Decoder(LIMIT)
    decoder.feed(hello)
    with suppress(MqttError):
        assert all(isinstance(packet, tuple) for packet in decoder.feed(garbage))


def filters_of(packet: Packet) -> tuple[str, ...]:
    match packet:
        case Subscribe():
            return tuple(each.filter for each in packet.subscriptions)
        case Unsubscribe():
            return packet.filters
        case _:
            return ()


@given(st.data())
def test_a_second_implementation_reads_the_same(data: st.DataObject):
    """Whatever we take, faulty streams too, it takes; so whatever it refuses, we refuse."""
    whole, _ = data.draw(cut(MQTT_5))
    found, _, understood = outcome([whole])
    if understood != MQTT_5:
        return
    rest = memoryview(whole)
    for _, packet in found:
        their, size = mqtt5.read(rest)
        rest = rest[size:]
        if all(filter_fault(pattern) is None for pattern in filters_of(packet)):  # it cannot build those that are not
            assert their == theirs(packet)


@given(streams(MQTT_5))
def test_what_a_second_implementation_writes_is_read(stream: list[Packet]):
    found, reason, _ = outcome([b"".join(theirs(packet).write() for packet in stream)])
    assert reason is None
    assert [theirs(packet) for _, packet in found] == [theirs(packet) for packet in stream]


@given(
    connects(MQTT_5),
    st.sampled_from([0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]),
    properties_of(Carrier.DISCONNECT, "session_expiry_interval"),
    st.binary(max_size=20),
)
def test_disconnect_is_the_last_packet(connect: Connect, code: int, properties, behind: bytes):
    packet = Disconnect(ReasonCode(code), properties)
    for written in (sent(packet, MQTT_5), theirs(packet).write()):
        found, reason, _ = outcome([sent(connect, MQTT_5) + written + behind, behind])
        assert ([each for _, each in found], reason) == ([connect, packet], None)
    plain = connect._replace(version=MQTT_3_1_1, properties=NO_PROPERTIES, will=None, username="", password=None)
    found, reason, _ = outcome([sent(plain, MQTT_3_1_1) + b"\xe0\0" + behind, behind])
    assert ([each for _, each in found], reason) == ([plain, Disconnect()], None)
