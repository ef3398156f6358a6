"""Static files, uploads and downloads as bare ASGI (spec 04, 1.9)."""

from __future__ import annotations

import asyncio
import re
import time
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

from vpin_store import StoreUnavailable

from vpin_api import answers
from vpin_api.answers import Header, Scope, Send
from vpin_api.calls import header
from vpin_api.downloads import Downloads
from vpin_api.images import PREFIX, Images
from vpin_api.uploads import FOLDER

AGE = 60  # seconds that a client may keep a file
KINDS = {
    ".ico": b"image/x-icon",
    ".js": b"application/javascript",
    ".css": b"text/css",
    ".png": b"image/png",
    ".jpg": b"image/jpeg",
    ".gif": b"image/gif",
    ".gz": b"application/x-gzip",
    ".zip": b"application/zip",
    ".bin": b"application/octet-stream",
}
PACKAGED = Path(__file__).parent / "static"
_UNSAFE = re.compile(r"/\.|\./|\\|[<>&\"\0]|\.$|//")
_UPLOADED = b"application/octet-stream"


class Files:
    """`folder` has ``static``, ``downloads`` and ``device_uploads`` of the installation; what it lacks of static files the
    package has. What is not there of ``static/ota`` is among the `images`, of downloads among those made on demand."""

    def __init__(self, folder: Path, images: Images, downloads: Downloads) -> None:
        self._folder = folder
        self._images = images
        self._downloads = downloads

    def serves(self, path: str) -> bool:
        return path.startswith(("/static/", f"/{FOLDER}/")) or path == "/favicon.ico" or _is_download(path)

    async def serve(self, scope: Scope, send: Send) -> None:
        """A file, 304, or 404 with a text; 405 for anything but GET and HEAD."""
        if scope["method"] not in ("GET", "HEAD"):
            await answers.send_answer(send, 405, [answers.ANY_ORIGIN, (b"allow", b"GET, HEAD")])
            return
        found = await asyncio.to_thread(self._read, scope["path"])
        if found is None and _is_download(scope["path"]):
            try:
                if await self._downloads.serve(scope["path"][1:], send, head=scope["method"] == "HEAD"):
                    return
            except StoreUnavailable:
                await answers.send_reply(send, answers.BUSY)
                return
        if found is None and scope["path"].startswith(PREFIX):
            try:
                row = await self._images.get(scope["path"].removeprefix(PREFIX))
            except StoreUnavailable:
                await answers.send_reply(send, answers.BUSY)
                return
            found = None if row is None else (_UPLOADED, row.uploaded_at // 1000, row.content)
        if found is None:
            plain = (b"content-type", b"text/plain; charset=UTF-8")
            await answers.send_answer(send, 404, [plain, answers.ANY_ORIGIN], b"Failure: 404 Not Found\r\n")
            return
        kind, modified, data = found
        tag = b'"%x-%x"' % (modified, len(data))
        known = header(scope, b"if-none-match")
        if tag in known if known else _is_fresh(header(scope, b"if-modified-since"), modified):
            await answers.send_answer(send, 304, [answers.ANY_ORIGIN, (b"etag", tag)])
            return
        headers: list[Header] = [
            (b"content-type", kind),
            answers.ANY_ORIGIN,
            (b"expires", formatdate(time.time() + AGE, usegmt=True).encode()),
            (b"cache-control", b"private, max-age=%d" % AGE),
            (b"last-modified", formatdate(modified, usegmt=True).encode()),
            (b"etag", tag),
            (b"x-content-type-options", b"nosniff"),
        ]
        await answers.send_large(send, headers, data)

    def _read(self, path: str) -> tuple[bytes, int, bytes] | None:
        """(content type, time of change in seconds, content)."""
        if path == "/favicon.ico":
            path = "/static/favicon.ico"
        if _UNSAFE.search(path):
            return None
        relative = path[1:]
        places = [self._folder / "downloads" / relative] if _is_download(path) else [self._folder / relative]
        if path.startswith("/static/"):
            places.append(PACKAGED / relative.removeprefix("static/"))
        for place in places:
            if place.is_file():
                other = _UPLOADED if path.startswith((f"/{FOLDER}/", PREFIX)) else b"text/html"
                return KINDS.get(place.suffix.lower(), other), int(place.stat().st_mtime), place.read_bytes()
        return None


def _is_download(path: str) -> bool:
    """`/{file}.gz` and `/{file}.zip`."""
    return path.endswith((".gz", ".zip")) and path.count("/") == 1


def _is_fresh(given: bytes, modified: int) -> bool:
    try:
        return bool(given) and int(parsedate_to_datetime(given.decode("latin-1")).timestamp()) >= modified
    except (ValueError, TypeError):
        return False
