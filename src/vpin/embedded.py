"""All services in one process: the embedded run.

The owner of the accounts starts before those who send to it and stops after them, so that nothing waits unheard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import structlog
from vpin_runtime.lifecycle import Service
from vpin_runtime.settings import Settings

from vpin.wiring import open_bus, open_store

STAGE_SECONDS = 5.5
"""For a stage before the last to stop: clients take what was written to them. The rest of the process's ten seconds is
for the last stage, the flush of the owner."""

log = structlog.get_logger()


async def wire_embedded(settings: Settings, stack: AsyncExitStack) -> Service:
    """Wiring for `vpin_runtime.serve`: bus and store are closed after the services."""
    from vpin_api.app import ApiService
    from vpin_gateway_app.app import GatewayApp
    from vpin_gateway_hw.app import GatewayHardware
    from vpin_notify.app import NotifyService
    from vpin_state.app import StateService

    from vpin.acceptor import Acceptor

    store = await open_store(settings, stack)
    bus = await open_bus(settings, stack)
    gateway_hw = GatewayHardware(settings, bus, listen=False)
    gateway_app = GatewayApp(settings, bus, listen=False)
    api = ApiService(settings, bus, store, health=lambda: stages.checks(), listen=False)
    acceptor = Acceptor(settings, gateway_hw, gateway_app, api.http_protocol_factory)
    stages = Stages(
        "embedded",
        [StateService(settings, bus, store)],
        [NotifyService(settings, bus), api, gateway_hw, gateway_app],
        [acceptor],
    )
    return stages


class Stages:
    """Services as one: started stage by stage, stopped backwards, those of a stage together."""

    def __init__(self, name: str, *stages: Sequence[Service]) -> None:
        self.name = name
        self._stages = stages
        self._running: list[Sequence[Service]] = []

    async def start(self) -> None:
        for stage in self._stages:
            self._running.append(stage)
            for service in stage:
                await service.start()

    async def stop(self) -> None:
        """Stop what was started; a service that fails or hangs does not keep the others from their last flush."""
        failed: list[BaseException] = []
        while self._running:
            stage = self._running.pop()
            seconds = STAGE_SECONDS if self._running else None
            ends = await asyncio.gather(*(_stop(service, seconds) for service in stage), return_exceptions=True)
            failed += [end for end in ends if end is not None]
        if failed:
            raise BaseExceptionGroup("services failed to stop", failed)

    def checks(self) -> dict[str, bool]:
        """All checks of all services, by service and part; a service that has not been started is not ready."""
        found: dict[str, bool] = {}
        for stage in self._stages:
            for service in stage:
                parts = service.checks() if stage in self._running else {"started": False}
                found.update({f"{service.name}.{part}": ready for part, ready in parts.items()})
        return found


async def _stop(service: Service, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await service.stop()
    except TimeoutError:
        log.error("not drained in time", part=service.name, seconds=seconds)
