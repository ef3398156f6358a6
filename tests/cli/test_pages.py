"""What README and docs tell people to type: commands that are there, with options that they have, and settings that exist."""

from __future__ import annotations

import re
import shlex
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from vpin_runtime.serve import STOP_SECONDS, Exit
from vpin_runtime.settings import Settings

from vpin import cli

ROOT = Path(__file__).parents[2]
PAGES = {
    str(page.relative_to(ROOT)): page.read_text()
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
IN_COMPOSE = re.compile(r"docker compose run .*?\b(?:migrate|state) ")
NO_SETTINGS = {
    "VPIN_TEST_AMQP_URL",
    "VPIN_TEST_DATABASE_URL",
    "VPIN_NEW_PASSWORD",
    "VPIN_SERVER_PROPERTIES",
    "VPIN_CONFIG",
}

RUN_BY = {
    "git clone … vpin && cd vpin": "nobody",
    "make run": "test_readme",
    "curl http://localhost:8080/TOKEN/update/V1?value=42": "test_readme",
    "curl http://localhost:8080/TOKEN/get/V1": "test_readme",
    "curl http://localhost:8080/TOKEN/isHardwareConnected": "test_readme",
    "cp .env.example .env": "scripts/check_compose",
    "docker compose up --build --wait": "scripts/check_compose",
    "docker compose up --wait --scale gateway-hw=2 --scale state=2": "scripts/check_compose",
    "vpin import-blynk /srv/blynk/data --dry-run": "importing/test_documented",
    "vpin import-blynk /srv/blynk/data": "importing/test_documented",
    "make test": "CI",
    "make help": "test_readme",
}
"""Who runs each line of the README."""


def lines(text: str) -> list[str]:
    """What stands in blocks of code, without comments."""
    fenced = "\n".join(
        "    " + line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
    )
    blocks = re.sub(r"```.*?```", "", text, flags=re.DOTALL) + "\n" + fenced
    found = re.findall(r"^ {4,}(?=\S)(?![-|>])(.*)$", blocks, re.MULTILINE)
    return [re.sub(r"\s{2,}#.*", "", line).strip() for line in found]


def words_of(line: str) -> list[str] | None:
    """The arguments of `vpin` in a line of shell; None: it is another program."""
    line = re.sub(r"^[\d*]+(?: [\d*]+){4} +", "", line)  # cron
    line = IN_COMPOSE.sub("vpin ", line.rpartition("&& ")[2])
    line = re.sub(r"^(VPIN_\w+=\S* )+", "", line)
    return shlex.split(re.split(r" [|<>] ", line)[0])[1:] if line.startswith("vpin ") else None


@pytest.fixture(scope="module")
def program() -> TyperGroup:
    if "bench" not in [group.name for group in cli.app.registered_groups]:
        cli.complete([])
    program = typer.main.get_command(cli.app)
    assert isinstance(program, TyperGroup)
    return program


def find(program: TyperGroup, words: list[str]) -> tuple[Any, list[str]]:
    """The command and the rest of the words. KeyError: there is no such command."""
    command: Any = program
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def check(program: TyperGroup, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line is understood; it is not run."""
    monkeypatch.setenv("VPIN_NEW_PASSWORD", "asked for")
    words = words_of(line)
    if words is not None:
        command, rest = find(program, words)
        command.make_context(command.name, rest)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_understood(program: TyperGroup, page: str, monkeypatch: pytest.MonkeyPatch):
    for line in lines(PAGES[page]):
        check(program, line, monkeypatch)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_mentions_is_there(program: TyperGroup, page: str):
    for mention in re.findall(r"`vpin ([a-z][^`]*)`", PAGES[page]):
        find(program, mention.split())


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_a_page_names_is_one(page: str):
    named = set(re.findall(r"\bVPIN_[A-Z_]*[A-Z]\b", PAGES[page])) - NO_SETTINGS
    assert named <= {f"VPIN_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_page_leads_somewhere(page: str):
    here = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)#]+)\)", PAGES[page]):
        assert target.startswith("http") or (here / target).exists(), target


def test_each_line_of_the_readme_is_run_by_a_test():
    assert set(lines(PAGES["README.md"])) == set(RUN_BY)


def commands(program: TyperGroup, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = [(path, program)]
    for name, command in program.commands.items():
        inner = (*path, name)
        found += commands(command, inner) if isinstance(command, TyperGroup) else [(inner, command)]
    return found


def test_the_examples_of_every_help_are_understood(program: TyperGroup, monkeypatch: pytest.MonkeyPatch):
    for path, command in commands(program):
        title, *examples = (command.epilog or "").split("\n\n")
        assert title == "Examples:", path
        assert examples, path
        for example in examples:
            line = re.sub(r" {2,}\(.*\)$", "", example)
            assert f"vpin {' '.join(path)}".strip() in line, path
            check(program, line, monkeypatch)


def test_the_unit_of_systemd_knows_how_vpin_starts_and_stops(program: TyperGroup):
    text = (ROOT / "deploy" / "systemd" / "vpin.service").read_text()
    unit = ConfigParser(strict=False, interpolation=None)
    unit.read_string(text)
    service = unit["Service"]
    assert find(program, service["ExecStart"].split()[1:])[1] == []
    assert float(service["TimeoutStopSec"]) > STOP_SECONDS
    assert int(service["RestartPreventExitStatus"]) == Exit.BAD_SETTINGS
    assert service["Environment"] == f"VPIN_DATA=/var/lib/{service['StateDirectory']}"


def test_every_metric_to_watch_is_one():
    sources = "".join(path.read_text() for part in ("libs", "services") for path in (ROOT / part).glob("*/src/**/*.py"))
    named = set(re.findall(r"`(vpin_[a-z_]+)", PAGES["docs/operations.md"]))
    assert named
    assert [name for name in sorted(named) if f'"{name}"' not in sources] == []
