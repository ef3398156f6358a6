"""What is in the data folder of an old server (spec 06, 7). Nothing here opens a file for writing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vpin_store.history import Step

SUFFIX = ".user"
_OLD_NAME = "u_"
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")
_HISTORY = re.compile(r"history_(-?\d{1,10})-(-?\d{1,10})_([vda])(\d{1,3})_(minute|hourly|daily)\.bin")
_STEPS = {"minute": Step.MINUTE, "hourly": Step.HOUR, "daily": Step.DAY}


class ProfileFile(NamedTuple):
    """The profile of one account and its copies of earlier days, newest first."""

    path: Path
    backups: list[Path]

    @property
    def is_old(self) -> bool:
        """It has the name that servers before 0.38 gave: u_<email>.user."""
        return self.path.name.startswith(_OLD_NAME)

    @property
    def email(self) -> str:
        """As its name tells."""
        return self.named[0]

    @property
    def named(self) -> tuple[str, str]:
        """E-mail and app as its name tells: the part between the last dots is the app."""
        name = self.path.name.removesuffix(SUFFIX)
        if self.is_old:
            return name.removeprefix(_OLD_NAME), "Blynk"
        email, _, app_name = name.rpartition(".")
        return email, app_name


class HistoryFile(NamedTuple):
    """Averages of one pin."""

    path: Path
    dash_id: int
    device_id: int
    kind: int  # ord of v, d, a
    pin: int
    step: Step


class Folder:
    """Opened by its path; OSError when it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        backups = _by_profile(path / "backup")
        files = [p for p in sorted(path.iterdir()) if p.name.endswith(SUFFIX) and p.is_file()]
        found = [ProfileFile(p, backups.pop(p.name, [])) for p in files]
        self.profiles = sorted(found, key=lambda profile: profile.is_old)  # of two of one account the new name counts
        self.lost = sorted(backups)
        """Names of profiles of which there are only backups: accounts that were deleted."""
        self.clones = _files(path / "clone")
        data = path / "data"
        self.histories = {p.name: p for p in sorted(data.iterdir()) if p.is_dir()} if data.is_dir() else {}
        """Folders of averages by their name."""
        self.unfinished = [p for p in _files(data) if p.name.endswith("_temp.bin")]

    @staticmethod
    def history_name(email: str, app_name: str) -> str:
        """Name of the folder of an account's averages."""
        return email if app_name == "Blynk" else f"{email}_{app_name}"

    def history(self, email: str, app_name: str) -> tuple[list[HistoryFile], list[Path]]:
        """Files of an account's averages, and what is beside them that is none."""
        folder = self.histories.get(self.history_name(email, app_name))
        files: list[HistoryFile] = []
        others: list[Path] = []
        for path in _files(folder) if folder else ():
            if match := _HISTORY.fullmatch(path.name):
                dash, device, kind, pin, step = match.groups()
                files.append(HistoryFile(path, int(dash), int(device), ord(kind), int(pin), _STEPS[step]))
            else:
                others.append(path)
        return files, others


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []


def _by_profile(folder: Path) -> dict[str, list[Path]]:
    """Backups by the name of their profile, newest first."""
    found: dict[str, list[Path]] = {}
    for path, name in reversed(list(_backups(folder))):
        found.setdefault(name, []).append(path)
    return found


def _backups(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in _files(folder):
        name, _, date = path.name.rpartition(".")
        if _DATED.fullmatch(date) and name.endswith(SUFFIX):
            yield path, name
