"""An id for each request: the client's own, if it is a sane one, else ours. It is in the answer and in every log line."""

from __future__ import annotations

import itertools
import re
import secrets

HEADER = b"x-request-id"
REQUEST_ID = "vpin.request_id"
"""Key of the id in an ASGI scope."""

_sane = re.compile(rb"[A-Za-z0-9._~-]{1,64}").fullmatch
_prefix = secrets.token_hex(4).encode()
_numbers = itertools.count(1)


def request_id(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The id of a request with these headers."""
    for name, value in headers:
        if name == HEADER and _sane(value):
            return value
    return b"%s-%x" % (_prefix, next(_numbers))
