"""The text of a profile as JSON, from the file or, when that is damaged, from a backup of it (spec 06, 8)."""

from __future__ import annotations

import json
import time
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vpin_state.errors import Refused
from vpin_state.json_rules import parse
from vpin_state.model import JsonObject

from vpin.importing.folder import ProfileFile

SETTLED_SECONDS = 10
"""A file that was changed so lately may be half written: the old server writes in place."""


_lenient = json.JSONDecoder(strict=False, parse_constant=lambda name: None).raw_decode


class UnreadableError(Exception):
    """No profile can be made of the file, nor of a backup; the message says why."""


class Text(NamedTuple):
    """What a profile says."""

    source: Path
    text: bytes
    user: JsonObject
    remark: str  # about its encoding; "": nothing to remark


def read_text(file: ProfileFile) -> Text:
    """Of the first of the file and its backups that is whole. UnreadableError; OSError: the file itself cannot be read."""
    found = _whole(file.path, file.path.read_bytes())
    if found is not None:
        return found
    if time.time() - file.path.stat().st_mtime < SETTLED_SECONDS:
        raise UnreadableError("damaged, and just being written: stop the old server, then run this once more")
    for path in file.backups:
        try:
            text = path.read_bytes()
        except OSError:
            continue
        if (found := _whole(path, text)) is not None:
            return found
    raise UnreadableError(
        "damaged, and no backup of it is whole" if file.backups else "damaged, and there is no backup"
    )


def modified_at(path: Path) -> int:
    """When the account was last changed (ms), as the profile says; -1: it does not say."""
    try:
        found = _whole(path, path.read_bytes())
    except OSError:
        return -1
    at = found.user.get("lastModifiedTs") if found else None
    return at if type(at) is int else -1


def _whole(path: Path, text: bytes) -> Text | None:
    """The profile, if it is one."""
    for candidate, remark in _readings(text):
        try:
            user = parse(candidate)
        except Refused:
            continue
        if user.keys() & {"email", "name", "pass", "profile"}:
            return Text(path, text, user, remark)
    return None


def _readings(text: bytes) -> Iterator[tuple[bytes, str]]:
    """As it stands there, and then as editors, copies and odd settings of Java may have made it."""
    yield text.removeprefix(BOM_UTF8), ""
    unicode, remark = _decode(text)
    try:
        value, _ = _lenient(unicode.lstrip("\ufeff \t\r\n"))
    except (ValueError, RecursionError):
        return
    yield json.dumps(value, ensure_ascii=False).encode(errors="replace"), remark


def _decode(text: bytes) -> tuple[str, str]:
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return text.decode("utf-16", errors="replace"), "is UTF-16"
    try:
        return text.decode(), "has characters that JSON may not have: read as well as can be"
    except UnicodeDecodeError:
        return text.decode("cp1252", errors="replace"), "is not UTF-8: read as Windows-1252"
