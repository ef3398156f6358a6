"""Static files and downloads (spec 04, 1.9)."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_owner import world

pytestmark = pytest.mark.anyio


async def test_files_of_the_installation_come_before_those_of_the_package(tmp_path: Path) -> None:
    async with world(data=tmp_path) as w:
        own = (await w.http.get("/favicon.ico")).content
        assert own.startswith(b"\0\0\1\0")
        (tmp_path / "static").mkdir()
        (tmp_path / "static" / "favicon.ico").write_bytes(b"other")
        assert (await w.http.get("/static/favicon.ico")).content == b"other"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../vpin.db",
        "/static/%2e%2e/vpin.db",
        "/static/.hidden",
        "/static/a./b",
        "/static/a\\b",
        "/static/<a>",
        "/static//x",
    ],
)
async def test_unsafe_paths_are_not_found(tmp_path: Path, path: str) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "vpin.db").write_bytes(b"secret")
    (tmp_path / "static" / ".hidden").write_bytes(b"secret")
    async with world(data=tmp_path) as w:
        response = await w.http.get(path)
        assert response.status_code == 404
        assert b"secret" not in response.content


async def test_a_download_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "a@example.com_1.csv.gz").write_bytes(b"zipped")
    async with world(data=tmp_path) as w:
        response = await w.http.get("/a@example.com_1.csv.gz")
        assert (response.content, response.headers["content-type"]) == (b"zipped", "application/x-gzip")
        fresh = {"if-modified-since": response.headers["last-modified"]}
        assert (await w.http.get("/a@example.com_1.csv.gz", headers=fresh)).status_code == 304
        assert (await w.http.get("/a@example.com_1.csv.gz", headers={"if-modified-since": "soon"})).status_code == 200


async def test_files_are_only_read(tmp_path: Path) -> None:
    async with world(data=tmp_path) as w:
        assert (await w.http.put("/static/favicon.ico", content=b"x")).status_code == 405
