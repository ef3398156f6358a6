"""What is in the data folder of an old server (spec 06, 7). Nothing here opens a file for writing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vpin_store.history import Step

from vpin.keeping.files import file_name

SUFFIX = ".user"
_OLD_NAME = "u_"
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = r"(0|-?[1-9]\d{0,9})"  # as the old server writes it: no two names for one pin
_HISTORY = re.compile(rf"history_{_NUMBER}-{_NUMBER}_([vda])(0|[1-9]\d{{0,2}})_(minute|hourly|daily)\.bin")
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
        named = [p for p in sorted(path.iterdir()) if p.name.endswith(SUFFIX)]
        found = [ProfileFile(p, backups.pop(p.name, [])) for p in named if p.is_file()]
        self.profiles = sorted(found, key=lambda profile: profile.is_old)  # of two of one account the new name counts
        self.strange = [p for p in named if not p.is_file()]
        """Named like profiles, but folders, or links that lead nowhere."""
        self.lost = {name: found[0] for name, found in sorted(backups.items())}
        """Profiles of which there are only backups, by name: the newest one."""
        self._deleted = [p.name for p in _files(path / "deleted")]
        clones = path / "clone"
        self.clones = [p for p in sorted(clones.iterdir()) if _may_be_read(p)] if clones.is_dir() else []
        data = path / "data"
        self.histories = {p.name: p for p in sorted(data.iterdir()) if p.is_dir()} if data.is_dir() else {}
        """Folders of averages by their name."""
        self._by_lower = {name.lower(): name for name in reversed(self.histories)}
        self.unfinished = [p for p in _files(data) if p.name.endswith("_temp.bin")]

    @property
    def written_at(self) -> float:
        """When a profile was last written (s since 1970); 0: nobody can tell."""
        times = [profile.path.stat().st_mtime for profile in self.profiles if profile.path.exists()]
        return max(times, default=0.0)

    def was_deleted(self, name: str) -> bool:
        """The old server says so of a profile (a second one of that name has something behind it)."""
        return any(deleted.startswith(name) for deleted in self._deleted)

    def history_name(self, email: str, app_name: str) -> str | None:
        """Name of the folder of an account's averages, if there is one. The old server did not always write e-mail
        addresses in lower case; `vpin export` escapes what no name of a file may have."""
        name = email if app_name == "Blynk" else f"{email}_{app_name}"
        for spelling in (name, file_name(name)):
            found = spelling if spelling in self.histories else self._by_lower.get(spelling.lower())
            if found is not None:
                return found
        return None

    def history(self, name: str | None) -> tuple[list[HistoryFile], list[Path]]:
        """Files of the averages in a folder of that name, and what is beside them that is none. OSError."""
        files: list[HistoryFile] = []
        others: list[Path] = []
        for path in sorted(self.histories[name].iterdir()) if name is not None else ():
            if (match := _HISTORY.fullmatch(path.name)) and _may_be_read(path):
                dash, device, kind, pin, step = match.groups()
                files.append(HistoryFile(path, int(dash), int(device), ord(kind), int(pin), _STEPS[step]))
            else:
                others.append(path)
        return files, others


def _may_be_read(path: Path) -> bool:
    """A file, or a link that leads nowhere, about which whoever reads it is told."""
    return path.is_file() or not path.exists()


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
