"""Boards built with clients that others wrote, against a server that runs as users run it."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from boards.app import App
from boards.board import Board
from infra.vpin import EmbeddedRun, clean_environment

FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def node_modules() -> None:
    """The JavaScript library at the version of the lock file."""
    lock, installed = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail("the JavaScript board needs node and npm: install Node.js 18 or newer")
    subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=FOLDER, check=True)


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRun]:
    server = EmbeddedRun(tmp_path_factory.mktemp("embedded"), clean_environment())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def app(embedded_server: EmbeddedRun) -> Iterator[App]:
    app = App(address(embedded_server.tls))
    yield app
    app.close()


@pytest.fixture(params=["blynklib", "blynk-library-python", "npm-tcp", "npm-tls"])
def make_board(request: pytest.FixtureRequest, embedded_server: EmbeddedRun) -> Iterator[Callable[[str], Board]]:
    """Starts the board with its token."""
    boards: list[Board] = []

    def make(token: str) -> Board:
        boards.append(Board(_command(request, embedded_server, token)))
        return boards[-1]

    yield make
    for board in boards:
        board.stop()


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _command(request: pytest.FixtureRequest, server: EmbeddedRun, token: str) -> list[str]:
    host, port = address(server.http)
    match request.param:
        case "blynklib":
            return [sys.executable, "-u", str(FOLDER / "drivers/board_blynklib.py"), host, str(port), token]
        case "blynk-library-python":
            return [sys.executable, "-u", str(FOLDER / "drivers/board_blynk_library.py"), host, str(port), token]
    request.getfixturevalue("node_modules")
    if request.param == "npm-tcp":
        return ["node", str(FOLDER / "drivers/board.js"), host, str(port), token]
    certificate = request.getfixturevalue("tmp_path") / "server.crt"
    certificate.write_text(ssl.get_server_certificate(address(server.tls)))
    return ["node", str(FOLDER / "drivers/board.js"), "localhost", str(address(server.tls)[1]), token, str(certificate)]
