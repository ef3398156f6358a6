"""The first steps of the README, as they stand there (its other lines: `tests/cli/test_pages.py` says who runs them)."""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from infra.vpin import EmbeddedRun, clean_environment
from vpin_client import Client

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SAID = {"update/V1?value=42": "", "get/V1": '["42"]', "isHardwareConnected": "false"}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[EmbeddedRun]:
    run = EmbeddedRun(tmp_path, clean_environment())
    run.start()
    yield run
    run.stop()


def shell(line: str) -> str:
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, env=clean_environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_value_is_written_and_read(run: EmbeddedRun):
    with Client(f"http://{run.http}") as client:
        email = f"{secrets.token_hex(6)}@example.com"
        client.register(email, "correct horse")
        client.log_in(email, "correct horse")
        token = client.devices.create("board").token or ""
    lines = re.findall(r"^ {4}(curl .*)$", README, re.MULTILINE)
    assert [line.rpartition("/TOKEN/")[2] for line in lines] == list(SAID)
    for line, answer in zip(lines, SAID.values(), strict=True):
        line = line.replace("curl ", "curl --silent --fail ").replace("localhost:8080", run.http)
        assert shell(line.replace("TOKEN", token)) == answer


def test_make_has_the_targets():
    assert "vpin run" in shell("make --dry-run run")
    told = shell("make help")
    for target in re.findall(r"`?make ([a-z-]+)`?", README):
        assert re.search(rf"^ *{target} ", told, re.MULTILINE), target
