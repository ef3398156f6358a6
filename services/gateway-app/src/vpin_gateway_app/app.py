"""The gateway of the apps: app framing over TLS, web framing inside websockets."""

from __future__ import annotations

import asyncio
import ssl

from vpin_bus import Bus
from vpin_messages.slab import Side
from vpin_runtime.settings import Settings, parse_address
from vpin_sessions import (
    APP,
    WEB,
    Adopt,
    Gateway,
    Listener,
    Refused,
    Session,
    WebSocketSession,
    Wire,
    adopt,
    adopt_websocket,
    is_app_socket,
    refusal,
    server_context,
    sniff,
    target,
)


class GatewayApp:
    """The service ``gateway-app``. `listen=False`: no ports, an acceptor in the process gives it connections."""

    name = "gateway-app"

    def __init__(self, settings: Settings, bus: Bus, *, listen: bool = True) -> None:
        self.gateway = Gateway(self.name, settings, bus)
        self.listeners: list[Listener] = []
        if listen and settings.app:
            self._listen(settings.app, proxied=settings.proxy_protocol)
        if listen and settings.app_tls:
            self._listen(settings.app_tls, tls=server_context(settings))

    async def start(self) -> None:
        await self.gateway.start()
        for listener in self.listeners:
            await listener.start()

    async def stop(self) -> None:
        for listener in self.listeners:
            listener.stop()
        await self.gateway.stop()

    def checks(self) -> dict[str, bool]:
        return {"bus": self.gateway.ready, "listening": all(listener.listening for listener in self.listeners)}

    def adopt(self, transport: asyncio.Transport, data: bytes, address: str) -> None:
        """Serve a connection that speaks the app framing."""
        adopt(Session(self.gateway, APP, self.gateway.new_number(), address), transport, data)

    def adopt_websocket(self, transport: asyncio.Transport, data: bytes, address: str) -> None:
        """Serve a websocket; ``data`` holds the whole head of its upgrade request."""
        session = WebSocketSession(self.gateway, WEB, self.gateway.new_number(), address)
        adopt_websocket(session, transport, data)

    def _choose(self, data: bytes) -> Adopt | None:
        wire = sniff(data, Wire.APP)
        if wire is not Wire.HTTP:
            return self.adopt if wire else None
        path = target(data)
        if path is None:
            return None
        if not is_app_socket(path):
            raise Refused(refusal("404 Not Found"))
        return self.adopt_websocket

    def _listen(self, address: str, *, tls: ssl.SSLContext | None = None, proxied: bool = False) -> None:
        gateway = self.gateway
        limit = gateway.limits[Side.APP]
        where = parse_address(address)
        self.listeners.append(
            Listener(where, self._choose, gateway.wheel, limit, gateway.tally, tls=tls, proxied=proxied)
        )
