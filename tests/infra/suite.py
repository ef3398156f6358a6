"""The five services as processes, with a RabbitMQ, a PostgreSQL and an edge of their own: `make suite`, and tests.

python -m infra.suite [--gateway-hw N] [--state N] [--api N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from infra.haproxy import HAProxy
from infra.postgres import PostgreSQL
from infra.process import PartError, Process, wait_until
from infra.rabbitmq import RabbitMQ
from infra.vpin import COMMAND, READY_SECONDS, free_address, service, status, wait_ready

STOP_SECONDS = 15


class Suite:
    """All parts of one installation. Services can be stopped, killed and started one by one; nothing restarts them."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        gateways_hw: int = 1,
        gateways_app: int = 1,
        states: int = 1,
        apis: int = 1,
        http: str = "",
        tls: str = "",
        mqtt: str = "",
    ) -> None:
        self.folder = folder
        self.http, self.tls, self.mqtt = (address or free_address() for address in (http, tls, mqtt))
        self.rabbitmq = RabbitMQ(folder / "rabbitmq")
        self.postgres = PostgreSQL(folder / "postgres")
        self.environment = {
            **environment,
            "VPIN_HTTP": self.http,
            "VPIN_TLS": self.tls,
            "VPIN_MQTT": self.mqtt,
            "VPIN_BUS_URL": self.rabbitmq.url,
            "VPIN_DATABASE_URL": self.postgres.url,
            "VPIN_DATA": str(folder),
            "VPIN_PROXY_PROTOCOL": "true",
            "VPIN_STATE_COUNT": str(states),
        }
        self.services: dict[str, Process] = {}
        self.ops: dict[str, str] = {}
        self.app_tls: dict[str, str] = {}
        self.hardware_mqtt: dict[str, str] = {}
        hardware = [self._add("gateway-hw", "VPIN_HARDWARE", n, gateways_hw) for n in range(gateways_hw)]
        app = [self._add("gateway-app", "VPIN_APP", n, gateways_app) for n in range(gateways_app)]
        api = [self._add("api", "VPIN_API", n, apis) for n in range(apis)]
        for n in range(states):
            self._add("state", "", n, states)
        self._add("notify")
        self.edge = HAProxy(
            folder,
            self.http,
            self.tls,
            self.mqtt,
            folder / "tls.pem",
            hardware=hardware,
            hardware_mqtt=list(self.hardware_mqtt.values()),
            app=app,
            api=api,
        )

    @property
    def processes(self) -> dict[str, Process]:
        """The services by name: ``state`` or, where there are several, ``state-0`` and so on."""
        return self.services

    def start(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Returns once the edge's /api/v1/health says that everything is ready. `tell` hears of the progress."""
        began = time.monotonic()
        _together([self.rabbitmq.start, lambda: self._prepare(tell)])
        tell(f"broker and database are up after {time.monotonic() - began:.1f} s")
        began = time.monotonic()
        self.start_services()
        tell(f"services are ready after {time.monotonic() - began:.1f} s")

    def start_services(self) -> None:
        """Start what does not run of the services and the edge; returns when all is ready."""
        for process in self.services.values():
            process.start()
        _together([lambda name=name: wait_ready(self.services[name], self.ops[name]) for name in self.services])
        self.edge.start()
        self.edge.wait_for_servers()
        health = f"http://{self.http}/api/v1/health"
        wait_until(lambda: status(health) == 200, READY_SECONDS, "the edge's /api/v1/health")

    def kill(self) -> None:
        """kill -9 of all services; edge, broker and database go on."""
        for process in self.services.values():
            process.kill()

    def stop(self) -> None:
        """Backwards and in order: no new clients, gateways and api, notify, state, then the rest."""
        self.edge.close_ports()
        stages = [("gateway-hw", "gateway-app", "api"), ("notify",), ("state",)]
        for stage in stages:
            processes = [process for name, process in self.services.items() if name.startswith(stage)]
            _together([lambda p=process: p.stop(seconds=STOP_SECONDS) for process in processes])
        self.edge.stop()
        _together([self.rabbitmq.stop, self.postgres.stop])

    def describe(self) -> dict[str, Any]:
        """Addresses and process ids, for the load generator and for tests."""
        return {
            "http": self.http,
            "tls": self.tls,
            "mqtt": self.mqtt,
            "amqp_url": self.rabbitmq.url,
            "database_url": self.postgres.url,
            "folder": str(self.folder),
            "services": {n: {"pid": p.pid, "ops": self.ops[n]} for n, p in self.services.items()},
            "parts": {
                "rabbitmq": {"pid": self.rabbitmq.pid},
                "postgres": {"pid": self.postgres.pid},
                "haproxy": {"pid": self.edge.pid, "ops": self.edge.ops},
            },
        }

    def _add(self, part: str, listen: str = "", index: int = 0, count: int = 1) -> str:
        """One process; returns the address that it listens on, if any."""
        name = part if count == 1 else f"{part}-{index}"
        own = {"VPIN_STATE_INDEX": str(index)} if part == "state" else {}
        if part == "gateway-app":  # apps may also come without the edge, which terminates TLS itself
            own["VPIN_APP_TLS"] = self.app_tls[name] = free_address()
        if part == "gateway-hw":
            own["VPIN_HARDWARE_MQTT"] = self.hardware_mqtt[name] = free_address()
        own |= {listen: free_address()} if listen else {}
        self.ops[name] = free_address()
        self.services[name] = service(name, part, self.folder, {**self.environment, **own}, self.ops[name])
        return own.get(listen, "")

    def _prepare(self, tell: Callable[[str], None]) -> None:
        """The database with tables and first administrator, and the edge's certificate."""
        self.postgres.start()
        tell(self._vpin("db", "upgrade"))
        self._vpin("certificate")

    def _vpin(self, *arguments: str) -> str:
        command = [*COMMAND, *arguments]
        done = subprocess.run(command, env=self.environment, cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            raise PartError(f"vpin {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()


def _together(calls: Iterable[Callable[[], None]]) -> None:
    """Call all at the same time; when all have ended, PartError with what failed."""
    calls = list(calls)
    if not calls:
        return
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
    ends = [future.exception() for future in futures]
    failed = [end for end in ends if end is not None]
    if others := [end for end in failed if not isinstance(end, PartError)]:
        raise others[0]
    if failed:
        raise PartError("\n".join(map(str, failed)))


def main() -> int:
    options = _options()
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    kept = os.environ.get("VPIN_DATA")
    folder = Path(kept).absolute() if kept else Path(tempfile.mkdtemp(prefix="vpin-suite-"))
    folder.mkdir(parents=True, exist_ok=True)
    suite = Suite(
        folder,
        os.environ,
        gateways_hw=options.gateway_hw,
        gateways_app=options.gateway_app,
        states=options.state,
        apis=options.api,
        http=os.environ.get("VPIN_HTTP", "0.0.0.0:8080"),
        tls=os.environ.get("VPIN_TLS", "0.0.0.0:9443"),
        mqtt=os.environ.get("VPIN_MQTT", "0.0.0.0:8440"),
    )
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    try:
        suite.start(_say)
        listing = options.json or folder / "suite.json"
        listing.write_text(json.dumps(suite.describe(), indent=2) + "\n")
        _say(
            f"ready: HTTP and boards {suite.http}, TLS {suite.tls}, MQTT {suite.mqtt}; processes in {listing}; stop with ctrl-C"
        )
        _watch(suite, asked)
        _say("stopping")
    except PartError as error:
        _say(str(error))
        return 1
    finally:
        suite.stop()
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
    _say("stopped")
    return 0


def _watch(suite: Suite, asked: threading.Event) -> None:
    """Until asked to stop; tells of services that ended by themselves."""
    gone: set[str] = set()
    while not asked.wait(0.5):
        for name, process in suite.services.items():
            if not process.pid and name not in gone:
                gone.add(name)
                _say(f"{name} {process.failure()}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make suite", description="The five services with a broker and a database.")
    parser.add_argument("--gateway-hw", type=int, default=1, choices=range(1, 5), help="gateways of the boards")
    parser.add_argument("--gateway-app", type=int, default=1, choices=range(1, 3), help="gateways of the apps")
    parser.add_argument("--state", type=int, default=1, help="state processes, each with its part of the shards")
    parser.add_argument("--api", type=int, default=1, help="processes of the HTTP API")
    parser.add_argument("--json", type=Path, help="where to write process ids and ops addresses")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"suite: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
