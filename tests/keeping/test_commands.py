"""`vpin backup`, `vpin restore`, `vpin export` on the command line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from importing.generated import generate
from infra.vpin import COMMAND, EmbeddedRun, clean_environment

from vpin.keeping.files import dated, remove_old, whole_file

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def vpin(tmp_path: Path) -> Run:
    """Runs the program on a database in `tmp_path`/data; keywords are settings."""

    def run(*arguments: str, stdin: bytes = b"", **settings: str) -> subprocess.CompletedProcess[bytes]:
        environment = clean_environment(VPIN_DATA=str(tmp_path / "data"), COLUMNS="200", **settings)
        return subprocess.run([*COMMAND, *arguments], env=environment, cwd=tmp_path, input=stdin, capture_output=True)

    return run


@pytest.fixture
def filled(vpin: Run, tmp_path: Path) -> Path:
    """The database has three accounts; its file."""
    generate(tmp_path / "old", 3)
    assert vpin("import-blynk", "old", "--yes").returncode == 0
    return tmp_path / "data" / "vpin.db"


def test_what_was_saved_is_there_again(vpin: Run, filled: Path, tmp_path: Path):
    made = vpin("backup", "b")
    assert made.returncode == 0, made.stderr
    assert b"3 accounts, 18 devices" in made.stderr
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    assert b"is whole" in vpin("restore", "--check", "b").stderr
    there = vpin("restore", "b")
    assert (there.returncode, b"--replace" in there.stderr) == (2, True)
    unsure = vpin("restore", "b", "--replace")
    assert (unsure.returncode, b"--yes" in unsure.stderr) == (2, True)
    filled.unlink()
    assert vpin("restore", "b").returncode == 0
    assert filled.stat().st_mode & 0o777 == 0o600
    assert vpin("user", "list").stdout.count(b"@example.org") == 3
    assert vpin("restore", "b", "--replace", "--yes").returncode == 0


def test_a_backup_through_a_pipe(vpin: Run, filled: Path):
    backup = vpin("backup", "-").stdout
    assert vpin("restore", "-", stdin=backup, VPIN_DATA_NAME="x").returncode == 2  # not empty
    filled.unlink()
    assert vpin("restore", "-", stdin=backup).returncode == 0
    cut = vpin("restore", "--check", "-", stdin=backup[:-30])
    assert (cut.returncode, b"cut off" in cut.stderr) == (2, True)


def test_only_backups_are_overwritten(vpin: Run, filled: Path, tmp_path: Path):
    refused = vpin("backup", "data/vpin.db")
    assert (refused.returncode, b"is no backup" in refused.stderr) == (2, True)
    assert vpin("backup", "b").returncode == vpin("backup", "b").returncode == 0
    assert vpin("restore", "old/user0@example.org.Blynk.user").returncode == 2
    assert vpin("restore", "nowhere").returncode == 2
    assert vpin("backup", "b", "--keep", "3").returncode == 2


def test_old_backups_go_and_nothing_else(vpin: Run, filled: Path, tmp_path: Path):
    folder = tmp_path / "days"
    folder.mkdir()
    now = datetime.now(UTC)
    for days in range(1, 6):
        dated(folder, now - timedelta(days)).touch()
    (folder / "notes.backup").touch()
    made = vpin("backup", "days", "--keep", "3")
    assert b"Removed 3 older backups" in made.stderr
    left = sorted(path.name for path in folder.iterdir())
    assert len(left) == 4
    assert left[:1] == ["notes.backup"]
    assert left[1:3] == [dated(folder, now - timedelta(days)).name for days in (2, 1)]


def test_thirty_backups_stay_if_nothing_is_said(vpin: Run, filled: Path, tmp_path: Path):
    folder = tmp_path / "days"
    folder.mkdir()
    now = datetime.now(UTC)
    for days in range(1, 35):
        dated(folder, now - timedelta(days)).touch()
    assert b"Removed" not in vpin("backup", "days/", "--keep", "0").stderr
    assert b"older backups" in vpin("backup", "days").stderr
    assert len(list(folder.iterdir())) == 30


def test_a_backup_counts_even_if_older_ones_cannot_be_removed(vpin: Run, filled: Path, tmp_path: Path):
    stuck = dated(tmp_path / "days", datetime.now(UTC) - timedelta(days=1))
    stuck.mkdir(parents=True)  # unlink refuses a folder
    made = vpin("backup", "days", "--keep", "1")
    assert (made.returncode, b"the backup was made, but" in made.stderr) == (2, True)
    assert len(list((tmp_path / "days").iterdir())) == 2


def test_a_file_is_whole_or_not_there(tmp_path: Path):
    path = tmp_path / "b"
    with pytest.raises(TypeError), whole_file(path) as file:
        file.write("no bytes")  # type: ignore[arg-type]  the writer fails
    assert not list(tmp_path.iterdir())
    with whole_file(path) as file:
        file.write(b"all")
        assert not path.exists()
    assert path.read_bytes() == b"all"
    assert remove_old(tmp_path, 1) == []


def test_without_a_database_it_says_so(vpin: Run, tmp_path: Path):
    refused = vpin("backup", "b")
    assert (refused.returncode, b"no database" in refused.stderr) == (2, True)
    assert not (tmp_path / "b").exists()


def test_an_export_goes_into_an_empty_folder(vpin: Run, filled: Path, tmp_path: Path):
    made = vpin("export", "out", "user1@example.org")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    assert [p.name for p in (tmp_path / "out").glob("*.user")] == ["user1@example.org.Blynk.user"]
    assert vpin("export", "out").returncode == 2
    unknown = vpin("export", "other", "nobody@example.org")
    assert (unknown.returncode, b"nobody@example.org" in unknown.stderr) == (2, True)


@pytest.mark.integration
def test_backups_while_it_runs_and_no_restore(vpin: Run, filled: Path, tmp_path: Path):
    server = EmbeddedRun(tmp_path, clean_environment(VPIN_LOG_LEVEL="warning"))
    server.start()
    try:
        assert vpin("backup", "b").returncode == 0
        assert vpin("export", "out").returncode == 0
        refused = vpin("restore", "b", "--replace", "--yes")
        assert (refused.returncode, b"running" in refused.stderr) == (2, True)
    finally:
        server.stop()
    assert vpin("restore", "b", "--replace", "--yes").returncode == 0


@pytest.mark.integration
def test_a_home_grows_up(vpin: Run, filled: Path, postgres_database: str):
    assert vpin("backup", "b").returncode == 0
    moved = vpin("restore", "b", VPIN_DATABASE_URL=postgres_database)
    assert moved.returncode == 0, moved.stderr
    assert vpin("user", "list", VPIN_DATABASE_URL=postgres_database).stdout == vpin("user", "list").stdout
    assert vpin("backup", "back", VPIN_DATABASE_URL=postgres_database).returncode == 0
    assert vpin("restore", "back", "--replace", "--yes").returncode == 0


@pytest.mark.parametrize("command", ["backup", "restore", "export"])
def test_the_help_has_examples(vpin: Run, command: str):
    shown = vpin(command, "--help").stdout.decode()
    assert "Examples:" in shown
    assert f"vpin {command} " in shown
    assert command in vpin("--help").stdout.decode()
