"""The port for those who run the system: ``/metrics``, ``/healthz`` (alive), ``/readyz`` (can do its job)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from vpin_runtime.settings import Address

__all__ = ["OpsServer", "ops_app"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Checks = Callable[[], dict[str, bool]]


def ops_app(checks: Checks) -> App:
    """ASGI application; ``/readyz`` is 200 when all checks are true, else 503, with the checks as JSON."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/metrics":
            accepted = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
            encode, content_type = choose_encoder(accepted)
            await _answer(send, 200, encode(REGISTRY), content_type)
        elif path == "/healthz":
            await _answer(send, 200, b"{}")
        elif path == "/readyz":
            parts = checks()
            ready = bool(parts) and all(parts.values())
            await _answer(send, 200 if ready else 503, json.dumps({"ready": ready, "checks": parts}).encode())
        else:
            await _answer(send, 404, b"{}")

    return app


async def _answer(send: Send, status: int, body: bytes, content_type: str = "application/json") -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class OpsServer:
    """Serves :func:`ops_app` on one address, on the service's own event loop."""

    def __init__(self, address: Address, checks: Checks) -> None:
        self._address, self._checks = address, checks
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Open the port; OSError when it is taken."""
        from uvicorn.config import Config
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
        from uvicorn.server import ServerState

        app: Any = ops_app(self._checks)
        config = Config(app, access_log=False, log_config=None, lifespan="off", ws="none", timeout_keep_alive=30)
        config.load()
        state = ServerState()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: HttpToolsProtocol(config, state, {}), *self._address)

    async def stop(self) -> None:
        """Close the port. Connections are left to end with the process: nobody waits for their answers."""
        if self._server:
            self._server.close()
            self._server = None
