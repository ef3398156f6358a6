"""The embedded run: killed hard, and clients that do whatever they like."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
import urllib.request

import pytest
from faults.clients import DASH, App, Board
from infra.vpin import EmbeddedRun
from vpin_protocol import Command, hardware_frame, join

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

SLOWEST = 0.5
"""Seconds that a well-behaved board may wait for the answer to a ping while another client misbehaves."""


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


async def test_killed_hard(embedded: EmbeddedRun) -> None:
    app = await App.connect(embedded.tls)
    (token,) = await app.project(1)
    board = await Board.connect(embedded.http, token)
    for value in range(1000):
        board.writer.write(board.frame(1, value))
    await board.fence()
    await asyncio.to_thread(get, f"http://{embedded.http}/{token}/update/v2?value=acknowledged")
    await asyncio.to_thread(embedded.kill)
    await asyncio.to_thread(embedded.start)
    app = await App.connect(embedded.tls, app.email, app.password)
    assert await app.stored(0) == {1: b"999", 2: b"acknowledged"}
    assert await asyncio.to_thread(get, f"http://{embedded.http}/{token}/get/v2") == b'["acknowledged"]'


async def test_killed_hard_at_random_moments(embedded: EmbeddedRun) -> None:
    app = await App.connect(embedded.tls)
    (token,) = await app.project(1)
    for number in range(5):
        writing = asyncio.create_task(write_until_killed(f"http://{embedded.http}/{token}/update/v1?value={number}."))
        await asyncio.sleep(0.2 + int.from_bytes(os.urandom(1)) / 500)
        await asyncio.to_thread(embedded.kill)
        acknowledged = await writing
        await asyncio.to_thread(embedded.start)
        (stored,) = json.loads(await asyncio.to_thread(get, f"http://{embedded.http}/{token}/get/v1"))
        assert int(stored.split(".")[0]) == number
        assert int(stored.split(".")[1]) >= acknowledged >= 0


async def write_until_killed(url: str) -> int:
    """Writes 0, 1, … one after the other; the last one that was answered with 200."""
    acknowledged = -1
    while True:
        try:
            await asyncio.to_thread(get, f"{url}{acknowledged + 1}")
        except OSError:
            return acknowledged
        acknowledged += 1


@pytest.fixture
async def watched(embedded: EmbeddedRun):
    """A token for a bad client, and a check that a good one is served as ever."""
    app = await App.connect(embedded.tls)
    good_token, bad_token = await app.project(2)
    board = await Board.connect(embedded.http, good_token)

    async def check() -> None:
        for value in range(50):
            began = time.monotonic()
            board.writer.write(board.frame(5, value))
            await board.fence()
            assert time.monotonic() - began < SLOWEST
        await app.wait(lambda: app.values(0, 5)[-1:] == [b"49"])
        assert not board.gone

    return bad_token, app, check


def raw(embedded: EmbeddedRun) -> socket.socket:
    host, port = embedded.http.split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def closed(connection: socket.socket) -> bool:
    """Whether the server closes it within 5 s, whatever it sends before."""
    connection.settimeout(5)
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


async def test_garbage_closes_its_own_connection(embedded: EmbeddedRun, watched) -> None:
    token, _, check = watched
    for garbage in (os.urandom(4096), b"\xff" * 5, hardware_frame(Command.HARDWARE, 1, b"vw\0001\0005"), b"\0" * 100):
        connection = raw(embedded)
        connection.sendall(garbage)
        assert await asyncio.to_thread(closed, connection), garbage[:10]
        connection.close()
    connection = raw(embedded)
    connection.sendall(hardware_frame(Command.HARDWARE_LOGIN, 1, token.encode()))
    assert connection.recv(5)[0] == 0
    connection.sendall(b"\xc8\0\1\0\0")  # command 200
    assert await asyncio.to_thread(closed, connection)
    connection.close()
    await check()


async def test_half_frames_and_long_bodies_are_waited_for(embedded: EmbeddedRun, watched) -> None:
    token, app, check = watched
    login = hardware_frame(Command.HARDWARE_LOGIN, 1, token.encode())
    long_value = "x" * 65_000
    data = login + hardware_frame(Command.HARDWARE, 2, join("vw", 6, long_value)) + hardware_frame(Command.PING, 3, b"")
    connection = raw(embedded)
    connection.sendall(data[:3])
    await check()
    connection.sendall(data[3:20_000])
    await check()
    connection.sendall(data[20_000:])
    await app.wait(lambda: app.values(1, 6) == [long_value.encode()])
    connection.close()


async def test_ten_thousand_frames_in_one_write(embedded: EmbeddedRun, watched) -> None:
    token, app, check = watched
    board = await Board.connect(embedded.http, token)
    board.writer.write(b"".join(board.frame(7, value) for value in range(10_000)))
    await asyncio.gather(board.fence(), check())
    await app.wait(lambda: len(app.values(1, 7)) == 10_000)
    assert app.values(1, 7) == [str(value).encode() for value in range(10_000)]


async def test_a_client_that_never_reads_is_cut_off_and_others_feel_nothing(embedded: EmbeddedRun, watched) -> None:
    token, app, check = watched
    connection = raw(embedded)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(hardware_frame(Command.HARDWARE_LOGIN, 1, token.encode()))
    await app.wait(lambda: any(f.command == Command.HARDWARE_CONNECTED and f.body == b"1-1" for f in app.frames))
    offline = join(f"{DASH}-1")
    for _ in range(400):  # 100 MB for a client that takes none of it
        for _ in range(1100):
            app.send(Command.HARDWARE, f"{DASH}-1", "vw", 8, "y" * 230)
        await app.writer.drain()
        await check()
        if any(f.command == Command.DEVICE_OFFLINE and f.body == offline for f in app.frames):
            break
    else:
        pytest.fail("the client that never reads is still connected")
    connection.close()
