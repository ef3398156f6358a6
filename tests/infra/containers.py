"""RabbitMQ and PostgreSQL as containers, for machines with a Docker engine (images as in compose.yaml)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable

from infra.process import HOST, free_port, wait_until
from infra.rabbitmq import answers

RABBITMQ_IMAGE = os.environ.get("VPIN_RABBITMQ_IMAGE", "rabbitmq:4.0")
POSTGRES_IMAGE = os.environ.get("VPIN_POSTGRES_IMAGE", "postgres:17")


def engine_answers() -> bool:
    """Whether a Docker engine can be used. Asked in a process of its own: a refused client leaves sockets behind."""
    question = "import docker; docker.from_env(timeout=5).ping()"
    return subprocess.run([sys.executable, "-c", question], capture_output=True).returncode == 0


class Container:
    """One container on a fixed host port, so that a restart keeps the address."""

    def __init__(self, image: str, inner_port: int, environment: dict[str, str], ready: Callable[[int], bool]) -> None:
        from testcontainers.core.container import DockerContainer

        self.port = free_port()
        self._ready, self._started = ready, False
        self._container = DockerContainer(image).with_bind_ports(inner_port, self.port)
        for name, value in environment.items():
            self._container.with_env(name, value)

    def start(self) -> None:
        if self._started:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._started = True
        wait_until(lambda: self._ready(self.port), 120, self._container.image)

    def stop(self) -> None:
        self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def remove(self) -> None:
        self._container.stop()


class RabbitMQContainer(Container):
    def __init__(self) -> None:
        super().__init__(RABBITMQ_IMAGE, 5672, {}, answers)
        self.url = f"amqp://guest:guest@{HOST}:{self.port}/"


class PostgreSQLContainer(Container):
    def __init__(self) -> None:
        super().__init__(POSTGRES_IMAGE, 5432, {"POSTGRES_PASSWORD": "vpin", "POSTGRES_DB": "vpin"}, _greets)
        self.url = f"postgresql://postgres:vpin@{HOST}:{self.port}/vpin"


def _greets(port: int) -> bool:
    """PostgreSQL answers a request for TLS with one byte, once it takes connections."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as probe:
            probe.sendall(bytes.fromhex("0000000804d2162f"))
            return probe.recv(1) in {b"N", b"S"}
    except OSError:
        return False
