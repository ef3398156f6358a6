"""Wiring and life cycle of the api service."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from email.utils import formatdate

import structlog
from vpin_bus import Bus
from vpin_runtime.metrics import gauge
from vpin_runtime.settings import Settings, parse_address
from vpin_store import Store, StoreUnavailable

from vpin_api.administration import Administrators, Entrance
from vpin_api.calls import Calls
from vpin_api.downloads import Downloads
from vpin_api.files import Files
from vpin_api.front import VERSION, Application, Front
from vpin_api.images import Images
from vpin_api.iot import IotRoutes
from vpin_api.owner import Owners
from vpin_api.pins import PinRoutes
from vpin_api.protocol import HttpServer
from vpin_api.rates import rates_of
from vpin_api.streams import Streams
from vpin_api.tokens import Tokens
from vpin_api.uploads import Uploads

DRAIN = 4.0  # seconds for running requests when the service stops
ADMIN_APP = "Blynk"  # the app whose accounts may be super administrators (spec 06, 14.2)
FORGET = 3600  # seconds between two looks for tokens (of downloads, boards, passwords, sessions) that are out of date
PING = 5  # seconds between two looks at the database

log = structlog.get_logger("vpin.api")


class ApiService:
    """The HTTP service. `bus` and `store` are open, and stay so.

    `listen`: serve ``settings.api``; without, connections come by :meth:`http_protocol_factory` (embedded run).
    `health`: readiness of all parts for ``/api/v1/health``, where it is more than this service's own.
    """

    name = "api"

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        store: Store,
        *,
        health: Callable[[], dict[str, bool]] | None = None,
        listen: bool = True,
    ) -> None:
        self._address = parse_address(settings.api) if listen and settings.api else None
        self._bus = bus
        self._store = store
        self._tokens = Tokens(store.tokens.find)
        self._owners = Owners(bus, settings.shards)
        self._streams = Streams(self._owners.watch, self._owners.shard_of)
        self._owners.on_stream = self._streams.on_batch
        self._owners.on_new_owner = self._streams.on_new_owner
        self._health = health or self.checks
        self._rates = rates_of(settings)
        limits = (settings.download_days, settings.download_points, settings.device_exports_per_day)
        self._downloads = Downloads(store, self._owners, *limits)
        calls = Calls(self._tokens, self._owners, self._rates)
        self.application = Front(
            PinRoutes(calls, self._downloads),
            self._healthy,
            self._documented,
            IotRoutes(calls, Uploads(settings.data), self._downloads),
            Files(settings.data, Images(store.firmware.get), self._downloads),
            Entrance(settings.admin_path, settings.admin_addresses),
            forwarded=settings.proxy_protocol,
            rate=self._rates.address,
        )
        self._settings = settings
        self._http = HttpServer(self.application)
        self._listener: asyncio.Server | None = None
        self._clock: asyncio.Task[None] | None = None
        self._started = False

    @property
    def port(self) -> int:
        """The port it listens on (the system's choice when the settings say 0); 0 when it does not listen."""
        return self._listener.sockets[0].getsockname()[1] if self._listener is not None else 0

    async def start(self) -> None:
        gauge("vpin_api_connections", "Open HTTP connections.", lambda: len(self._http.state.connections))
        gauge("vpin_api_in_flight", "Requests that wait for an account's owner.", lambda: self._owners.in_flight)
        gauge("vpin_api_live_streams", "Open live streams.", lambda: len(self._streams))
        await self._owners.start()
        await self._streams.start()
        self._clock = asyncio.create_task(self._tick(), name="api clock")
        if self._address is not None:
            self._listener = await asyncio.get_running_loop().create_server(
                lambda: self.http_protocol_factory(tls=False), self._address.host, self._address.port, backlog=1024
            )
            log.info("api.listening", host=self._address.host, port=self.port)
        self._started = True

    async def stop(self) -> None:
        self._started = False
        if self._listener is not None:
            self._listener.close()
        await self._streams.stop()
        await self._http.close(DRAIN)
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)
        await self._tokens.close()
        await self._owners.stop()

    def checks(self) -> dict[str, bool]:
        return {
            "started": self._started,
            "bus": self._bus.ready,
            "database": self._store.ready,
            "owners": self._owners.ready,
        }

    def http_protocol_factory(self, tls: bool) -> asyncio.Protocol:
        """A protocol for one connection that begins with an HTTP request; `tls`: it came through the TLS port."""
        return self._http.protocol(tls)

    def _documented(self) -> Application:
        from vpin_api.documented import build
        from vpin_api.v1.context import Context

        known = self._settings
        limits = (known.registrations_per_hour, known.initial_energy)
        administrators = Administrators(lambda email: self._store.find_account(email, ADMIN_APP))
        context = Context(
            self._store, self._owners, self._streams, administrators, *limits, public_url=_public_url(known)
        )
        context.rates = self._rates
        origins = [origin.strip() for origin in known.cors_origins.split(",") if origin.strip()]
        return build(VERSION, context, known.admin_path, origins=origins, credentials=known.cors_credentials)

    def _healthy(self) -> bool:
        return all(self._health().values())

    async def _tick(self) -> None:
        """Once a second: the `Date` of answers; now and then ask whether the database is back."""
        second = 0
        while True:
            self._http.state.default_headers = [(b"date", formatdate(usegmt=True).encode("ascii"))]
            if second % PING == 0 or not self._store.ready:
                await self._store.ping()
            if second % FORGET == FORGET - 1 and self._store.ready:
                with contextlib.suppress(StoreUnavailable):
                    await self._store.tokens.forget(time.time_ns() // 1_000_000)
            second += 1
            await asyncio.sleep(1)


def _public_url(settings: Settings) -> str:
    """Where links in mails lead: never to what a request says, which anybody may send."""
    host = settings.restore_host or settings.server_host or "127.0.0.1"
    return f"http://{host}" if ":" in host else f"http://{host}:{parse_address(settings.http).port}"
