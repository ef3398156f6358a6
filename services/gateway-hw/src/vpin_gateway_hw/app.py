"""The gateway of the boards: hardware framing over TCP and TLS, and inside websockets."""

from __future__ import annotations

from vpin_bus import Bus
from vpin_runtime.settings import Settings
from vpin_sessions import BOARDS, GatewayService


class GatewayHardware(GatewayService):
    """The service ``gateway-hw``. `listen=False`: no ports, an acceptor in the process gives it connections."""

    def __init__(self, settings: Settings, bus: Bus, *, listen: bool = True) -> None:
        super().__init__(BOARDS, settings, bus, listen=listen)
