"""The ports of the embedded run: whatever speaks a protocol of ours, told apart by its first bytes (spec 01, 1.2).

    plain   HTTP and websockets, else boards
    TLS     HTTP and websockets, boards, else apps
    MQTT    boards that speak it, and nothing else; there may be none

A connection is adopted by a gateway or by an HTTP protocol of the same process as soon as it is clear what it is.
Until then the boards' idle time runs.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial

from vpin_gateway_app.app import GatewayApp
from vpin_gateway_hw.app import GatewayHardware
from vpin_messages.slab import Side
from vpin_runtime.settings import Settings, parse_address
from vpin_sessions import (
    Adopt,
    Listener,
    Wheel,
    Wire,
    idle_limits,
    is_app_socket,
    is_board_socket,
    may_be_websocket,
    new_tally,
    server_context,
    sniff,
    target,
)

Factory = Callable[[bool], asyncio.Protocol]
"""Makes the protocol of one HTTP connection; the argument says whether it is inside TLS."""


class Acceptor:
    """Listens on the addresses of the settings. Start it after the services it feeds, stop it before them."""

    name = "acceptor"

    def __init__(
        self,
        settings: Settings,
        gateway_hw: GatewayHardware,
        gateway_app: GatewayApp,
        http_protocol_factory: Factory,
    ) -> None:
        self._hardware = gateway_hw
        self._app = gateway_app
        self._http = http_protocol_factory
        self._wheel = Wheel()
        limit = min(idle_limits(settings)[Side.HARDWARE], idle_limits(settings)[Side.APP])
        tally = new_tally(self.name)

        def listener(setting: str, choose: Callable[[bytes], Adopt | None], tls: ssl.SSLContext | None) -> Listener:
            where = parse_address(getattr(settings, setting))
            name = f"VPIN_{setting.upper()}"
            return Listener(where, choose, self._wheel, limit, tally, tls=tls, setting=name)

        self.plain = listener("http", partial(self._choose, False), None)
        self.secure = listener("tls", partial(self._choose, True), server_context(settings))
        self.listeners = {"http": self.plain, "tls": self.secure}
        if settings.mqtt:
            self.listeners["mqtt"] = listener("mqtt", self._choose_mqtt, None)

    async def start(self) -> None:
        self._wheel.start()
        for listener in self.listeners.values():
            await listener.start()

    async def stop(self) -> None:
        """Accept no more; what was adopted is its service's."""
        for listener in self.listeners.values():
            listener.stop()
        self._wheel.stop()

    def checks(self) -> dict[str, bool]:
        return {name: listener.listening for name, listener in self.listeners.items()}

    def _choose_mqtt(self, data: bytes) -> Adopt:
        return self._hardware.adopt_mqtt

    def _choose(self, tls: bool, data: bytes) -> Adopt | None:
        match sniff(data, None if tls else Wire.HARDWARE):
            case Wire.HARDWARE:
                return self._hardware.adopt
            case Wire.APP:
                return self._app.adopt
            case Wire.HTTP:
                return self._choose_http(tls, data)
            case None:
                return None

    def _choose_http(self, tls: bool, data: bytes) -> Adopt | None:
        if not may_be_websocket(data):
            return partial(self._adopt_http, tls)
        path = target(data)
        if path is None:
            return None
        if is_board_socket(path):
            return self._hardware.adopt_websocket
        if is_app_socket(path):
            return self._app.adopt_websocket
        return partial(self._adopt_http, tls)

    def _adopt_http(self, tls: bool, transport: asyncio.Transport, data: bytes, address: str) -> None:
        protocol = self._http(tls)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)
