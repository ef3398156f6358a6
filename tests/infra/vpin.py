"""vpin itself as processes: the environment they need, when they are ready, and the embedded run as a part."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from infra.process import HOST, Process, free_port, wait_until

COMMAND = (sys.executable, "-m", "vpin")
READY_SECONDS = 30.0


def clean_environment(**settings: str) -> dict[str, str]:
    """The environment without settings of vpin that a developer has in force, and with these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VPIN_")} | settings


def status(url: str) -> int:
    """HTTP status of a GET; 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def service(name: str, part: str, folder: Path, environment: Mapping[str, str], ops: str) -> Process:
    """A process of vpin (`part` is its subcommand) with its log in the folder."""
    return Process(name, [*COMMAND, part], folder / f"{name}.log", {**environment, "VPIN_OPS": ops}, cwd=folder)


def wait_ready(process: Process, ops: str) -> None:
    """Until its /readyz says so; PartError with its log when it ends or takes too long."""
    wait_until(lambda: status(f"http://{ops}/readyz") == 200, READY_SECONDS, process.name, process)


def free_address() -> str:
    return f"{HOST}:{free_port()}"


class EmbeddedRun:
    """``vpin run`` on addresses of its own; data stays in the folder when it is stopped, killed and started again."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        addresses = {name: free_address() for name in ("VPIN_HTTP", "VPIN_TLS", "VPIN_MQTT")}
        self.environment = {**addresses, "VPIN_DATA": str(folder / "data"), **environment}
        self.http = self.environment["VPIN_HTTP"]
        self.tls = self.environment["VPIN_TLS"]
        self.ops = free_address()
        self.process = service("vpin", "run", folder, self.environment, self.ops)

    @property
    def processes(self) -> dict[str, Process]:
        return {"vpin": self.process}

    def start(self) -> None:
        """Returns once /api/v1/health says that everything is ready."""
        self.process.start()
        health = f"http://{self.http}/api/v1/health"
        wait_until(lambda: status(health) == 200, READY_SECONDS, "vpin run", self.process)

    def stop(self) -> None:
        self.process.stop(seconds=15)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()


def metrics(ops: str) -> str:
    """What /metrics shows."""
    with urllib.request.urlopen(f"http://{ops}/metrics", timeout=5) as answer:
        return answer.read().decode()


def readiness(ops: str) -> dict[str, bool]:
    """The checks of /readyz, whatever its status."""
    try:
        with urllib.request.urlopen(f"http://{ops}/readyz", timeout=5) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    return json.loads(body)["checks"]
