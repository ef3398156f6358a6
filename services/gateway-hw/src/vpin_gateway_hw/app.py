"""The gateway of the boards: hardware framing over TCP and TLS and inside websockets, and MQTT on a port of its own."""

from __future__ import annotations

import asyncio

from vpin_bus import Bus
from vpin_runtime.settings import Settings
from vpin_sessions import BOARDS, Adopt, GatewayService, MqttSession, adopt


class GatewayHardware(GatewayService):
    """The service ``gateway-hw``. `listen=False`: no ports, an acceptor in the process gives it connections."""

    def __init__(self, settings: Settings, bus: Bus, *, listen: bool = True) -> None:
        super().__init__(BOARDS, settings, bus, listen=listen)
        if listen and settings.hardware_mqtt:
            self.listen("hardware_mqtt", settings, self._choose_mqtt, proxied=settings.proxy_protocol)

    def adopt_mqtt(self, transport: asyncio.Transport, data: bytes, address: str) -> None:
        """Serve a connection of the MQTT port, from its accept on: a client that says nothing has its time, too."""
        adopt(MqttSession(self.gateway, self.gateway.new_number(), address), transport, data)

    def _choose_mqtt(self, data: bytes) -> Adopt:
        return self.adopt_mqtt
