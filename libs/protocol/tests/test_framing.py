"""Properties of the codecs: round trip, any chunking, any garbage."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vpin_protocol import (
    APP_MAX_BODY,
    AppDecoder,
    Frame,
    Framing,
    HardwareDecoder,
    ProtocolError,
    Reason,
    app_frame,
    app_from_web,
    app_response,
    decode_web,
    hardware_frame,
    hardware_response,
    scan_app,
    scan_hardware,
    split_app,
    split_hardware,
    split_web,
    web_frame,
    web_from_app,
    web_response,
)

FRAME = {Framing.HARDWARE: hardware_frame, Framing.APP: app_frame, Framing.WEB: web_frame}
RESPONSE = {Framing.HARDWARE: hardware_response, Framing.APP: app_response, Framing.WEB: web_response}
STREAMS = [
    pytest.param(HardwareDecoder, scan_hardware, split_hardware, Framing.HARDWARE, id="hardware"),
    pytest.param(AppDecoder, scan_app, split_app, Framing.APP, id="app"),
]

ids = st.integers(0, 65535)
responses = st.builds(Frame, st.just(0), ids, st.just(b""), st.integers(0, 65535))
requests = st.builds(Frame, st.integers(1, 99), ids, st.binary(max_size=300), st.none())
single = responses | requests
runs = st.tuples(single, st.integers(1, 150)).map(lambda run: [run[0]] * run[1])
frames = st.lists(runs | st.lists(single, max_size=5), max_size=5).map(
    lambda parts: [f for part in parts for f in part]
)
cuts = st.lists(st.integers(0, 1 << 20), max_size=20)


def encode(framing: Framing, frame: Frame) -> bytes:
    if frame.status is not None:
        return RESPONSE[framing](frame.message_id, frame.status)
    return FRAME[framing](frame.command, frame.message_id, frame.body)


def chunks(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in at} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def run(decoder: HardwareDecoder | AppDecoder, parts: list[bytes]) -> tuple[list[Frame], Reason | None]:
    got: list[Frame] = []
    for part in parts:
        try:
            got += decoder.feed(part)
        except ProtocolError as error:
            return [*got, *error.decoded], error.reason
    return got, None


@pytest.mark.parametrize(("decoder", "scan", "split", "framing"), STREAMS)
@given(sent=frames, at=cuts, tail=st.integers(0, 400))
def test_round_trip_in_any_chunks(decoder, scan, split, framing, sent, at, tail):
    data = b"".join(encode(framing, f) for f in sent)
    assert run(decoder(), chunks(data, at)) == (sent, None)
    assert scan(data) == (len(data), len(sent))
    assert list(split(data)) == [f[:3] for f in sent]
    torn = data[: max(0, len(data) - tail)]
    end, count = scan(torn)
    assert list(split(torn, 0, end)) == [f[:3] for f in sent[:count]]
    assert end <= len(torn)
    assert count == len(sent) or end + len(encode(framing, sent[count])) > len(torn)


@pytest.mark.parametrize(("decoder", "scan", "split", "framing"), STREAMS)
@given(before=frames, garbage=st.binary(max_size=60), at=cuts)
def test_garbage_gives_frames_or_a_protocol_error(decoder, scan, split, framing, before, garbage, at):
    data = b"".join(encode(framing, f) for f in before) + garbage
    whole = run(decoder(), [data])
    assert run(decoder(), chunks(data, at)) == whole
    assert whole[0][: len(before)] == before
    broken = None
    try:
        end, count = scan(bytearray(data))
    except ProtocolError as error:
        end, count = error.end, error.frames
        broken = error.reason
    assert (count, broken) == (len(whole[0]), whole[1])
    assert list(split(data, 0, end)) == [f[:3] for f in whole[0]]


@given(data=st.binary(max_size=60))
def test_garbage_in_chunks_that_should_be_whole(data):
    for split in (split_hardware, split_app, split_web):
        try:
            list(split(data, 0, None))
        except ProtocolError:
            pass


@pytest.mark.parametrize(("decoder", "scan", "split", "framing"), STREAMS)
def test_unknown_command_leaves_what_was_before(decoder, scan, split, framing):
    good = FRAME[framing](20, 1, b"vw\x001\x005")
    data = good * 3 + FRAME[framing](100, 1, b"")
    with pytest.raises(ProtocolError) as caught:
        scan(data)
    assert (caught.value.reason, caught.value.end, caught.value.frames) == (Reason.UNKNOWN_COMMAND, len(good) * 3, 3)
    broken = decoder()
    with pytest.raises(ProtocolError) as caught:
        broken.feed(data)
    assert caught.value.decoded == (Frame(20, 1, b"vw\x001\x005"),) * 3
    with pytest.raises(ProtocolError) as caught:
        broken.feed(good)
    assert caught.value.decoded == ()


def test_scanner_starts_where_it_is_told():
    data = b"\xff\xff" + hardware_frame(20, 1, b"vw\x001\x005") * 200 + b"\x14"
    assert scan_hardware(data, 2) == (len(data) - 1, 200)


def test_runs_end_where_any_byte_of_the_header_differs():
    body = b"x" * 300
    for other in (
        hardware_frame(21, 1, body),
        hardware_frame(20, 1, body[:299]),
        hardware_frame(20, 1, body[:44]),
        hardware_response(1, 300),
    ):
        data = hardware_frame(20, 1, body) * 10 + other + hardware_frame(20, 1, body) * 100
        assert scan_hardware(data) == (len(data), 111)


def test_app_length_is_checked_on_the_header():
    largest = bytes([20, 0, 1]) + APP_MAX_BODY.to_bytes(4, "big")
    assert scan_app(largest) == (0, 0)
    for length in (APP_MAX_BODY + 1, 1 << 31, (1 << 32) - 1):
        with pytest.raises(ProtocolError) as caught:
            AppDecoder().feed(bytes([20, 0, 1]) + length.to_bytes(4, "big"))
        assert caught.value.reason is Reason.OVERSIZE


def test_bytes_of_a_torn_frame_are_pending():
    decoder = HardwareDecoder()
    assert decoder.feed(b"\x06\x00") == []
    assert decoder.pending == 2
    assert decoder.feed(b"\x01\x00\x00") == [Frame(6, 1)]
    assert decoder.pending == 0


def test_a_status_is_not_a_length():
    assert HardwareDecoder().feed(bytes.fromhex("00000100c8")) == [Frame(0, 1, b"", 200)]
    assert AppDecoder().feed(bytes.fromhex("000001000000c8")) == [Frame(0, 1, b"", 200)]
    assert hardware_response(1, 200) == bytes.fromhex("00000100c8")
    assert app_response(1, 200) == bytes.fromhex("000001000000c8")


def test_bodies_that_do_not_fit():
    assert len(hardware_frame(20, 1, bytes(65535))) == 65540
    with pytest.raises(ProtocolError, match="larger"):
        hardware_frame(20, 1, bytes(65536))
    with pytest.raises(ProtocolError, match="larger"):
        app_frame(20, 1, bytes(APP_MAX_BODY + 1))


@given(frame=single)
def test_web_round_trip(frame):
    message = encode(Framing.WEB, frame)
    assert decode_web(message) == frame
    assert list(split_web(message)) == [(frame.command, frame.message_id, frame.body)]
    if frame.status is None:
        assert list(web_from_app(app_from_web(message))) == [message]
    else:
        assert app_from_web(message) == app_response(frame.message_id, 0)


@given(message=st.binary(max_size=20))
def test_web_garbage_is_ignored(message):
    frame = decode_web(message)
    assert frame is None or frame.command < 100


def test_web_messages_to_ignore():
    for message in (b"", b"\x14\x00", b"\x64\x00\x01", b"\x00\x00\x01\x00\x00\x00"):
        assert decode_web(message) is None
    assert list(split_web(b"")) == []


@given(sent=st.lists(single, max_size=10))
def test_app_frames_as_web_messages(sent):
    joined = b"".join(encode(Framing.APP, f) for f in sent)
    assert [decode_web(m) for m in web_from_app(joined)] == sent
    assert list(web_from_app(app_response(7, 200))) == [web_response(7, 200)]
    assert list(web_from_app(app_frame(24, 7, b"x"))) == [web_frame(24, 7, b"x")]


@pytest.mark.parametrize("torn", [b"\x14", app_frame(20, 1, b"abc")[:-1]])
def test_torn_app_frames_are_no_web_messages(torn):
    with pytest.raises(ProtocolError) as caught:
        list(web_from_app(torn))
    assert caught.value.reason is Reason.TRUNCATED
