"""HTTP/1.1 by uvicorn's httptools protocol, with limits that it lacks: size of a request's head, and time for it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from vpin_api.exchange import EXCHANGE, Exchange
from vpin_api.front import Front
from vpin_api.request_ids import HEADER, REQUEST_ID, request_id

URL_LIMIT = 16 * 1024  # bytes; more is 414
HEAD_LIMIT = 64 * 1024  # bytes of request line and headers, beyond the read in which they begin; more is 431
HEAD_SECONDS = 20.0  # for a request's head to arrive
KEEP_ALIVE_SECONDS = 30  # without a request until a connection is closed
CONNECTIONS = 10_000  # connections or running requests from which on requests are answered with 503


class HttpServer:
    """What all connections of a process share; gives a protocol for each."""

    def __init__(self, front: Front) -> None:
        self.state = ServerState()
        self._config = Config(
            front,
            interface="asgi3",
            http=HttpProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            limit_concurrency=CONNECTIONS,
        )
        self._config.load()

    def protocol(self, tls: bool) -> HttpProtocol:
        """The protocol of a new connection; `tls`: it came through the TLS port."""
        return HttpProtocol(self._config, self.state, tls=tls)

    async def close(self, seconds: float) -> None:
        """Close idle connections at once, the others after their answer; after `seconds` all of them."""
        for connection in list(self.state.connections):
            connection.shutdown()
        if self.state.tasks:
            await asyncio.wait(list(self.state.tasks), timeout=seconds)
        for connection in list(self.state.connections):
            connection.transport.abort()


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, config: Config, state: ServerState, *, tls: bool) -> None:
        super().__init__(config, state, {})
        self._tls = tls
        self._refusal: HTTPStatus | None = None
        self._in_head = True
        self._head_bytes = -1  # of the present head, without the read in which it began; -1 before that read
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.scheme = "https" if self._tls else "http"
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._disarm()

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        super().data_received(data)
        if self._in_head and self.parser is not None:
            if self._deadline is None and self._head_bytes < 0:
                self._deadline = self.loop.call_later(HEAD_SECONDS, self._too_slow)
            self._head_bytes = 0 if self._head_bytes < 0 else self._head_bytes + len(data)
            if self._head_bytes > HEAD_LIMIT:
                self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = -1

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > URL_LIMIT:
            self._refusal = HTTPStatus.REQUEST_URI_TOO_LONG
            raise ValueError("URL too long")  # ends the parser's run; uvicorn then calls send_400_response

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._disarm()
        found = request_id(self.headers)
        self.scope[REQUEST_ID] = found  # type: ignore[typeddict-unknown-key]  # ours
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.default_headers = [*self.server_state.default_headers, (HEADER, found)]
            self.scope[EXCHANGE] = Exchange(self.cycle)  # type: ignore[typeddict-unknown-key]  # ours

    def send_400_response(self, msg: str) -> None:
        """Refuse what was no request, or was too large, and close."""
        status = self._refusal = self._refusal or HTTPStatus.BAD_REQUEST
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 %d %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                % (status, status.phrase.encode("ascii"))
            )
            self.transport.close()

    def _too_slow(self) -> None:
        self._deadline = None
        self.transport.close()

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
