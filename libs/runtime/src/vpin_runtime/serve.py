"""A service as a process: event loop, logs, ops port, signals, the order of start and stop, exit codes.

Order: ops port (so that an orchestrator sees a process that still waits for its broker), then the service; backwards
on SIGTERM or SIGINT. A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from enum import IntEnum
from typing import Any

import structlog
import uvloop

from vpin_runtime import logging
from vpin_runtime.lifecycle import Service
from vpin_runtime.memory import return_large_blocks
from vpin_runtime.ops import OpsServer
from vpin_runtime.settings import Settings, SettingsError, parse_address

__all__ = ["STOP_SECONDS", "Exit", "Wire", "run_service", "serve"]

STOP_SECONDS = 10.0
"""Orchestrators give up after a while; what is not drained by then is told and left."""

BIND_ERRORS = {
    errno.EADDRINUSE: "another program listens there: stop it or choose another port",
    errno.EACCES: "not allowed: ports below 1024 need a privilege; choose another port",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}

Wire = Callable[[AsyncExitStack], Awaitable[Service]]
"""Opens what a service needs (pushing how to close it on the stack) and returns the service, not yet started."""

log = structlog.get_logger()


class Exit(IntEnum):
    """What the process ends with."""

    STOPPED = 0
    FAILED = 1
    BAD_SETTINGS = 2
    ADDRESS_TAKEN = 3
    NOT_DRAINED = 4


def run_service(name: str, settings: Settings, wire: Wire, on_ready: Callable[[], None] | None = None) -> Exit:
    """Serve until a signal asks to stop, then return what to exit with. `on_ready` is called once it serves."""
    _lift_file_limit()
    return_large_blocks()
    logging.configure(settings.log_level, settings.log_json)
    structlog.contextvars.bind_contextvars(service=name)
    return uvloop.run(serve(name, settings, wire, on_ready))


def _lift_file_limit() -> None:
    """Every connection is an open file, and the usual soft limit is 1024; the hard one is the administrator's word."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def serve(name: str, settings: Settings, wire: Wire, on_ready: Callable[[], None] | None = None) -> Exit:
    """The same on a running event loop."""
    stop = _stop_signal()
    asyncio.get_running_loop().set_exception_handler(_log_unhandled)
    service: Service | None = None

    def checks() -> dict[str, bool]:
        return service.checks() if service else {"started": False}

    async with AsyncExitStack() as stack:
        try:
            if settings.ops:
                ops = OpsServer(parse_address(settings.ops), checks)
                await ops.start()
                stack.push_async_callback(ops.stop)
            starting = asyncio.create_task(_start(wire, stack))
            await asyncio.wait({starting, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.wait({starting})
                log.info("stopped before it was ready")
                return Exit.STOPPED
            service = starting.result()
        except SettingsError as error:
            log.error("cannot start", error=str(error))
            return Exit.BAD_SETTINGS
        except OSError as error:
            if error.errno not in BIND_ERRORS:
                raise
            log.error("cannot listen", error=str(error), advice=BIND_ERRORS[error.errno])
            return Exit.ADDRESS_TAKEN
        log.info("ready", pid=os.getpid(), ops=settings.ops)
        if on_ready:
            on_ready()
        await stop
        return await _stop(service)


async def _start(wire: Wire, stack: AsyncExitStack) -> Service:
    service = await wire(stack)
    try:
        await service.start()
    except BaseException:
        await service.stop()
        raise
    return service


async def _stop(service: Service) -> Exit:
    log.info("stopping")
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await service.stop()
    except TimeoutError:
        log.error("not drained in time", seconds=STOP_SECONDS)
        return Exit.NOT_DRAINED
    log.info("stopped")
    return Exit.STOPPED


def _stop_signal() -> asyncio.Future[int]:
    """A future that the first SIGTERM or SIGINT completes; the second one ends the process."""
    loop = asyncio.get_running_loop()
    first: asyncio.Future[int] = loop.create_future()

    def on_signal(number: int) -> None:
        if first.done():
            log.warning("stopped at once", signal=number)
            os._exit(128 + number)
        first.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return first


def _log_unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    log.error("unhandled in event loop", what=context.get("message"), exc_info=error if error else None)
