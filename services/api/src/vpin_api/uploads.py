"""Files that devices upload: taken out of the form, kept in a folder per device, served to everybody (spec 04, 2.2)."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from vpin_store.rows import TokenRow

FIELD = "upfile"
FILE_MAX = 5 * 1024 * 1024
FILES_MAX = 10
FOLDER = "device_uploads"


class NoFileError(ValueError):
    """The body is no form with a file in its field `upfile`, or the file is too large."""


class Uploads:
    """Below ``folder/device_uploads``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    async def take(self, row: TokenRow, content_type: bytes, body: bytes) -> str:
        """Keep the file of a form; its path, which only who has been told can guess. The same name replaces the file."""
        name, data = await asyncio.to_thread(_file, content_type, body)
        device = f"{row.account_id}.{row.dash_id & 0xFFFFFFFF}.{row.device_id}"
        stem = hashlib.sha256(f"{row.token}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        path = self._folder / device / (stem + suffix_of(name))
        await asyncio.to_thread(_keep, path, data)
        return f"/{FOLDER}/{device}/{path.name}"


def _file(content_type: bytes, body: bytes) -> tuple[str, bytes]:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise NoFileError("no form")
    found: list[tuple[str, bytes]] = []

    def on_file(file: object) -> None:
        if getattr(file, "field_name", None) == FIELD.encode():
            data = file.file_object  # type: ignore[attr-defined]  python_multipart.multipart.File
            data.seek(0)
            found.append(((file.file_name or b"").decode(errors="replace"), data.read()))  # type: ignore[attr-defined]

    parser = FormParser(
        "multipart/form-data",
        on_field=None,
        on_file=on_file,
        boundary=options[b"boundary"],
        config={"MAX_MEMORY_FILE_SIZE": FILE_MAX * 2},
    )
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise NoFileError(str(error)) from error
    if not found or not found[0][0] or len(found[0][1]) > FILE_MAX:
        raise NoFileError("no file")
    return found[0]


def suffix_of(name: str) -> str:
    """The suffix of a file's name with its dot, "" where it is none that a path may have."""
    suffix = Path(name).suffix
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= 10 else ""


def _keep(path: Path, data: bytes) -> None:
    """Write it, then let the oldest go where there are too many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)
    files = sorted((f for f in path.parent.iterdir() if not f.name.startswith(".")), key=lambda f: f.stat().st_mtime_ns)
    for old in files[:-FILES_MAX]:
        old.unlink(missing_ok=True)
