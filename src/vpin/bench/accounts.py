"""Accounts for a run, made over the wire as an app makes them: each with one active dashboard and some boards."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vpin_protocol import Command, Status

from vpin.bench.client import BenchError, Link, Target, close, connect_app, connect_device

T = TypeVar("T")

APP_NAME = "Blynk"
DASH = 1
PIN = 1
"""The pin that all runs write; a display on the dashboard shows it."""
AT_A_TIME = 8
"""Accounts that are set up at the same time: log-ins cost the server a password hash each."""


@dataclass
class Account:
    app: Link
    tokens: list[str]  # of its boards
    devices: list[int] = field(default_factory=list)
    email: str = ""


@dataclass
class Pair:
    """One account with one app session and one board, both logged in."""

    app: Link
    device: Link
    device_id: int
    token: str


async def make_accounts(target: Target, count: int, devices: int = 1) -> list[Account]:
    """``count`` new accounts with ``devices`` boards each; their app sessions are open."""
    return await make_many(lambda: _make_account(target, devices), count, AT_A_TIME)


async def make_many(make: Callable[[], Coroutine[Any, Any, T]], count: int, at_a_time: int) -> list[T]:
    """What ``count`` calls of ``make`` return, some at a time; the first BenchError ends them all."""
    gate = asyncio.Semaphore(at_a_time)

    async def one() -> T:
        async with gate:
            return await make()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one()) for _ in range(count)]
    except* BenchError as errors:
        failure = errors.exceptions[0]
    else:
        return [task.result() for task in tasks]
    raise failure


async def make_pairs(target: Target, count: int) -> list[Pair]:
    accounts = await make_accounts(target, count)
    pairs = []
    for account in accounts:
        device = await connect_device(target, account.tokens[0])
        await account.app.ok(Command.PING)  # the notice that the board is online has come before this answer
        account.app.others.clear()
        pairs.append(Pair(account.app, device, account.devices[0], account.tokens[0]))
    return pairs


async def close_pairs(pairs: list[Pair]) -> None:
    await close(link for pair in pairs for link in (pair.device, pair.app))


async def close_accounts(accounts: list[Account]) -> None:
    await close(account.app for account in accounts)


async def stored_value(pair: Pair) -> str | None:
    """The value of the pin that the server tells a synchronising app; None when it tells none."""
    pair.app.others.clear()
    await pair.app.ok(Command.APP_SYNC, DASH)
    await pair.app.ok(Command.PING)  # a fence: all values have come before its answer
    prefix = f"{DASH}-{pair.device_id}\0vw\0{PIN}\0".encode()
    values = [f.body for f in pair.app.others if f.command == Command.APP_SYNC and f.body.startswith(prefix)]
    return values[-1][len(prefix) :].decode() if values else None


async def _make_account(target: Target, devices: int) -> Account:
    email, password = f"bench-{secrets.token_hex(8)}@example.com", secrets.token_hex(8)
    hashed = password_hash(email, password)
    app = await connect_app(target)
    await app.ok(Command.REGISTER, email, hashed, APP_NAME)
    await app.ok(Command.LOGIN, email, hashed, "Android", "2.27.34", APP_NAME)
    await app.ok(Command.CREATE_DASH, json.dumps(_dashboard()))
    for number in range(devices):
        board = {"id": number, "name": f"board {number}", "boardType": "ESP8266", "connectionType": "WI_FI"}
        answer = await app.call(Command.CREATE_DEVICE, DASH, json.dumps(board))
        if answer.command != Command.CREATE_DEVICE:
            raise BenchError(f"a board could not be created: status {answer.status}")
    await app.ok(Command.ACTIVATE, DASH, accept=(Status.OK, Status.DEVICE_NOT_IN_NETWORK))
    boards = json.loads((await app.call(Command.GET_DEVICES, DASH)).body)
    return Account(app, [board["token"] for board in boards], [board["id"] for board in boards], email)


def _dashboard() -> dict[str, object]:
    display = {"type": "DIGIT4_DISPLAY", "id": 1, "x": 0, "y": 0, "width": 2, "height": 1, "pinType": "VIRTUAL"}
    return {"id": DASH, "name": "bench", "createdAt": 1, "widgets": [{**display, "pin": PIN, "deviceId": 0}]}


def password_hash(email: str, password: str) -> str:
    """What an app sends in place of the password."""
    salt = hashlib.sha256(email.lower().encode()).digest()
    return base64.b64encode(hashlib.sha256(password.encode() + salt).digest()).decode()
