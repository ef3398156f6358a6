"""pytest fixtures of the real parts: one RabbitMQ and one PostgreSQL a session, started when first asked for."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from infra.containers import PostgreSQLContainer, RabbitMQContainer, engine_answers
from infra.database import fresh_database
from infra.postgres import PostgreSQL
from infra.rabbitmq import RabbitMQ

_docker = functools.cache(engine_answers)


class Node(Protocol):
    """A part that a test may stop, kill and start again; address and durable data stay."""

    url: str

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Asynchronous tests run on what the services run on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def infra_folder() -> Iterator[Path]:
    """Private data of the parts of this session."""
    folder = Path(tempfile.mkdtemp(prefix="vpin-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def rabbitmq_url(infra_folder: Path) -> Iterator[str]:
    """URL of a broker that all tests of the session share: use queue names of your own."""
    if url := os.environ.get("VPIN_TEST_AMQP_URL"):
        yield url
    else:
        yield from (node.url for node in _running_rabbitmq(infra_folder / "rabbitmq"))


@pytest.fixture
def rabbitmq_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A broker of the test's own, started: .url, .stop(), .kill(), .start()."""
    yield from _running_rabbitmq(_short_folder(tmp_path_factory, "rabbit"))


@pytest.fixture(scope="session")
def postgres_server_url(infra_folder: Path) -> Iterator[str]:
    """URL of a server that all tests of the session share; take `postgres_url` or `postgres_database`."""
    if url := os.environ.get("VPIN_TEST_DATABASE_URL"):
        yield url
    else:
        yield from (node.url for node in _running_postgres(infra_folder / "postgres"))


@pytest.fixture(scope="session")
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """URL of a database that is fresh at the start of the session."""
    with fresh_database(postgres_server_url) as url:
        yield url


@pytest.fixture
def postgres_database(postgres_server_url: str) -> Iterator[str]:
    """URL of a fresh, empty database of the test's own."""
    with fresh_database(postgres_server_url) as url:
        yield url


@pytest.fixture
def postgres_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A server of the test's own with an empty database, started: .url, .stop(), .kill(), .start()."""
    yield from _running_postgres(_short_folder(tmp_path_factory, "pg"))


def _running_rabbitmq(folder: Path) -> Iterator[Node]:
    if _docker():
        container = RabbitMQContainer()
        yield from _running(container)
        container.remove()
    else:
        yield from _running(RabbitMQ(folder))


def _running_postgres(folder: Path) -> Iterator[Node]:
    if _docker():
        container = PostgreSQLContainer()
        yield from _running(container)
        container.remove()
    else:
        yield from _running(PostgreSQL(folder))


def _running(node: Node) -> Iterator[Node]:
    try:
        node.start()
        yield node
    finally:
        node.stop()


def _short_folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """Sockets live in it, and their paths are limited to 107 bytes."""
    folder = factory.mktemp(name)
    if len(str(folder)) > 80:
        raise RuntimeError(f"{folder} is too long a path for a socket: give pytest a shorter --basetemp")
    return folder
