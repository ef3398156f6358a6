"""Both gateways as services: a table of the two, ports, and who adopts a connection."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import NamedTuple

from vpin_bus import Bus
from vpin_runtime.settings import Settings, parse_address

from vpin_sessions.gateway import Gateway
from vpin_sessions.kind import APP, HARDWARE, WEB, Kind
from vpin_sessions.listener import Adopt, Listener
from vpin_sessions.session import Session, adopt
from vpin_sessions.sniff import Refused, Wire, is_app_socket, is_board_socket, refusal, sniff, target
from vpin_sessions.tls import server_context
from vpin_sessions.websocket import WebSocketSession, adopt_websocket


class Role(NamedTuple):
    """What one of the gateways serves."""

    name: str
    wire: Wire
    stream: Kind  # of a connection that carries frames as they are
    websocket: Kind
    is_websocket: Callable[[bytes], bool]  # whether the path of an upgrade request is this gateway's
    plain: str  # the setting with the address; one that is empty means: none
    tls: str


BOARDS = Role("gateway-hw", Wire.HARDWARE, HARDWARE, HARDWARE, is_board_socket, "hardware", "hardware_tls")
APPS = Role("gateway-app", Wire.APP, APP, WEB, is_app_socket, "app", "app_tls")


class GatewayService:
    """A gateway as a service. `listen=False`: no ports, an acceptor in the process gives it connections."""

    def __init__(self, role: Role, settings: Settings, bus: Bus, *, listen: bool = True) -> None:
        self.name = role.name
        self.gateway = Gateway(role.name, settings, bus)
        self.listeners: list[Listener] = []
        self._role = role
        if listen and getattr(settings, role.plain):
            self.listen(role.plain, settings, self._choose, proxied=settings.proxy_protocol)
        if listen and getattr(settings, role.tls):
            self.listen(role.tls, settings, self._choose, tls=server_context(settings))

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
        """Serve a connection that speaks the gateway's framing."""
        adopt(Session(self.gateway, self._role.stream, self.gateway.new_number(), address), transport, data)

    def adopt_websocket(self, transport: asyncio.Transport, data: bytes, address: str) -> None:
        """Serve a websocket; ``data`` holds the whole head of its upgrade request."""
        session = WebSocketSession(self.gateway, self._role.websocket, self.gateway.new_number(), address)
        adopt_websocket(session, transport, data)

    def _choose(self, data: bytes) -> Adopt | None:
        wire = sniff(data, self._role.wire)
        if wire is not Wire.HTTP:
            return self.adopt if wire else None
        path = target(data)
        if path is None:
            return None
        if not self._role.is_websocket(path):
            raise Refused(refusal("404 Not Found"))
        return self.adopt_websocket

    def listen(
        self,
        setting: str,
        settings: Settings,
        choose: Callable[[bytes], Adopt | None],
        *,
        tls: ssl.SSLContext | None = None,
        proxied: bool = False,
    ) -> None:
        """Have a port from `start` on: that of a setting."""
        gateway = self.gateway
        limit = gateway.limits[self._role.stream.side]
        self.listeners.append(
            Listener(
                parse_address(getattr(settings, setting)),
                choose,
                gateway.wheel,
                limit,
                gateway.tally,
                tls=tls,
                proxied=proxied,
                setting=f"VPIN_{setting.upper()}",
            )
        )
