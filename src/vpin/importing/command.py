"""What `vpin import-blynk` does, step by step: look, tell, ask, take, tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import uvloop
from vpin_store import StoreUnavailable, in_use, is_current, open_store, upgrade
from vpin_store.urls import sqlite_path

from vpin.importing.display import progress, show
from vpin.importing.folder import Folder
from vpin.importing.taking import Import
from vpin.wiring import database_url

if TYPE_CHECKING:
    from rich.console import Console
    from vpin_runtime.settings import Settings

    from vpin.importing.report import Report


class ImportFailedError(Exception):
    """Nothing (more) was written; the message says what to do."""


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

    With `dry_run` or `ask` it is shown first what would be done; with `ask` it is done if `confirm` says so.
    """
    folder = _open(path, settings, report_file)
    url = database_url(settings)
    try:
        report: Report | None = None
        if dry_run or ask:
            report = uvloop.run(_run(folder, url, settings, console, write=False, overwrite=overwrite))
            show(report, console)
        if not dry_run and (report is None or (report.changed > 0 and confirm()) or _only_clones(report, confirm)):
            report = uvloop.run(_run(folder, url, settings, console, write=True, overwrite=overwrite))
            show(report, console)
    except StoreUnavailable as reason:
        raise ImportFailedError(
            f"the database does not answer: {reason}\n"
            "What was taken until now is stored. Run the same command again: it goes on where it stopped."
        ) from None
    assert report is not None
    if report_file is not None:
        report_file.write_bytes(msgspec.json.format(msgspec.json.encode(report.as_json())) + b"\n")
        console.print(f"The whole report is in {report_file}.", highlight=False, soft_wrap=True)
    return report.complete


def _open(path: Path, settings: Settings, report_file: Path | None) -> Folder:
    """The folder, if there is something to take and nothing will be written into it."""
    try:
        folder = Folder(path)
    except OSError as error:
        raise ImportFailedError(f"{path} cannot be read: {error.strerror}") from None
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


async def _run(
    folder: Folder, url: str, settings: Settings, console: Console, *, write: bool, overwrite: bool
) -> Report:
    if write and overwrite and await in_use(url):
        raise ImportFailedError(
            "--overwrite replaces accounts, which a running vpin has in its memory: stop vpin (all of its services),"
            " run this again, start vpin. Without --overwrite new accounts can be taken while it runs."
        )
    if write:
        await upgrade(url)
    file = sqlite_path(url)
    known = (file is None or file.exists()) and await is_current(url)
    with progress(console, len(folder.profiles), "taking" if write else "reading") as advance:
        options = {"write": write, "overwrite": overwrite, "on_progress": advance}
        if not known:
            return await Import(folder, None, initial_energy=settings.initial_energy, **options).run()
        async with open_store(url) as store:
            return await Import(folder, store, initial_energy=settings.initial_energy, **options).run()


def _only_clones(report: Report, confirm: Callable[[], bool]) -> bool:
    return report.changed == 0 and report.counts["clones"] > 0 and confirm()
