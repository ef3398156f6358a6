"""The first bytes decide, as soon as they can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vpin_sessions.sniff import (
    METHODS,
    Refused,
    Wire,
    is_app_socket,
    is_board_socket,
    may_be_websocket,
    refusal,
    sniff,
    target,
)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("other", [None, Wire.HARDWARE, Wire.APP])
def test_http_is_known_after_four_bytes(method, other):
    assert [sniff(method[:n], other) for n in (1, 2, 3)] == [None] * 3
    assert sniff(method, other) is Wire.HTTP


@pytest.mark.parametrize(
    ("first", "wire"),
    [
        (b"\x1d", Wire.HARDWARE),
        (b"\x1d\0\1\0\x20", Wire.HARDWARE),
        (b"\2", None),
        (b"\2\0\1", None),
        (b"\2\0\1\0", None),
        (b"\2\0\1\0\x20", Wire.HARDWARE),
        (b"\2\xff\xff\1", Wire.HARDWARE),
        (b"\2\0\1\0\0", Wire.APP),
        (b"\2\0\1\0\0\0\x20", Wire.APP),
        (b"\1", Wire.APP),
        (b"\x28", Wire.APP),
        (b"GEX", Wire.APP),
        (b"\xff", Wire.APP),
    ],
)
def test_on_the_tls_port_boards_and_apps_are_told_apart(first, wire):
    assert sniff(first, None) is wire


@given(st.binary(max_size=12), st.sampled_from([None, Wire.HARDWARE, Wire.APP]))
def test_a_decision_is_made_within_five_bytes_and_stands(data, other):
    decisions = [sniff(data[:n], other) for n in range(len(data) + 1)]
    made = next((n for n, wire in enumerate(decisions) if wire), len(data) + 1)
    assert set(decisions[made:]) <= {decisions[made] if made <= len(data) else None}
    assert made <= 5 or len(data) < 5


@pytest.mark.parametrize(
    ("head", "asked"),
    [
        (b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\nmore", b"/a?b"),
        (b"POST /websockets HTTP/1.1\r\n\r\n", b""),
        (b"GET /a\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", None),
    ],
)
def test_the_target_of_a_request(head, asked):
    assert target(head) == asked


def test_a_head_without_end_is_refused():
    with pytest.raises(Refused) as refused:
        target(b"GET /websockets HTTP/1.1\r\nX: " + b"x" * 70_000)
    assert refused.value.answer == refusal("431 Request Header Fields Too Large")


@pytest.mark.parametrize(
    ("path", "board", "app"),
    [
        (b"/websockets", True, False),
        (b"/websockets/", True, False),
        (b"/websockets?x=/", True, False),
        (b"/websocket", True, False),
        (b"/websocketX", False, False),
        (b"/websocketsX", False, False),
        (b"/dashws", False, True),
        (b"/dashws/", False, False),
        (b"/", False, False),
        (b"", False, False),
    ],
)
def test_paths_of_websockets(path, board, app):
    assert (is_board_socket(path), is_app_socket(path)) == (board, app)
    request = b"GET " + path + b" HTTP/1.1\r\n"
    for size in range(4, len(request)):
        assert may_be_websocket(request[:size]) or not (board or app)


def test_other_requests_are_known_by_their_first_bytes():
    assert not may_be_websocket(b"POST")
    assert not may_be_websocket(b"GET /a")
    assert may_be_websocket(b"GET ")
