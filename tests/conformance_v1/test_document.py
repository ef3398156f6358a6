"""The OpenAPI document holds: whatever a request looks like, no answer breaks it (schemathesis makes the requests)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from infra.vpin import EmbeddedRun, clean_environment

from conformance_v1.clients import Api

pytestmark = pytest.mark.integration

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
LEFT_OUT = (
    "/api/v1/sessions/current",  # ends the session of the run
    "/api/v1/me/password",  # so do its failures
    "/api/v1/stream",  # has no end
)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An account on a server of its own: made-up log-ins make its address wait."""
    server = EmbeddedRun(tmp_path_factory.mktemp("document"), clean_environment())
    server.start()
    try:
        api = Api(f"http://{server.http}")
        yield api
        api.http.close()
    finally:
        server.stop()


class Runs:
    """Both runs at a time: they take longest of all tests here."""

    def __init__(self, api: Api, folder: Path) -> None:
        without_500 = CHECKS.removeprefix("not_a_server_error,")
        self._folder = folder
        self._runs = {
            "v1": self._begin("v1", api, "--include-path-regex", "^/api/v1", "-c", CHECKS),
            "pins": self._begin("pins", api, "--exclude-path-regex", "^/api/v1", "-c", without_500),
        }

    def _begin(self, name: str, api: Api, *more: str) -> subprocess.Popen[bytes]:
        base = api.http.base_url.copy_with(path="")
        command = [Path(sys.executable).with_name("st"), "run", f"{base}/openapi.json", *more]
        command += ["--max-examples", "10", "--phases", "examples,coverage,fuzzing", "--no-color"]
        command += ["--generation-deterministic", "-H", f"Authorization: {api.http.headers['authorization']}"]
        for path in LEFT_OUT:
            command += ["--exclude-path", path]
        folder = self._folder / name
        folder.mkdir()
        with Path(folder, "out.txt").open("wb") as out:
            return subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)

    def pass_(self, name: str) -> None:
        status = self._runs[name].wait(timeout=100)
        assert status == 0, Path(self._folder, name, "out.txt").read_text()

    def stop(self) -> None:
        for process in self._runs.values():
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def runs(stranger: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    runs = Runs(stranger, tmp_path_factory.mktemp("schemathesis"))
    yield runs
    runs.stop()


def test_the_management_api_holds_its_document(runs: Runs) -> None:
    runs.pass_("v1")


def test_the_pin_apis_hold_their_document(runs: Runs) -> None:
    runs.pass_("pins")
