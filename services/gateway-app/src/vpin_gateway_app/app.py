"""The gateway of the apps: app framing over TLS, web framing inside websockets."""

from __future__ import annotations

from vpin_bus import Bus
from vpin_runtime.settings import Settings
from vpin_sessions import APPS, GatewayService


class GatewayApp(GatewayService):
    """The service ``gateway-app``. `listen=False`: no ports, an acceptor in the process gives it connections."""

    def __init__(self, settings: Settings, bus: Bus, *, listen: bool = True) -> None:
        super().__init__(APPS, settings, bus, listen=listen)
