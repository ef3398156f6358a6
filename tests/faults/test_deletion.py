"""`vpin user delete` while vpin runs: in one process on SQLite, and as services on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.error
import urllib.request

import pytest
from faults.clients import App, Board
from infra.suite import Suite
from infra.vpin import COMMAND, EmbeddedRun
from vpin_protocol import Command, HardwareDecoder, Status, hardware_frame
from vpin_store import open_store

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


async def test_embedded(embedded: EmbeddedRun) -> None:
    await delete_an_account(embedded, f"sqlite:///{embedded.environment['VPIN_DATA']}/vpin.db")


async def test_services(suite: Suite) -> None:
    await delete_an_account(suite, suite.environment["VPIN_DATABASE_URL"])


async def delete_an_account(server: EmbeddedRun | Suite, database: str) -> None:
    app, other = await App.connect(server.tls), await App.connect(server.tls)
    (token,), (others_token,) = await app.project(1), await other.project(1)
    board, others_board = await Board.connect(server.http, token), await Board.connect(server.http, others_token)
    writing = asyncio.create_task(write_until_closed(board))
    done = await asyncio.to_thread(vpin, server, "user", "delete", app.email, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 project, 1 device (1 online)" in done.stdout
    await writing
    await app.wait(lambda: app.gone)
    assert await status(server.http, token) == (400, "Invalid token.")
    assert await log_in(server.http, token) == Status.INVALID_TOKEN
    async with open_store(database) as store:
        assert await store.find_account(app.email, "Blynk") is None
        fetch = store._driver.fetch  # pyright: ignore[reportPrivateUsage]
        for table in ("pin_value", "token", "device", "dashboard"):
            left = f"SELECT * FROM {table} WHERE account_id > 0 AND account_id NOT IN (SELECT id FROM account)"
            assert await fetch(left) == []
    assert not others_board.gone
    await others_board.fence()
    assert len(json.loads((await other.call(Command.GET_DEVICES, 1)).body)) == 1


def vpin(server: EmbeddedRun | Suite, *arguments: str) -> subprocess.CompletedProcess[str]:
    command, folder = [*COMMAND, *arguments], server.environment["VPIN_DATA"]
    return subprocess.run(command, env=server.environment, cwd=folder, capture_output=True, text=True)


async def write_until_closed(board: Board) -> None:
    value = 0
    while not board.gone:
        board.writer.write(board.frame(1, value))
        value += 1
        await asyncio.sleep(0.01)


async def log_in(http: str, token: str) -> int | None:
    host, port = http.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(hardware_frame(Command.HARDWARE_LOGIN, 1, token.encode()))
    (frame,) = HardwareDecoder().feed(await reader.readexactly(5))
    writer.close()
    return frame.status


async def status(http: str, token: str) -> tuple[int, str]:
    def get() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{http}/{token}/get/v1", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return await asyncio.to_thread(get)
