"""Servers for the fault tests: five services with two gateways of boards, and the embedded run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from faults.clients import Client
from infra.suite import Suite
from infra.vpin import EmbeddedRun, clean_environment

SETTINGS = {"VPIN_MESSAGE_QUOTA": "0"}


@pytest.fixture(scope="package")
def suite(infra_folder: Path) -> Iterator[Suite]:
    folder = infra_folder / "faults"
    folder.mkdir()
    suite = Suite(folder, clean_environment(**SETTINGS), gateways_hw=2)
    try:
        suite.start()
        yield suite
    finally:
        suite.stop()


@pytest.fixture(autouse=True)
async def no_client_left(anyio_backend: object) -> AsyncIterator[None]:
    yield
    for client in list(Client.connected):
        await client.close()


@pytest.fixture
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRun]:
    run = EmbeddedRun(tmp_path_factory.mktemp("embedded"), clean_environment(**SETTINGS))
    run.start()
    yield run
    run.stop()
