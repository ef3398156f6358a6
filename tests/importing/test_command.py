"""`vpin import-blynk` on the command line: what it shows, asks, writes and ends with; kill -9."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from infra.vpin import COMMAND, clean_environment
from pydantic import SecretStr
from rich.console import Console
from typer.testing import CliRunner
from vpin_runtime.settings import Settings
from vpin_store import open_store
from vpin_store.migrations import run_alembic
from vpin_store.rows import AccountRows

from importing import generated
from vpin.cli import app
from vpin.importing.command import ImportFailedError, take_over

Vpin = Callable[..., Any]
POINTS = {"minute": 5, "hourly": 4, "daily": 3}
MANY = 800
"""Accounts that take seconds: time for a test to interrupt, on a busy machine too."""


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
    assert done.exit_code == 2  # a script that forgot --yes hears of it
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
    console = Console(file=shown, width=120)
    if answer:
        assert take_over(folder, settings, console, confirm=confirm, **options)
    else:
        with pytest.raises(ImportFailedError, match="Nothing has been taken"):
            take_over(folder, settings, console, confirm=confirm, **options)
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
    generated.damage(folder / f"{generated.email(1)}.Blynk.user", "{")
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


@pytest.mark.parametrize("state", ["newer", "older", "no database", "no folder"])
def test_a_database_that_it_cannot_work_with_is_told_and_not_touched(
    vpin: Vpin, folder: Path, tmp_path: Path, state: str
):
    database = tmp_path / "data" / "vpin.db"
    if state == "no folder":
        (tmp_path / "data").write_text("a file")
    elif state == "no database":
        database.parent.mkdir()
        database.write_bytes(b"neither SQLite nor anything" * 99)
    else:
        database.parent.mkdir()
        asyncio.run(run_alembic(f"sqlite:///{database}", "0001" if state == "older" else "head"))
    if state == "newer":
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            connection.commit()
    before = database.read_bytes() if database.exists() else b""
    message = {
        "newer": "a newer version of vpin has made the database",
        "older": "`vpin db upgrade` first",
        "no database": "file is not a database",
        "no folder": "File exists",
    }[state]
    ways = {"older": ["--dry-run"], "no folder": ["--yes"]}
    for way in ways.get(state, ["--dry-run", "--yes"]):
        done = vpin(folder, way)
        assert (done.exit_code, message in done.output) == (2, True), done.output
    assert (database.read_bytes() if database.exists() else b"") == before


def test_a_report_is_written_whatever_happens_and_nobody_else_may_read_it(vpin: Vpin, folder: Path, tmp_path: Path):
    report = tmp_path / "report.json"
    away = {"VPIN_DATABASE_URL": "postgresql://vpin@127.0.0.1:9/vpin"}
    assert vpin(folder, "--yes", "--report", report, env=away).exit_code == 2
    told = json.loads(report.read_text())
    assert (told["complete"], "does not answer" in told["brokenOff"], told["outcomes"]) == (False, True, [])
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert vpin(folder, "--yes", "--report", report).exit_code == 0
    assert json.loads(report.read_text())["complete"]
    full = vpin(folder, "--yes", "--report", "/dev/full")
    assert (full.exit_code, "the report cannot be written" in full.output) == (2, True)


def test_an_old_server_that_seems_to_run_is_told(vpin: Vpin, folder: Path):
    assert "Stop it before you move" in vpin(folder, "--dry-run").output
    for path in folder.glob("*.user"):
        generated.damage(path, path.read_bytes())
    assert "Stop it before you move" not in vpin(folder, "--dry-run").output


def test_what_users_have_chosen_does_not_command_the_terminal(vpin: Vpin, folder: Path):
    generated.write_profile(folder, generated.profile(1) | {"\x1b[2Jkey[red]": 1})
    (folder / "\x1b]0;title\x07@example.org.Blynk.user").mkdir()
    shown = vpin(folder, "--dry-run").output
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "unknown key \N{REPLACEMENT CHARACTER}[2Jkey[red]" in shown


def test_names_of_files_need_not_be_utf_8(vpin: Vpin, folder: Path, tmp_path: Path):
    place = os.fsencode(folder)
    for name in (b"data/b\xe4r@example.org", b"clone", b"backup"):
        os.makedirs(place + b"/" + name, exist_ok=True)  # noqa: PTH103  names of bytes
    user = generated.profile(5) | {"email": "bär@example.org"}
    odd = {
        b"b\xe4r@example.org.Blynk.user": json.dumps(user),
        b"b\xe4d@example.org.Blynk.user": "",
        b"data/b\xe4r@example.org/history_\xe4.bin": "",
        b"clone/\xe4": "",
        b"backup/\xe4@example.org.Blynk.user.2020-01-01": "",
    }
    for name, text in odd.items():
        with open(place + b"/" + name, "w") as file:  # noqa: PTH123
            file.write(text)
    done = vpin(folder, "--yes", "--report", tmp_path / "report.json")
    assert done.exit_code == 1, done.output
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["accounts"]["taken"] == 4
    assert {outcome["source"] for outcome in told["outcomes"]} >= {"b?d@example.org.Blynk.user"}


def test_what_somebody_has_to_look_at_is_shown_first(vpin: Vpin, folder: Path):
    names = [f"field{n}" for n in range(30)]
    for number in range(2):  # each of them in two accounts, so there is more of it
        user = generated.profile(number) | dict.fromkeys(names, 1)
        generated.write_profile(folder, user)
    generated.write_profile(folder, generated.profile(2) | {"pass": ""})
    lines = vpin(folder, "--dry-run").output.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(("field:", "profile:")))
    assert "has no password" in lines[first]


def _hear_interrupts() -> None:
    """A shell has what it starts in the background ignore them, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.integration
def test_an_import_that_is_interrupted_says_that_it_can_go_on(tmp_path: Path):
    """Ctrl-C."""
    folder, report = tmp_path / "old", tmp_path / "report.json"
    generated.generate(folder, MANY, POINTS)
    run = [*COMMAND, "import-blynk", str(folder), "--yes", "--report", str(report)]
    environment = clean_environment(VPIN_DATA=str(tmp_path / "data"))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(run, env=environment, preexec_fn=_hear_interrupts, **pipes) as process:
        assert process.stdout
        assert process.stderr
        for line in process.stdout:
            if line.startswith("taking: "):
                break
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
        complaint = process.stderr.read()
    assert (process.returncode, complaint.splitlines()[:1]) == (2, ["interrupted"])
    assert "it goes on where it stopped" in complaint
    assert "What was taken" in said
    told = json.loads(report.read_text())
    assert told["brokenOff"] == "interrupted"
    assert 25 <= told["accounts"]["taken"] < MANY
    assert told["accounts"]["taken"] <= len(accounts(tmp_path / "data" / "vpin.db")) < MANY


def test_long_lists_are_shortened_on_the_screen(vpin: Vpin, tmp_path: Path):
    folder = tmp_path / "old"
    folder.mkdir()
    for number in range(30):
        generated.damage(folder / f"{generated.email(number)}.Blynk.user", "{")
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
