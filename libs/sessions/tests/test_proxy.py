"""The PROXY header in front of a client's bytes."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vpin_sessions.proxy import SIGNATURE, ProxyError, ProxyHeader, read_header


def header(command: int, family: int, rest: bytes) -> bytes:
    return SIGNATURE + bytes((0x20 | command, family)) + len(rest).to_bytes(2, "big") + rest


@given(st.ip_addresses(), st.binary(max_size=40), st.binary(max_size=40))
def test_the_source_address_is_the_clients(address, extensions, behind):
    packed = address.packed
    whole = header(1, 0x11 if address.version == 4 else 0x21, packed + packed + b"\0\1\0\2" + extensions)
    assert read_header(whole + behind) == ProxyHeader(len(whole), str(address))
    assert all(read_header(whole[:size]) is None for size in range(len(whole)))


@pytest.mark.parametrize(
    "whole",
    [header(0, 0, b""), header(0, 0x11, bytes(12)), header(1, 0, b""), header(1, 0x31, bytes(216))],
    ids=["health check", "health check with addresses", "unspecified", "unix"],
)
def test_a_header_without_a_client_leaves_the_peers_address(whole):
    assert read_header(whole) == ProxyHeader(len(whole), "")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1",
        b"\x1d",
        b"PROXY TCP4 1.2.3.4",
        SIGNATURE + b"\x11\x11\0\x0c" + bytes(12),
        header(2, 0x11, bytes(12)),
        header(1, 0x11, bytes(11)),
        header(1, 0x21, bytes(12)),
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_anything_else_is_an_error(data):
    with pytest.raises(ProxyError):
        read_header(data)


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data):
    for begin in (b"", SIGNATURE, SIGNATURE + b"\x21"):
        try:
            found = read_header(begin + data)
        except ProxyError:
            continue
        assert found is None or found.address == "" or ipaddress.ip_address(found.address)
