"""The examples of vpin-client, in its README and its docstrings, against a server."""

from __future__ import annotations

import doctest
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vpin_client
from infra.vpin import EmbeddedRun, clean_environment
from vpin_client import Client
from vpin_client._sync import client, devices, iot, pins, templates

pytestmark = pytest.mark.integration

README = Path(__file__).parents[2] / "libs" / "client" / "README.md"
EXPORTED = {name: getattr(vpin_client, name) for name in vpin_client.__all__}
EXAMPLES = [
    example
    for module in (client, devices, iot, pins, templates)
    for example in doctest.DocTestFinder(exclude_empty=True).find(module, globs={})
    if example.examples
]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    run = EmbeddedRun(tmp_path_factory.mktemp("client"), clean_environment())
    run.start()
    yield f"http://{run.http}"
    run.stop()


def test_the_readme(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL))
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(code.replace("http://localhost:8080", url), str(README), "exec"), names)
    names["client"].close()
    told = capsys.readouterr().out
    for line in ("21.5", "Greenhouse offline", "V1 is 23", "['24'] False", "{'V1': 25", "bob@example.com"):
        assert line in told
    assert "The device has no such pin." in told
    assert "('body', 'name')" in told


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_docstrings(url: str, example: doctest.DocTest) -> None:
    with Client(url) as account:
        email = f"reader{next(_numbers)}@example.com"
        account.register(email, "correct horse")
        account.log_in(email, "correct horse")
        given: dict[str, Any] = {**EXPORTED, "URL": url, "client": account}
        if "device = " not in (example.docstring or ""):
            given["device"] = account.devices.create("board")
        example.globs.update(given)
        assert doctest.DocTestRunner().run(example).failed == 0


def test_every_class_of_the_three_apis_has_an_example() -> None:
    shown = {example.name.rpartition(".")[2] for example in EXAMPLES}
    assert shown >= {"Client", "stream", "Devices", "Values", "Templates", "PinClient", "IotClient"}
