"""Ports: accept a connection, learn what it speaks, hand it to who serves it. The idle clock runs from the accept."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from math import inf
from typing import cast

from vpin_runtime.settings import Address

from vpin_sessions.metrics import Tally
from vpin_sessions.proxy import ProxyError, read_header
from vpin_sessions.sniff import Refused
from vpin_sessions.wheel import Wheel

Adopt = Callable[[asyncio.Transport, bytes, str], None]
"""Takes over a connection: its transport, the bytes so far, the client's address."""

BACKLOG = 4096
"""Connections that may wait to be accepted: a power cut sends all boards of a house or a town at once."""
HANDSHAKE_WITHIN = 10.0
"""Seconds for a TLS handshake."""
SHUTDOWN_WITHIN = 5.0
"""Seconds for the TLS good-bye."""


class Listener:
    """One port. ``choose`` tells from the bytes so far, none at first, who adopts a connection; None: needs more; or Refused.

    ``limit``: seconds of silence that a connection has before anybody adopted it. With ``proxied`` every connection
    begins with a PROXY header (never on a TLS port: an edge that sends it has ended TLS itself). ``setting`` is the
    name that an error gives to who has to choose another port.
    """

    def __init__(
        self,
        address: Address,
        choose: Callable[[bytes], Adopt | None],
        wheel: Wheel,
        limit: float,
        tally: Tally,
        *,
        tls: ssl.SSLContext | None = None,
        proxied: bool = False,
        setting: str = "",
    ) -> None:
        self.address = address
        self.choose = choose
        self.wheel = wheel
        self.limit = limit
        self.tally = tally
        self.proxied = proxied
        self.arrivals: set[Arrival] = set()
        self._setting = setting
        self._tls = tls
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; ``address`` then has the real port, also when 0 was asked for. OSError, with the setting, if that fails."""
        loop = asyncio.get_running_loop()
        seconds = (HANDSHAKE_WITHIN, SHUTDOWN_WITHIN) if self._tls else (None, None)
        try:
            self._server = await loop.create_server(
                lambda: Arrival(self),
                *self.address,
                ssl=self._tls,
                backlog=BACKLOG,
                ssl_handshake_timeout=seconds[0],
                ssl_shutdown_timeout=seconds[1],
            )
        except OSError as error:
            raise OSError(error.errno, f"{self._setting} ({error.strerror})") from error
        self.address = Address(self.address.host, self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Accept no more, drop connections that nobody has adopted. Adopted ones stay."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for arrival in list(self.arrivals):
            arrival.transport.abort()

    @property
    def listening(self) -> bool:
        return self._server is not None


class Arrival(asyncio.Protocol):
    """A connection that nobody has adopted yet."""

    __slots__ = ("_data", "_heard", "_listener", "_proxied", "address", "closing", "transport", "wake")

    transport: asyncio.Transport
    address: str

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._data = b""
        self._proxied = listener.proxied
        self._heard = 0.0
        self.address = ""
        self.closing = False
        self.wake = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)  # uvloop's are none by type
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        self._heard = asyncio.get_running_loop().time()
        listener = self._listener
        listener.arrivals.add(self)
        listener.tally.accepted += 1
        listener.wheel.watch(self)
        if not self._proxied:
            self._decide()

    def data_received(self, data: bytes) -> None:
        if self.closing:
            return
        self._heard = asyncio.get_running_loop().time()
        self._data += data
        try:
            if self._proxied and not self._unwrap():
                return
            self._decide()
        except ProxyError:
            self._listener.tally.bad_proxy += 1
            self._close()
        except Refused as refused:
            self._listener.tally.bad_requests += 1
            if refused.answer:
                self.transport.write(refused.answer)
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def deadline(self) -> float:
        return self._heard + self._listener.limit

    def expire(self) -> None:
        if self.closing:
            self.transport.abort()
        else:
            self._listener.tally.idle_closed += 1
            self._close()

    def _decide(self) -> None:
        """Let it be adopted, once it is clear by whom."""
        adopt = self._listener.choose(self._data)
        if adopt is not None:
            self._leave()
            adopt(self.transport, self._data, self.address)

    def _unwrap(self) -> bool:
        """Take the PROXY header off; False while it is not complete."""
        header = read_header(self._data)
        if header is None:
            return False
        self._proxied = False
        self.address = header.address or self.address
        self._data = self._data[header.size :]
        return True

    def _close(self) -> None:
        self.closing = True
        self.transport.close()
        if self._listener.limit != inf:
            self._listener.wheel.watch(self)

    def _leave(self) -> None:
        self._listener.arrivals.discard(self)
        self._listener.wheel.forget(self)
