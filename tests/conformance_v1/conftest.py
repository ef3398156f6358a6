"""One embedded run for all tests of the management API; accounts are each test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from infra.vpin import EmbeddedRun, clean_environment

from conformance_v1.clients import Api, Board


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRun]:
    environment = clean_environment(VPIN_REGISTRATIONS_PER_HOUR="100000")
    run = EmbeddedRun(tmp_path_factory.mktemp("v1"), environment)
    run.start()
    yield run
    run.stop()


@pytest.fixture
def base(server: EmbeddedRun) -> str:
    return f"http://{server.http}"


@pytest.fixture
def make_api(base: str) -> Iterator[Callable[..., Api]]:
    """Accounts, logged in."""
    made: list[Api] = []

    def make(email: str | None = None) -> Api:
        made.append(Api(base, email))
        return made[-1]

    yield make
    for api in made:
        api.http.close()


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api()


@pytest.fixture
def board(server: EmbeddedRun) -> Iterator[Callable[[str], Board]]:
    """Boards that are logged in with a token."""
    made: list[Board] = []

    def connect(token: str) -> Board:
        made.append(Board(server.http))
        assert made[-1].log_in(token)
        return made[-1]

    yield connect
    for one in made:
        one.socket.close()
