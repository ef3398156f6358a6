"""Backups as files: whole or not there at all, for this user's eyes only, the old ones removed. Names of files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 255
"""Of the name of a file, on all file systems in use."""
_NAME = re.compile(r"vpin-\d{4}-\d{2}-\d{2}T\d{6}Z\.backup")


def dated(folder: Path, now: datetime) -> Path:
    """The file in the folder of a backup that is made `now` (UTC)."""
    return folder / f"vpin-{now:%Y-%m-%dT%H%M%SZ}.backup"


@contextmanager
def whole_file(path: Path) -> Generator[BinaryIO]:
    """A file to write; it has the name when it is complete and on the disk, and leaves nothing if not. OSError."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        partial.unlink(missing_ok=True)


def remove_old(folder: Path, keep: int) -> list[Path]:
    """Remove all dated backups of the folder but the newest `keep` (0: keep all); those that are gone now."""
    old = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))[:-keep] if keep else []
    for path in old:
        path.unlink()
    return old


def file_name(text: str) -> str:
    """Text as a name in a folder: what users choose must not lead out of it, nor be longer than file systems take."""
    name = text.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")
    name = f"%2E{name[1:]}" if name.startswith(".") else name
    if len(os.fsencode(name)) <= MOST_BYTES:
        return name
    start, end = os.fsencode(name)[:200].decode(errors="ignore"), Path(name).suffix[:50]
    return f"{start}~{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:16]}{end}"
