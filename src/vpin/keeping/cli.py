"""``vpin backup``, ``vpin restore``, ``vpin export``: progress and reports go to standard error."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from vpin import command_line

if TYPE_CHECKING:
    from rich.console import Console
    from vpin_store import Store
    from vpin_store.backup import End
    from vpin_store.rows import AccountRow

STREAM = "-"
KEPT = 30
"""Dated backups that stay in a folder unless another number is said (spec 06, 8)."""
Tell = Callable[[int, int], None]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog=command_line.examples(
            "vpin backup vpin.backup",
            "vpin backup /srv/backups/ --keep 90    (each day, by cron)",
            f"{command_line.DATABASE} vpin backup - | ssh elsewhere 'cat > vpin.backup'",
        )
    )(backup)
    app.command(
        epilog=command_line.examples(
            "vpin restore vpin.backup",
            "vpin restore --check vpin.backup",
            f"{command_line.DATABASE} vpin restore vpin.backup    (also of a backup that was made on SQLite)",
            "vpin restore --replace --yes vpin.backup",
        )
    )(restore)
    app.command(
        epilog=command_line.examples(
            "vpin export /srv/export", "vpin export /srv/anna anna@example.org", "vpin export --no-history out"
        )
    )(export)


def backup(
    file: Annotated[
        str, typer.Argument(help="The file to write; in a folder (or name/) one with the date; - for standard output.")
    ],
    keep: Annotated[
        int | None,
        typer.Option(
            min=0, help=f"Of the dated backups in the folder, keep so many, the newest: {KEPT} if not said; 0: all."
        ),
    ] = None,
    server_properties: command_line.Properties = None,
    config: command_line.Toml = None,
) -> None:
    """Write all that the database has into one file, as it is at this moment. vpin may run meanwhile.

    It has tokens and password hashes: keep it as safe as the database. `vpin restore` takes it back, into PostgreSQL or
    SQLite, wherever it was made.
    """
    from vpin_store.backup import BackupError, save
    from vpin_store.errors import StoreUnavailable

    from vpin.keeping.files import dated, remove_old, whole_file
    from vpin.wiring import database_url

    url = database_url(command_line.load(server_properties, config))
    began = time.monotonic()
    try:
        if file == STREAM:
            if keep is not None or sys.stdout.isatty():
                command_line.fail("a backup on standard output goes into a pipe or file, and --keep needs a folder")
            with _progress("rows") as tell:
                end = asyncio.run(save(url, sys.stdout.buffer, tell))
            sys.stdout.buffer.flush()
            _say(_summary("The backup", end, began))
            return
        path = Path(file)
        is_folder = path.is_dir() or file.endswith("/")
        if keep is not None and not is_folder:
            command_line.fail("--keep needs a folder: its backups have the date in their names")
        if is_folder:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = dated(path, datetime.now(UTC))
        _refuse_others(path)
        with whole_file(path) as target, _progress("rows") as tell:
            end = asyncio.run(save(url, target, tell))
        _say(_summary(f"{path} ({path.stat().st_size / 1e6:,.1f} MB)", end, began))
    except (BackupError, OSError) as error:
        command_line.fail(f"no backup was made: {error}")
    except StoreUnavailable as error:
        command_line.fail(f"no backup was made: the database does not answer: {error}")
    try:
        if is_folder and (old := remove_old(path.parent, KEPT if keep is None else keep)):
            _say(f"Removed {len(old)} older backups.")
    except OSError as error:
        command_line.fail(f"the backup was made, but older ones cannot be removed: {error}")


def restore(
    file: Annotated[str, typer.Argument(help="The backup; - for standard input.")],
    replace: Annotated[bool, typer.Option("--replace", help="Delete all that the database has.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Replace it without asking.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only read the backup and see that it is whole.")] = False,
    server_properties: command_line.Properties = None,
    config: command_line.Toml = None,
) -> None:
    """Make the database what it was when the backup was made. All services have to be stopped.

    It is all or nothing: whatever goes wrong, the database stays as it was. Backups of older versions are brought to this
    version's schema. Boards and apps then log in as before: tokens and passwords are in the backup.
    """
    from vpin_store.backup import BackupError
    from vpin_store.backup import check as read_through
    from vpin_store.backup import restore as fill
    from vpin_store.errors import StoreUnavailable

    from vpin.wiring import database_url

    url = database_url(command_line.load(server_properties, config))
    if replace and not yes and not check:
        if file == STREAM or not sys.stdin.isatty():
            command_line.fail("--replace deletes all that the database has: say --yes as well")
        typer.confirm("Delete all that the database has, and put the backup in its place?", abort=True)
    began = time.monotonic()
    try:
        with _reading(file) as (source, tell):
            if check:
                head, end = read_through(source, lambda done, total: tell())
            else:
                head, end = asyncio.run(fill(url, source, replace=replace, tell=lambda rows: tell()))
    except BackupError as error:
        command_line.fail(f"{'' if check else 'nothing was restored: '}{error}")
    except (OSError, StoreUnavailable) as error:
        command_line.fail(f"nothing was restored: {error}")
    made = f"{datetime.fromtimestamp(head.made_at / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    what = "is whole" if check else "is restored"
    _say(_summary(f"The backup of {made} (schema {head.schema}, {head.database}) {what}", end, began))


def export(
    folder: Annotated[Path, typer.Argument(help="A folder that is empty or not there yet.")],
    emails: Annotated[list[str] | None, typer.Argument(help="Only accounts of these e-mail addresses.")] = None,
    app_name: Annotated[str, typer.Option("--app", help="Only accounts of this app.")] = "",
    history: Annotated[bool, typer.Option("--history/--no-history", help="With the averages of pins.")] = True,
    server_properties: command_line.Properties = None,
    config: command_line.Toml = None,
) -> None:
    """Write accounts as the data folder of an old Blynk server has them. vpin may run meanwhile.

    `vpin import-blynk` takes the folder back, passwords included. An old server takes everything but the passwords:
    its users choose new ones.
    """
    settings = command_line.load(server_properties, config)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        command_line.fail(f"{folder} is not empty")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        command_line.with_store(
            settings, lambda store: _export(store, folder, emails or [], app_name, settings.server_host, history)
        )
    except OSError as error:
        command_line.fail(f"the export is not complete: {error}")


async def _export(store: Store, folder: Path, emails: list[str], app_name: str, host: str, history: bool) -> None:
    from vpin.accounts import AccountError, all_accounts
    from vpin.keeping.export import export as write

    wanted = {email.strip().lower() for email in emails}
    accounts = [row for row in await all_accounts(store) if _is_meant(row, wanted, app_name)]
    if unknown := wanted - {row.email for row in accounts}:
        raise AccountError(f"no account of {', '.join(sorted(unknown))}")
    done = 0
    with _progress("accounts") as tell:

        def advance(accounts_done: int) -> None:
            nonlocal done
            done += accounts_done
            tell(done, len(accounts))

        is_all = not wanted and not app_name
        counts = await write(store, folder, accounts, host=host, history=history, nobodys=is_all, tell=advance)
    _say(f"{folder}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items() if count))


def _is_meant(row: AccountRow, emails: set[str], app_name: str) -> bool:
    return (not emails or row.email in emails) and (not app_name or row.app_name == app_name)


def _refuse_others(path: Path) -> None:
    """OSError: there is a file of that name which is no backup. A backup is replaced."""
    from vpin_store.backup import BackupError, Reader

    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            Reader(file)
    except BackupError:
        raise FileExistsError(f"{path} is there and is no backup") from None


def _summary(what: str, end: End, began: float) -> str:
    counts = f"{end.counts.get('account', 0):,} accounts, {end.counts.get('device', 0):,} devices"
    return f"{what}: {counts}, {sum(end.counts.values()):,} rows, {time.monotonic() - began:.1f} s."


@contextmanager
def _reading(name: str) -> Generator[tuple[BinaryIO, Callable[[], None]]]:
    """The open file, and what to call when it has been read a bit further."""
    if name == STREAM:
        yield sys.stdin.buffer, lambda: None
        return
    path = Path(name)
    size = path.stat().st_size
    with path.open("rb") as file, _progress("bytes") as tell:
        yield file, lambda: tell(file.tell(), size)


@contextmanager
def _progress(unit: str) -> Generator[Tell]:
    """A bar for (done, total); nothing when this is no terminal."""
    console = _errors()
    if not console.is_terminal:
        yield lambda done, total: None
        return
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.completed:,.0f} " + unit), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(unit, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _errors() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _say(text: str) -> None:
    _errors().print(text, highlight=False, markup=False, soft_wrap=True)
