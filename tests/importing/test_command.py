"""`vpin import-blynk` on the command line: what it shows, asks, writes and ends with; kill -9."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from infra.vpin import COMMAND, clean_environment
from pydantic import SecretStr
from rich.console import Console
from typer.testing import CliRunner
from vpin_runtime.settings import Settings
from vpin_store import open_store
from vpin_store.rows import AccountRows

from importing import generated
from vpin.cli import app
from vpin.importing.command import take_over

Vpin = Callable[..., Any]
POINTS = {"minute": 5, "hourly": 4, "daily": 3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "old"
    generated.generate(folder, 3, POINTS)
    return folder


@pytest.fixture
def vpin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vpin:
    monkeypatch.setenv("VPIN_DATA", str(tmp_path / "data"))
    for variable in ("VPIN_SERVER_PROPERTIES", "VPIN_CONFIG"):
        monkeypatch.setenv(variable, "")
    runner = CliRunner()
    return lambda *arguments, **options: runner.invoke(app, ["import-blynk", *map(str, arguments)], **options)


def accounts(database: Path) -> list[AccountRows]:
    async def load() -> list[AccountRows]:
        async with open_store(f"sqlite:///{database}") as store:
            rows = await store.list_accounts(10_000)
            return list((await store.load_accounts([row.id for row in rows])).values())

    return asyncio.run(load())


def test_a_dry_run_shows_and_writes_nothing(vpin: Vpin, folder: Path, tmp_path: Path):
    done = vpin(folder, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "What would be taken" in done.output
    assert "accounts new" in done.output
    assert "Nothing has been written." in done.output
    assert not (tmp_path / "data").exists()


def test_without_a_terminal_and_without_yes_nothing_is_written(vpin: Vpin, folder: Path, tmp_path: Path):
    done = vpin(folder)
    assert done.exit_code == 0
    assert "Run it again with --yes" in done.output
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("answer", [True, False])
def test_it_shows_then_asks_then_takes(folder: Path, tmp_path: Path, answer: bool):
    shown = io.StringIO()

    def confirm() -> bool:
        assert "What would be taken" in shown.getvalue()
        assert not (tmp_path / "data").exists()
        return answer

    settings = Settings(data=tmp_path / "data", database_url=SecretStr(""))
    options = {"dry_run": False, "ask": True, "overwrite": False, "report_file": None}
    assert take_over(folder, settings, Console(file=shown, width=120), confirm=confirm, **options)
    assert (tmp_path / "data" / "vpin.db").exists() == answer
    assert ("What was taken" in shown.getvalue()) == answer


def test_yes_takes_and_a_second_time_there_is_nothing_to_do(vpin: Vpin, folder: Path, tmp_path: Path):
    report = tmp_path / "report.json"
    done = vpin(folder, "--yes", "--report", report)
    assert done.exit_code == 0, done.output
    assert "3 accounts in" in done.output
    assert "taking: 3 of 3 accounts" in done.output
    told = json.loads(report.read_text())
    assert (told["accounts"]["taken"], told["dryRun"], told["findings"]) == (3, False, [])
    assert told["rows"]["points"] == 3 * 2 * sum(POINTS.values())
    assert len(accounts(tmp_path / "data" / "vpin.db")) == 3
    again = vpin(folder, "--yes")
    assert (again.exit_code, "There was nothing to do" in again.output) == (0, True)


def test_what_was_not_taken_is_told_by_the_exit_code(vpin: Vpin, folder: Path, tmp_path: Path):
    (folder / f"{generated.email(1)}.Blynk.user").write_text("{")
    done = vpin(folder, "--yes")
    assert done.exit_code == 1
    assert f"{generated.email(1)} left out: damaged, and there is no backup" in done.output
    assert len(accounts(tmp_path / "data" / "vpin.db")) == 2


@pytest.mark.parametrize("what", ["missing", "empty", "data inside", "report inside", "report nowhere"])
def test_what_cannot_be_done_is_told(vpin: Vpin, folder: Path, tmp_path: Path, what: str):
    empty = tmp_path / "empty"
    empty.mkdir()
    done = {
        "missing": lambda: vpin(tmp_path / "nothing"),
        "empty": lambda: vpin(empty),
        "data inside": lambda: vpin(folder, "--yes", env={"VPIN_DATA": str(folder / "vpin")}),
        "report inside": lambda: vpin(folder, "--yes", "--report", folder / "report.json"),
        "report nowhere": lambda: vpin(folder, "--yes", "--report", tmp_path / "no" / "report.json"),
    }[what]()
    assert done.exit_code == 2
    message = {
        "missing": "cannot be read",
        "empty": "has no profiles",
        "data inside": "VPIN_DATA (",
        "report inside": "--report (",
        "report nowhere": "there is no folder",
    }[what]
    assert message in done.output
    assert not (folder / "vpin").exists()


def test_accounts_are_not_replaced_beside_a_running_vpin(vpin: Vpin, folder: Path, tmp_path: Path):
    assert vpin(folder, "--yes").exit_code == 0
    database = f"sqlite:///{tmp_path}/data/vpin.db"

    async def beside() -> Any:
        async with open_store(database) as store:
            await store.ping()
            return await asyncio.to_thread(vpin, folder, "--yes", "--overwrite")

    refused = asyncio.run(beside())
    assert (refused.exit_code, "stop vpin" in refused.output) == (2, True)
    done = vpin(folder, "--yes", "--overwrite")
    assert done.exit_code == 0, done.output
    assert "accounts replaced" in done.output


def test_a_database_that_is_away_is_told(vpin: Vpin, folder: Path):
    done = vpin(folder, "--yes", env={"VPIN_DATABASE_URL": "postgresql://vpin@127.0.0.1:9/vpin"})
    assert done.exit_code == 2
    assert "it goes on where it stopped" in done.output


def test_long_lists_are_shortened_on_the_screen(vpin: Vpin, tmp_path: Path):
    folder = tmp_path / "old"
    folder.mkdir()
    for number in range(30):
        (folder / f"{generated.email(number)}.Blynk.user").write_text("{")
    done = vpin(folder, "--dry-run")
    assert done.exit_code == 1
    assert done.output.count("left out: damaged") == 20
    assert "… and 10 more: --report FILE has all." in done.output


@pytest.mark.integration
def test_an_import_that_was_killed_goes_on(tmp_path: Path):
    """kill -9 somewhere in the middle, several times; in the end everything is there once."""
    folder, data = tmp_path / "old", tmp_path / "data"
    generated.generate(folder, 150, POINTS)
    run = [*COMMAND, "import-blynk", str(folder), "--yes"]
    environment = clean_environment(VPIN_DATA=str(data))
    counts: list[int] = []
    for after in (25, 75, 100):
        with subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for line in process.stdout:
                if line.startswith("taking: ") and int(line.split()[1]) >= after:
                    break
            process.send_signal(signal.SIGKILL)
        counts.append(len(accounts(data / "vpin.db")))
    assert 25 <= counts[0] <= counts[1] <= counts[2] <= 150
    report = tmp_path / "report.json"
    subprocess.run([*run, "--report", str(report)], env=environment, check=True, stdout=subprocess.DEVNULL)
    found = {rows.account.email: rows for rows in accounts(data / "vpin.db")}
    assert found.keys() == {generated.email(number) for number in range(150)}
    assert {(len(r.dashboards), len(r.devices), len(r.widgets)) for r in found.values()} == {
        (3, 6, sum(len(dash["widgets"]) for dash in generated.profile(0)["profile"]["dashBoards"]))
    }
    told = json.loads(report.read_text())["accounts"]
    assert told["taken"] + told["finished"] + told["already there"] == 150
    assert not [row for rows in found.values() for row in rows.tokens if b"history" in row.body]
