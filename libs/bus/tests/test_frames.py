"""Frames by hand against pamqp, and any split of the input."""

from __future__ import annotations

from itertools import pairwise

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from vpin_bus.amqp import frames
from vpin_bus.amqp.sequence import read_stamp, stamp


def parse(data: bytes) -> list[object]:
    found: list[object] = []
    while data:
        count, _, frame = pamqp.frame.unmarshal(data)
        found.append(frame)
        data = data[count:]
    return found


@given(body=st.binary(max_size=400), mark=st.binary(max_size=40).map(lambda value: value.hex().encode()))
def test_publish_is_what_pamqp_reads(body: bytes, mark: bytes) -> None:
    method = frames.publish_method(7, "ex", "key", mandatory=True)
    publish, header, *chunks = parse(frames.publish(method, 7, mark, body, frame_max=108))
    assert isinstance(publish, commands.Basic.Publish)
    assert (publish.exchange, publish.routing_key, publish.mandatory, publish.immediate) == ("ex", "key", True, False)
    assert isinstance(header, ContentHeader)
    assert header.body_size == len(body)
    assert header.properties.delivery_mode == 2
    assert b"".join(chunk.value for chunk in chunks if isinstance(chunk, ContentBody)) == body
    assert all(isinstance(chunk, ContentBody) and len(chunk.value) <= 100 for chunk in chunks)
    assert frames.message_id(header.marshal()) == mark
    assert frames.body_size(header.marshal()) == len(body)


def test_acknowledgements_are_what_pamqp_reads() -> None:
    (ack,) = parse(frames.ack(3, 2**40, multiple=True))
    assert isinstance(ack, commands.Basic.Ack)
    assert (ack.delivery_tag, ack.multiple) == (2**40, True)
    (reject,) = parse(frames.reject(3, 9))
    assert isinstance(reject, commands.Basic.Reject)
    assert (reject.delivery_tag, reject.requeue) == (9, False)


def test_deliveries_and_confirms_from_pamqp() -> None:
    deliver = pamqp.frame.marshal(commands.Basic.Deliver("tag", 77, True, "ex", "key"), 1)[7:-1]
    assert frames.method_id(deliver) == frames.DELIVER
    assert frames.read_deliver(deliver) == (77, True)
    nack = pamqp.frame.marshal(commands.Basic.Nack(5, True, False), 1)[7:-1]
    assert frames.method_id(nack) == frames.NACK
    assert frames.read_confirm(nack) == (5, True)


def test_a_message_id_among_other_properties() -> None:
    properties = commands.Basic.Properties(content_type="text/plain", headers={"a": 1}, message_id="m", delivery_mode=2)
    assert frames.message_id(ContentHeader(body_size=3, properties=properties).marshal()) == b"m"
    assert frames.message_id(ContentHeader(body_size=3).marshal()) == b""


@given(cuts=st.lists(st.integers(0, 400), max_size=20))
def test_any_split_gives_the_same_frames(cuts: list[int]) -> None:
    method = frames.publish_method(7, "", "key", mandatory=True)
    data = b"".join(frames.publish(method, 7, b"id", b"x" * size, 108) for size in (0, 5, 250)) + frames.HEARTBEAT_FRAME
    whole = [frame for frame in frames.split(data) if not isinstance(frame, int)]
    found: list[frames.Frame] = []
    rest = b""
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, stop in pairwise(edges):
        rest += data[start:stop]
        for frame in frames.split(rest):
            if isinstance(frame, int):
                rest = rest[frame:]
                break
            found.append(frame)
    assert found == whole
    assert rest == b""


def test_a_broken_frame_is_refused() -> None:
    with pytest.raises(frames.FrameError):
        list(frames.split(frames.HEARTBEAT_FRAME[:-1] + b"x"))


def test_stamps() -> None:
    assert read_stamp(stamp("ab12", 17, 14)) == (b"ab12", 17, 14)
    assert read_stamp(b"") == read_stamp(b"other") == read_stamp(b"a.b.c") == (b"", 0, 0)
