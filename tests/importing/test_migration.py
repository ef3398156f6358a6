"""After an import: boards come in with their old tokens, apps with their old passwords, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import struct
import subprocess
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from faults.clients import App, Board, Client
from infra.vpin import COMMAND, EmbeddedRun, clean_environment
from vpin_protocol import AppDecoder, Command, Status, app_frame, join
from vpin_store import open_store
from vpin_store.passwords import app_hash, is_quick

from importing import generated
from vpin.importing import taking

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

ACCOUNTS = taking.FULL_COST + 5
"""So many that their passwords get quick hashes."""
POINTS = {"minute": 30, "hourly": 24, "daily": 7}
NUMBER = 7
CLONE = "c" * 32


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRun]:
    """`vpin run` on the data of an old server, taken over by the command."""
    place = tmp_path_factory.mktemp("migration")
    generated.generate(place / "old", ACCOUNTS, POINTS)
    (place / "old" / "clone").mkdir()
    (place / "old" / "clone" / CLONE).write_text(json.dumps(generated.profile(1)["profile"]["dashBoards"][0]))
    others(place / "old")
    settings = {"VPIN_MESSAGE_QUOTA": "0"}
    if request.param == "postgresql":
        settings["VPIN_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    run = EmbeddedRun(place, clean_environment(**settings))
    import_folder(run, place / "old")
    run.start()
    yield run
    run.stop()


def others(folder: Path) -> None:
    """Users of an exported app, one who came in by Facebook, and one who likes capitals."""
    generated.write_profile(folder, generated.profile(6000) | {"appName": "blynkqwe"})
    generated.write_profile(folder, generated.profile(6001) | {"isFacebookUser": True, "pass": None})
    generated.write_profile(folder, generated.profile(6002) | {"email": "User6002@Example.org"})


@pytest.fixture(autouse=True)
async def no_client_left(anyio_backend: object) -> AsyncIterator[None]:
    yield
    for client in list(Client.connected):
        await client.close()


def import_folder(run: EmbeddedRun, folder: Path, *options: str) -> None:
    command = [*COMMAND, "import-blynk", str(folder), "--yes", *options]
    done = subprocess.run(command, env=run.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def sent(number: int) -> str:
    return app_hash(generated.email(number), generated.password(number))


async def log_in(run: EmbeddedRun, number: int = NUMBER) -> App:
    return await App.connect(run.tls, generated.email(number), sent(number))


def without(found: Any, *keys: str) -> Any:
    if isinstance(found, dict):
        return {key: without(value, *keys) for key, value in found.items() if key not in keys}
    return [without(item, *keys) for item in found] if isinstance(found, list) else found


async def password_hash(run: EmbeddedRun, number: int) -> str:
    url = run.environment.get("VPIN_DATABASE_URL") or f"sqlite:///{run.environment['VPIN_DATA']}/vpin.db"
    async with open_store(url) as store:
        account = await store.find_account(generated.email(number), "Blynk")
    assert account
    return account.password_hash


async def test_an_app_loads_the_profile_that_the_old_server_had(server: EmbeddedRun):
    app = await log_in(server)
    found = json.loads(zlib.decompress((await app.call(Command.LOAD_PROFILE)).body))
    old = generated.profile(NUMBER)["profile"]
    ours = ("status", "disconnectTime")
    assert without(found["dashBoards"], *ours) == without(old["dashBoards"], *ours)
    assert found["pinsStorage"] == old["pinsStorage"]
    assert {device["status"] for dash in found["dashBoards"] for device in dash["devices"]} == {"OFFLINE"}


async def test_the_first_log_in_makes_the_stored_password_strong(server: EmbeddedRun):
    assert is_quick(await password_hash(server, 11))
    await log_in(server, 11)
    assert not is_quick(await password_hash(server, 11))
    await log_in(server, 11)
    with pytest.raises(AssertionError):  # it was not let in
        await App.connect(server.tls, generated.email(12), sent(13))
    assert is_quick(await password_hash(server, 12))


async def test_the_management_api_lets_in_and_makes_the_password_strong_too(server: EmbeddedRun):
    credentials = {"email": generated.email(14), "password": generated.password(14)}
    async with httpx.AsyncClient(base_url=f"http://{server.http}/api/v1") as client:
        assert (await client.post("/sessions", json=credentials | {"password": "wrong"})).status_code == 401
        assert is_quick(await password_hash(server, 14))
        assert (await client.post("/sessions", json=credentials)).status_code == 201
    assert not is_quick(await password_hash(server, 14))


async def test_boards_log_in_with_their_old_tokens_and_go_on(server: EmbeddedRun):
    app = await log_in(server)
    board = await Board.connect(server.http, generated.token(NUMBER, 1, 0))
    board.writer.write(board.frame(2, "77.5"))
    await board.fence()
    await app.wait(lambda: app.values(0, 2) == [b"77.5"])
    everyone = [Board.connect(server.http, generated.token(n, d, 1)) for n in range(20, 30) for d in (1, 2, 3)]
    assert len(await asyncio.gather(*everyone)) == 30


async def test_http_knows_the_tokens_and_values(server: EmbeddedRun):
    token = generated.token(NUMBER, 1, 0)
    async with httpx.AsyncClient(base_url=f"http://{server.http}") as client:
        assert (await client.get(f"/{token}/isHardwareConnected")).text in ("true", "false")
        old = generated.profile(NUMBER)["profile"]["pinsStorage"]["1-0-v60"]
        assert (await client.get(f"/{token}/get/V60")).json() == [old]


async def test_history_is_there(server: EmbeddedRun):
    """As the old server would export it: the averages of each minute."""
    token = generated.token(NUMBER, 1, 0)
    async with httpx.AsyncClient(base_url=f"http://{server.http}", follow_redirects=True) as client:
        found = await client.get(f"/{token}/data/V2")
    assert found.status_code == 200
    lines = gzip.decompress(found.content).decode().split()
    last = generated.NOW - generated.NOW % 60_000 - 60_000
    assert [int(line.split(",")[1]) for line in lines] == list(range(last - 29 * 60_000, last + 1, 60_000))
    assert float(lines[-1].split(",")[0]) == pytest.approx(20 + (last // 60_000) % 10 + 0.2)


@pytest.mark.parametrize(("period", "step"), [("DAY", "minute"), ("WEEK", "hourly"), ("N_MONTH", "daily")])
async def test_graphs_show_what_the_old_server_has_recorded(server: EmbeddedRun, period: str, step: str):
    """The last points of each stream (spec 05, 3.5), by the owner's app."""
    app = await log_in(server)
    widgets = generated.profile(NUMBER)["profile"]["dashBoards"][0]["widgets"]
    (graph,) = [widget["id"] for widget in widgets if widget["type"] == "ENHANCED_GRAPH"]
    found = zlib.decompress((await app.call(Command.GET_GRAPH, 1, graph, period)).body)
    width, count = generated.STEPS[step], POINTS[step]
    last = generated.NOW - generated.NOW % width - width
    expected = struct.pack(">i", 1)
    for pin in (2, 4):
        times = [last - n * width for n in reversed(range(count))]
        points = [struct.pack(">dq", 20 + (at // width) % 10 + pin / 10, at) for at in times]
        expected += struct.pack(">i", count) + b"".join(points)
    assert found == expected


async def test_codes_of_cloned_projects_work(server: EmbeddedRun):
    async with httpx.AsyncClient(base_url=f"http://{server.http}") as client:
        found = (await client.get(f"/{CLONE}/clone")).json()
    assert found["name"] == "Project 1"
    app = await log_in(server, 40)
    copied = json.loads(zlib.decompress((await app.call(Command.PROJECT_BY_CLONE_CODE, CLONE)).body))
    assert (
        len(copied["widgets"])
        == len(found["widgets"])
        == len(generated.profile(1)["profile"]["dashBoards"][0]["widgets"])
    )


@pytest.mark.parametrize(
    ("email", "number", "app_name", "status"),
    [
        (generated.email(6000), 6000, "blynkqwe", Status.OK),
        (generated.email(6000), 6000, "Blynk", Status.NOT_REGISTERED),
        (generated.email(6001), 6001, "Blynk", Status.FACEBOOK_USER),
        ("User6002@Example.org", 6002, "Blynk", Status.OK),
    ],
)
async def test_users_of_all_kinds_come_in_or_hear_why_not(
    server: EmbeddedRun, email: str, number: int, app_name: str, status: Status
):
    client = await secure_client(server)
    client.writer.write(app_frame(Command.LOGIN, 1, join(email, sent(number), "Android", "2.27.6", app_name)))
    assert (await client.answer(1)).status == status
    await Board.connect(server.http, generated.token(number, 1, 1))  # whoever its owner is


async def secure_client(server: EmbeddedRun) -> Client:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    host, port = server.tls.split(":")
    return Client(*await asyncio.open_connection(host, int(port), ssl=context), AppDecoder())


async def test_guests_come_in_with_the_old_share_token(server: EmbeddedRun):
    guest = await secure_client(server)
    share = join(generated.email(NUMBER), generated.token(NUMBER, 1, 0xFFFF))
    guest.writer.write(app_frame(Command.SHARE_LOGIN, 1, share))
    assert (await guest.answer(1)).status == Status.OK


async def test_new_accounts_are_taken_while_vpin_runs(server: EmbeddedRun, tmp_path: Path):
    number = 5000
    generated.write_profile(tmp_path, generated.profile(number))
    generated.averages(tmp_path, number, POINTS)
    import_folder(server, tmp_path)
    await Board.connect(server.http, generated.token(number, 1, 0))
    app = await log_in(server, number)
    assert (await app.call(Command.PING)).status == Status.OK
