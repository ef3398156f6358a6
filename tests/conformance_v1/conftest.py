"""One run for all tests of the management API; accounts are each test's own. VPIN_V1_RUN=suite: the services, else embedded."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from infra.suite import Suite
from infra.vpin import EmbeddedRun, clean_environment

from conformance_v1.clients import Api, Board
from conformance_v1.points import Past, record
from conformance_v1.reading import Stream
from conformance_v1.sinks import Sinks
from conformance_v1.stored import Stored


@pytest.fixture(scope="session")
def sinks() -> Iterator[Sinks]:
    """What the server tells by mail, SMS and Apprise."""
    sinks = Sinks()
    sinks.start()
    yield sinks
    sinks.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, sinks: Sinks) -> Iterator[EmbeddedRun]:
    environment = clean_environment(VPIN_REGISTRATIONS_PER_HOUR="100000", **sinks.environment)
    folder = tmp_path_factory.mktemp("v1")
    run = (
        Services(folder, environment) if os.environ.get("VPIN_V1_RUN") == "suite" else EmbeddedRun(folder, environment)
    )
    run.start()
    yield run  # type: ignore[misc]  # the services have what the tests use of an embedded run
    run.stop()


@pytest.fixture(scope="session", autouse=True)
def recorded(server: EmbeddedRun) -> Iterator[Past]:
    """Points that are sent before the first test, so that their minutes are added up when they are asked for."""
    past = record(f"http://{server.http}")
    yield past
    past.api.http.close()


@pytest.fixture(scope="session", autouse=True)
def quiet(server: EmbeddedRun) -> Iterator[tuple[Stream, float]]:
    """A stream that is open from the first test on, of an account where nothing happens; and since when (monotonic)."""
    api = Api(f"http://{server.http}")
    with contextlib.closing(api.http), Stream(api) as stream:
        yield stream, time.monotonic()


class Services(Suite):
    """The services as processes, two of them the API; after :meth:`kill` only they are started again."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        super().__init__(folder, environment, apis=2)
        self._killed = False

    def kill(self) -> None:
        super().kill()
        self._killed = True

    def start(self, tell: Callable[[str], None] = lambda _: None) -> None:
        if self._killed:
            self.start_services()
        else:
            super().start(tell)


@pytest.fixture
def stored(server: EmbeddedRun) -> Stored:
    return Stored(server)


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
