"""PROXY protocol version 2: the binary header that an edge sends in front of a client's bytes."""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
MAX_LENGTH = 2048
"""Bytes of addresses and extensions taken: edges send well under 300."""

_REST = struct.Struct(">BBH")


class ProxyError(ValueError):
    """The connection does not begin with a header of this version."""


class ProxyHeader(NamedTuple):
    size: int  # bytes of the header
    address: str  # of the client; empty when the edge speaks for itself (health checks) or by no IP network


def read_header(data: bytes) -> ProxyHeader | None:
    """The header at the beginning of ``data``, None while it is not complete; ProxyError when there is none."""
    if data[:12] != SIGNATURE[: len(data)]:
        raise ProxyError("no PROXY header")
    if len(data) < 16:
        return None
    version, family, length = _REST.unpack_from(data, 12)
    if version not in (0x20, 0x21) or length > MAX_LENGTH:
        raise ProxyError("not a PROXY header of version 2")
    if len(data) < 16 + length:
        return None
    address = ""
    if version == 0x21 and family >> 4 in _SIZES:
        size = _SIZES[family >> 4]
        if length < 2 * size + 4:
            raise ProxyError("PROXY header without addresses")
        address = str(ipaddress.ip_address(data[16 : 16 + size]))
    return ProxyHeader(16 + length, address)


_SIZES = {1: 4, 2: 16}  # bytes of an address, by network
