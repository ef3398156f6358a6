"""One request and its answer on the wire, past ASGI's messages: a small body is just there, a plain answer is one write.

The pin routes are called often, and a fifth of what a call costs would go into messages, checks of headers that are ours,
and timers that never ring. The HTTP protocol puts the exchange into the scope; where it is missing, or a request or an
answer is no plain one, the routes speak ASGI like everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_api.answers import ANY_ORIGIN, Scope

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

EXCHANGE = "vpin.exchange"
"""Key of the :class:`Exchange` in an ASGI scope."""
SMALL_BODY = 16 * 1024
"""A body up to which the connection is never paused (uvicorn does from 64 KiB on)."""

_ORIGIN = b"%s: %s\r\n" % ANY_ORIGIN
_EMPTY = b"HTTP/1.1 200 OK\r\n" + _ORIGIN
_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json;charset=utf-8\r\n" + _ORIGIN


class Exchange:
    """A request as uvicorn's cycle knows it."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    def whole_body(self) -> bytes | None:
        """The body, if it has come completely and is small; None: ask ASGI's receive."""
        cycle = self._cycle
        if cycle.more_body or cycle.disconnected or len(cycle.body) > SMALL_BODY:
            return None
        return bytes(cycle.body)

    def answer(self, body: bytes) -> bool:
        """Write a 200 with JSON, or with nothing; False, with nothing done, where that takes more than one write."""
        cycle = self._cycle
        if cycle.response_started or cycle.disconnected or cycle.flow.write_paused:
            return False
        if not cycle.keep_alive or cycle.scope["method"] == "HEAD":
            return False
        parts = [_JSON if body else _EMPTY]
        for name, value in cycle.default_headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (b"content-length: %d\r\n\r\n" % len(body), body)
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"".join(parts))
        cycle.message_event.set()
        cycle.on_response()
        return True


def exchange_of(scope: Scope) -> Exchange | None:
    """The exchange of a request; None where it did not come by our HTTP protocol."""
    return scope.get(EXCHANGE)
