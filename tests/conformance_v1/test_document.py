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


def run(api: Api, folder: Path, *more: str) -> None:
    base = api.http.base_url.copy_with(path="")
    command = [Path(sys.executable).with_name("st"), "run", f"{base}/openapi.json", *more]
    command += ["--max-examples", "10", "--phases", "examples,coverage,fuzzing", "--no-color"]
    command += ["--generation-deterministic", "-H", f"Authorization: {api.http.headers['authorization']}"]
    for path in LEFT_OUT:
        command += ["--exclude-path", path]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_management_api_holds_its_document(stranger: Api, tmp_path: Path) -> None:
    run(stranger, tmp_path, "--include-path-regex", "^/api/v1", "-c", CHECKS)


def test_the_pin_apis_hold_their_document(stranger: Api, tmp_path: Path) -> None:
    without_500 = CHECKS.removeprefix("not_a_server_error,")
    run(stranger, tmp_path, "--exclude-path-regex", "^/api/v1", "-c", without_500)
