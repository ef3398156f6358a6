"""What `vpin import-blynk` does, step by step: look, tell, ask, take, tell."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import uvloop
from vpin_store import StoreUnavailable, WrongSchema, check_schema, in_use, open_store, upgrade

from vpin.importing.display import progress, show
from vpin.importing.folder import Folder
from vpin.importing.report import Report
from vpin.importing.taking import Import
from vpin.wiring import database_url

if TYPE_CHECKING:
    from rich.console import Console
    from vpin_runtime.settings import Settings

FRESH_SECONDS = 120
"""The old server writes what has changed once a minute."""
AGAIN = "What was taken until now is stored. Run the same command again: it goes on where it stopped."


class ImportFailedError(Exception):
    """Nothing (more) was taken; the message says what to do."""


def take_over(
    path: Path,
    settings: Settings,
    console: Console,
    *,
    confirm: Callable[[], bool],
    dry_run: bool,
    ask: bool,
    overwrite: bool,
    report_file: Path | None,
) -> bool:
    """Take over a folder; whether every account of it is in vpin (or would be). ImportFailedError.

    With `dry_run` or `ask` it is shown first what would be done; with `ask` it is done if `confirm` says so. The report is
    written whatever happens.
    """
    folder = _open(path, settings, report_file)
    if (seconds := time.time() - folder.written_at) < FRESH_SECONDS:
        console.print(
            f"The newest profile was written {max(seconds, 0):.0f} s ago. If the old server still runs: what it hears from now"
            " on will not be in vpin. Stop it before you move.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )
    report = Report(str(path), dry_run=True)
    try:
        if dry_run or ask:
            _go(folder, settings, console, report, overwrite=overwrite)
        if not dry_run and not (ask and report.is_idle):
            if ask and not confirm():
                raise ImportFailedError("Nothing has been taken.")
            report = Report(str(path), dry_run=False)
            _go(folder, settings, console, report, overwrite=overwrite)
    finally:
        if report_file is not None:
            _write(report, report_file)
            console.print(f"The whole report is in {report_file}.", highlight=False, soft_wrap=True)
    return report.complete


def _go(folder: Folder, settings: Settings, console: Console, report: Report, *, overwrite: bool) -> None:
    """One run; the report is shown, of a run that broke off as well."""
    try:
        uvloop.run(_run(folder, settings, console, report, overwrite=overwrite))
    except KeyboardInterrupt:
        report.broken_off = "interrupted"
    except StoreUnavailable as reason:
        report.broken_off = f"the database does not answer, or cannot be written: {reason}"
    except WrongSchema as reason:
        raise ImportFailedError(str(reason)) from None
    if report.changed or not report.broken_off:
        show(report, console)
    if report.broken_off:
        raise ImportFailedError(report.broken_off if report.dry_run else f"{report.broken_off}\n{AGAIN}")


def _write(report: Report, path: Path) -> None:
    """Whose boards and projects they are is nobody else's business. ImportFailedError."""
    text = msgspec.json.format(msgspec.json.encode(report.as_json())) + b"\n"
    try:
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(text)
    except OSError as error:
        raise ImportFailedError(f"the report cannot be written into {path}: {error.strerror}") from None


def _open(path: Path, settings: Settings, report_file: Path | None) -> Folder:
    """The folder, if there is something to take and nothing will be written into it."""
    try:
        folder = Folder(path)
    except OSError as error:
        raise ImportFailedError(f"{error.filename or path} cannot be read: {error.strerror}") from None
    if not folder.profiles:
        raise ImportFailedError(
            f"{path} has no profiles (files that end with .user). Name the folder that `data.folder` of the old"
            " server.properties names, or that the old server was started with (-dataFolder)."
        )
    root = path.resolve()
    for what, place in (
        ("VPIN_DATA", settings.data),
        ("--report", report_file),
    ):  # `data.folder` of the old settings too
        if place is not None and (place.resolve() == root or root in place.resolve().parents):
            raise ImportFailedError(
                f"{what} ({place}) lies in {path}, where nothing may be written: name another place"
            )
    if report_file is not None and not report_file.absolute().parent.is_dir():
        raise ImportFailedError(f"--report: there is no folder {report_file.absolute().parent}")
    return folder


async def _run(folder: Folder, settings: Settings, console: Console, report: Report, *, overwrite: bool) -> None:
    url, write = database_url(settings), not report.dry_run
    is_there = write or await check_schema(url)
    alone = not await in_use(url)
    if write and overwrite and not alone:
        raise ImportFailedError(
            "--overwrite replaces accounts, which a running vpin has in its memory: stop vpin (all of its services),"
            " run this again, start vpin. Without --overwrite new accounts can be taken while it runs."
        )
    if write:
        await upgrade(url)
    with progress(console, len(folder.profiles), "taking" if write else "reading") as advance:
        kept = {"initial_energy": settings.initial_energy, "store_ip": settings.store_ip}
        options = {"write": write, "overwrite": overwrite, "alone": alone, "report": report, "on_progress": advance}
        if not is_there:
            await Import(folder, None, **kept, **options).run()
            return
        async with open_store(url) as store:
            await Import(folder, store, **kept, **options).run()
