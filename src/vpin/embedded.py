"""All services in one process: the embedded run.

The owner of the accounts starts before those who send to it and stops after them, so that nothing waits unheard.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog
from vpin_runtime.lifecycle import Service
from vpin_runtime.settings import Settings

from vpin.wiring import open_bus, open_store

if TYPE_CHECKING:
    from vpin_bus import Bus
    from vpin_store import Store

GATEWAY_SECONDS = 5.5
"""For clients to take what was written to them; the rest of the process's ten seconds is for the last flush."""

log = structlog.get_logger()


class Embedded:
    """The services on one bus and one store, both open, and the two shared ports."""

    name = "embedded"

    def __init__(self, settings: Settings, bus: Bus, store: Store) -> None:
        from vpin_api.app import ApiService
        from vpin_gateway_app.app import GatewayApp
        from vpin_gateway_hw.app import GatewayHardware
        from vpin_notify.app import NotifyService
        from vpin_state.app import StateService

        from vpin.acceptor import Acceptor

        gateway_hw = GatewayHardware(settings, bus, listen=False)
        gateway_app = GatewayApp(settings, bus, listen=False)
        api = ApiService(settings, bus, store, health=self.checks, listen=False)
        acceptor = Acceptor(settings, gateway_hw, gateway_app, api.http_protocol_factory)
        state = StateService(settings, bus, store)
        notify = NotifyService(settings, bus)
        self._stages: list[list[Service]] = [[state], [notify, api, gateway_hw, gateway_app], [acceptor]]
        self._running: list[list[Service]] = []

    async def start(self) -> None:
        for stage in self._stages:
            self._running.append(stage)
            for service in stage:
                await service.start()

    async def stop(self) -> None:
        """Stop what was started, backwards; one that fails or hangs does not keep the others from their last flush."""
        failed: list[Exception] = []
        while self._running:
            stage = self._running.pop()
            ends = await asyncio.gather(
                *(self._stop(service, len(self._running)) for service in stage), return_exceptions=True
            )
            failed += [end for end in ends if isinstance(end, Exception)]
        if failed:
            raise ExceptionGroup("services failed to stop", failed)

    async def _stop(self, service: Service, stage: int) -> None:
        try:
            async with asyncio.timeout(GATEWAY_SECONDS if stage else None):
                await service.stop()
        except TimeoutError:
            log.error("not drained in time", part=service.name, seconds=GATEWAY_SECONDS)

    def checks(self) -> dict[str, bool]:
        """All checks of all services, by service and part; a service that has not been started is not ready."""
        found: dict[str, bool] = {}
        for stage in self._stages:
            for service in stage:
                parts = service.checks() if stage in self._running else {"started": False}
                found.update({f"{service.name}.{part}": ready for part, ready in parts.items()})
        return found


async def wire_embedded(settings: Settings, stack: AsyncExitStack) -> Service:
    """Wiring for `vpin_runtime.serve`: bus and store are closed after the services."""
    store = await open_store(settings, stack)
    bus = await open_bus(settings, stack)
    return Embedded(settings, bus, store)
