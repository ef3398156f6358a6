"""The command line, without servers."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner
from vpin_store import open_store
from vpin_store.rows import Changes, TokenRow

from vpin.bench.cli import app as bench
from vpin.cli import app
from vpin.keeping.cli import register as keep

Vpin = Callable[..., Any]

keep(app)  # as the program does when one of these commands is meant


@pytest.fixture
def vpin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vpin:
    monkeypatch.setenv("VPIN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    for variable in ("VPIN_SERVER_PROPERTIES", "VPIN_CONFIG"):  # the command line sets them: put back what was there
        monkeypatch.setenv(variable, "")
    runner = CliRunner()
    return lambda *arguments, **options: runner.invoke(app, arguments, **options)


def commands(group: typer.Typer, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for command in group.registered_commands:
        assert command.callback
        yield (*path, command.name or command.callback.__name__)
    for inner in group.registered_groups:
        assert inner.typer_instance
        assert inner.name
        yield from commands(inner.typer_instance, (*path, inner.name))


@pytest.mark.parametrize("path", list(commands(app)), ids=" ".join)
def test_every_command_has_examples_in_its_help(vpin: Vpin, path: tuple[str, ...]):
    text = vpin(*path, "--help").output
    assert "Examples:" in text
    assert f"vpin {' '.join(path)}" in text


def test_the_load_generator_is_there():
    assert set(commands(bench)) >= {("throughput",), ("latency",), ("connections",), ("http",)}


def test_the_version_is_told(vpin: Vpin):
    assert vpin("--version").output.startswith("vpin 0.")


def test_config_shows_sources_and_hides_secrets(vpin: Vpin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "server.properties").write_text("hard.socket.idle.timeout=7\nadmin.pass=hidden-1\n")
    monkeypatch.setenv("VPIN_SMTP_PASSWORD", "hidden-2")
    monkeypatch.setenv("VPIN_BUS_URL", "amqp://guest:hidden-3@127.0.0.1/")
    text = vpin("config", "--server-properties", str(tmp_path / "server.properties")).output
    assert "hidden" not in text
    assert f"VPIN_HARDWARE_IDLE_TIMEOUT=7  # {tmp_path}/server.properties\n" in text
    assert "VPIN_SMTP_PASSWORD=***  # VPIN_SMTP_PASSWORD\n" in text
    assert "VPIN_SHARDS=8  # default\n" in text


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"VPIN_HTTP": "localhost"}, "VPIN_HTTP: Value error, 'localhost' is no address"),
        ({"VPIN_SHARDS": "0"}, "VPIN_SHARDS: Input should be greater than or equal to 1"),
        ({"VPIN_CONFIG": "/nowhere.toml"}, "No such file or directory: '/nowhere.toml'"),
        ({}, "VPIN_BUS_URL"),
        ({"VPIN_BUS_URL": "amqp://127.0.0.1/"}, "VPIN_DATABASE_URL"),
        ({"VPIN_LOG_LEVEL": "loud"}, "VPIN_LOG_LEVEL: 'loud' is no level"),
        ({"VPIN_CONFIG": "/etc/hostname"}, "/etc/hostname: "),
        ({"VPIN_BUS_URL": "redis://127.0.0.1/"}, "VPIN_BUS_URL: a broker is amqp://"),
        ({"VPIN_DATABASE_URL": "mysql://127.0.0.1/x"}, "VPIN_DATABASE_URL: a database URL is postgresql://"),
    ],
)
def test_settings_that_are_wrong_are_told(vpin: Vpin, environment: dict[str, str], message: str):
    done = vpin("state", env=environment)
    assert done.exit_code == 2
    assert message in done.output


def test_the_database_is_made_once_and_the_first_password_shown_once(vpin: Vpin):
    first = vpin("db", "upgrade")
    assert first.exit_code == 0, first.output
    assert "Administrator admin@vpin.local, first password " in first.output
    again = vpin("db", "upgrade")
    assert "already" in again.output
    assert "password" not in again.output


def test_a_given_password_of_the_administrator_is_not_shown(vpin: Vpin):
    done = vpin("db", "upgrade", env={"VPIN_ADMIN_EMAIL": "root@example.org", "VPIN_ADMIN_PASSWORD": "given-secret"})
    assert "given-secret" not in done.output
    assert "root@example.org" in vpin("user", "list").output


COMMANDS = [["run"], ["db", "upgrade"], ["user", "list"], ["export", "out"], ["backup", "b"], ["doctor"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("state", ["newer", "no database"])
def test_a_database_that_cannot_be_used_is_told_and_not_touched(
    vpin: Vpin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, command: list[str]
):
    monkeypatch.chdir(tmp_path)
    database = tmp_path / "data" / "vpin.db"
    assert vpin("db", "upgrade").exit_code == 0
    if state == "newer":
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            connection.commit()
    else:
        database.write_bytes(b"neither SQLite nor anything" * 99)
    before = database.read_bytes()
    done = vpin(*command)
    assert done.exit_code == (1 if command == ["doctor"] else 2), done.output
    assert ("a newer version of vpin" if state == "newer" else "not a database") in done.output
    assert database.read_bytes() == before


def test_without_a_database_there_are_no_accounts_to_work_with(vpin: Vpin, tmp_path: Path):
    for command in (["user", "list"], ["user", "passwd", "anna@example.org", "--password", "x"]):
        done = vpin(*command)
        assert (done.exit_code, "there is no database yet" in done.output) == (2, True)
    assert not (tmp_path / "data").exists()


def test_accounts(vpin: Vpin):
    vpin("db", "upgrade")
    assert vpin("user", "add", "Anna@example.org", "--password", "one").exit_code == 0
    text = vpin("user", "list").output
    assert "anna@example.org" in text
    twice = vpin("user", "add", "anna@example.org", "--password", "one")
    assert (twice.exit_code, "has an account already" in twice.output) == (2, True)
    assert vpin("user", "passwd", "anna@example.org", "--password", "two").exit_code == 0
    unknown = vpin("user", "passwd", "bob@example.org", "--password", "two")
    assert (unknown.exit_code, "`vpin user add` makes one" in unknown.output) == (2, True)
    assert "no e-mail address" in vpin("user", "add", "anna", "--password", "one").output


def test_an_account_is_deleted_when_that_is_meant(vpin: Vpin):
    vpin("db", "upgrade")
    vpin("user", "add", "anna@example.org", "--password", "one")
    asked = vpin("user", "delete", "Anna@example.org")
    assert (asked.exit_code, "Run it again with --yes" in asked.output) == (2, True)
    assert "anna@example.org (app Blynk): 0 projects, 0 devices" in asked.output
    assert "anna@example.org" in vpin("user", "list").output
    done = vpin("user", "delete", "Anna@example.org", "--yes")
    assert (done.exit_code, "anna@example.org is deleted." in done.output) == (0, True)
    assert "anna@example.org" not in vpin("user", "list").output
    gone = vpin("user", "delete", "anna@example.org", "--yes")
    assert (gone.exit_code, "`vpin user list` shows all" in gone.output) == (2, True)
    assert vpin("user", "add", "anna@example.org", "--password", "one").exit_code == 0


def test_an_account_of_another_app_is_not_deleted_by_mistake(vpin: Vpin):
    vpin("db", "upgrade")
    vpin("user", "add", "anna@example.org", "--app", "MyApp", "--password", "one")
    done = vpin("user", "delete", "anna@example.org", "--yes")
    assert (done.exit_code, "but: --app MyApp" in done.output) == (2, True)
    assert vpin("user", "delete", "anna@example.org", "--app", "MyApp", "--yes").exit_code == 0


def test_the_last_administrator_is_not_deleted(vpin: Vpin):
    vpin("db", "upgrade")
    refused = vpin("user", "delete", "admin@vpin.local", "--yes")
    assert (refused.exit_code, "`vpin user add --admin` makes another one first" in refused.output) == (2, True)
    vpin("user", "add", "root@example.org", "--admin", "--password", "one")
    assert vpin("user", "delete", "admin@vpin.local", "--yes").exit_code == 0


def test_a_new_password_ends_the_sessions_of_the_api(vpin: Vpin, tmp_path: Path):
    async def sessions(made: bool) -> list[str]:
        async with open_store(f"sqlite:///{tmp_path}/data/vpin.db") as store:
            account = await store.find_account("anna@example.org", "Blynk")
            assert account
            if made:
                rows = [TokenRow(kind, kind, account.id, 0, 0, 0, b"") for kind in ("session", "device")]
                await store.commit(Changes(tokens=rows))
            return sorted(await store.tokens.find(["session", "device"]))

    vpin("db", "upgrade")
    vpin("user", "add", "anna@example.org", "--password", "one")
    assert asyncio.run(sessions(made=True)) == ["device", "session"]
    assert vpin("user", "passwd", "anna@example.org", "--password", "two").exit_code == 0
    assert asyncio.run(sessions(made=False)) == ["device"]


def test_accounts_are_where_the_settings_say(vpin: Vpin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("VPIN_DATA")
    (tmp_path / "vpin.toml").write_text(f'data = "{tmp_path}/elsewhere"\n')
    (tmp_path / "server.properties").write_text(f"data.folder={tmp_path}/elsewhere\n")
    made = vpin("db", "upgrade", "--config", str(tmp_path / "vpin.toml"))
    assert f"VPIN_DATA={tmp_path}/elsewhere vpin user passwd" in made.output
    for place in (("--config", "vpin.toml"), ("--server-properties", "server.properties")):
        where = (place[0], str(tmp_path / place[1]))
        assert vpin("user", "add", "anna@example.org", "--password", "one", *where).exit_code == 0
        assert vpin("user", "passwd", "anna@example.org", "--password", "two", *where).exit_code == 0
        assert "anna@example.org" in vpin("user", "list", *where).output
        assert vpin("user", "delete", "anna@example.org", "--yes", *where).exit_code == 0


def test_a_folder_that_no_certificate_fits_in_is_told(vpin: Vpin):
    done = vpin("certificate", env={"VPIN_DATA": "/proc/nowhere"})
    assert (done.exit_code, "/proc/nowhere can't be used" in done.output) == (2, True)
