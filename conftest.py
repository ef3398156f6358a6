"""Fixtures for every test of the repository; see tests/infra."""

from infra.fixtures import (
    anyio_backend,
    infra_folder,
    postgres_database,
    postgres_node,
    postgres_server_url,
    postgres_url,
    rabbitmq_node,
    rabbitmq_url,
)

__all__ = [
    "anyio_backend",
    "infra_folder",
    "postgres_database",
    "postgres_node",
    "postgres_server_url",
    "postgres_url",
    "rabbitmq_node",
    "rabbitmq_url",
]
