"""A value that was answered with 200 survives `kill -9` of any process at any moment (spec 07, 11)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from faults.clients import App
from faults.kills import Writers, kills
from infra.suite import Suite
from infra.vpin import EmbeddedRun
from infra.zygote import Fork, Zygote

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as zygote:
        yield zygote


async def test_the_one_process(embedded: EmbeddedRun, zygote: Zygote) -> None:
    (token,) = await (await App.connect(embedded.tls)).project(1)
    folder = embedded.process.log.parent
    forks: list[Fork] = []

    def start() -> None:
        environment = {**embedded.environment, "VPIN_OPS": embedded.ops}
        forks.append(zygote.start("run", environment, folder, embedded.process.log))

    async with Writers(embedded.http, token) as writers:
        await writers.survive(embedded.kill, start, 1)
        await writers.survive(lambda: forks[-1].kill(), start, kills(50) - 1)
    forks[-1].kill()


@pytest.fixture
async def token(suite: Suite) -> AsyncIterator[str]:
    """Of a board, with all services running; they run in processes of their own again afterwards."""
    (found,) = await (await App.connect(suite.tls)).project(1)
    yield found
    suite.start_services()


@pytest.mark.parametrize("name", ["state", "api", "gateway-hw-0", "gateway-app", "notify"])
async def test_a_service(suite: Suite, zygote: Zygote, token: str, name: str) -> None:
    part = name.removesuffix("-0")
    service = suite.services[name]
    forks: list[Fork] = []

    def start() -> None:
        forks.append(zygote.start(part, service.environment, suite.folder, service.log))

    async with Writers(suite.http, token) as writers:
        await writers.survive(service.kill, start, 1)
        await writers.survive(lambda: forks[-1].kill(), start, kills(5) - 1)
    forks[-1].kill()


@pytest.mark.parametrize("part", ["postgres", "rabbitmq"])
async def test_what_is_not_ours(suite: Suite, token: str, part: str) -> None:
    process = getattr(suite, part)
    async with Writers(suite.http, token) as writers:
        await writers.survive(process.kill, process.start, 1)
