"""Large accounts: how long one takes to open (log-in and profile), and what a process takes that holds all of them.

The accounts are made over the wire and kept in a file, so that the same ones can be opened again after a restart of the
server: then the first opening of each is a cold one, which reads the account from the database.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import zlib
from array import array
from dataclasses import asdict, dataclass
from pathlib import Path

from vpin_protocol import Command

from vpin.bench.accounts import make_many, password_hash
from vpin.bench.client import BenchError, Link, Target, close, connect_app
from vpin.bench.latency import quantiles
from vpin.bench.measurement import Measurement, Meter
from vpin.bench.processes import Watch

MAKING_AT_A_TIME = 4
ONE_PIN = {"deviceId": 0, "pinType": "VIRTUAL", "pwmMode": False, "rangeMappingOn": False, "min": 0, "max": 255}
KINDS: tuple[dict[str, object], ...] = (
    {"type": "BUTTON", **ONE_PIN, "pushMode": False, "onLabel": "ON", "offLabel": "OFF"},
    {"type": "SLIDER", **ONE_PIN, "sendOnReleaseOn": True, "frequency": 0},
    {"type": "DIGIT4_DISPLAY", **ONE_PIN, "frequency": 1000},
    {"type": "LABELED_VALUE_DISPLAY", **ONE_PIN, "frequency": 1000, "valueFormatting": "Temperature: /pin/°C"},
    {"type": "LED", **ONE_PIN},
    {"type": "GAUGE", **ONE_PIN, "frequency": 1000, "valueFormatting": "/pin.##/"},
    {"type": "STYLED_BUTTON", **ONE_PIN, "edge": "ROUNDED", "onButtonState": {"text": "on"}},
    {"type": "STEP", **ONE_PIN, "step": 1.0, "isArrowsOn": True},
    {"type": "LEVEL_DISPLAY", **ONE_PIN, "frequency": 1000, "isAxisFlipOn": False},
    {
        "type": "RGB",
        "deviceId": 0,
        "splitMode": True,
        "pins": [{"pin": n, "pinType": "VIRTUAL"} for n in (101, 102, 103)],
    },
)
"""One after the other on each dashboard; pins and devices are filled in."""


@dataclass(frozen=True)
class Size:
    """What each account has: dashboards, and on each of them widgets and boards; each board so many pins with a value."""

    dashboards: int = 20
    widgets: int = 50
    devices: int = 10
    values: int = 10


@dataclass(frozen=True)
class Kept:
    """An account that was made, as the file has it."""

    email: str
    hash: str


async def large(
    target: Target, watch: Watch, kept: Path | None, count: int, size: Size, at_a_time: int, rounds: int
) -> list[Measurement]:
    """Make the accounts unless the file has them; open each, one after the other and then some at a time."""
    accounts = _read(kept) if kept is not None else []
    first = "accounts of the file, first opening"
    if not accounts:
        accounts = await make_many(lambda: _make(target, size), count, MAKING_AT_A_TIME)
        first = "accounts just made, first opening"
        if kept is not None:
            _keep(kept, accounts)
    found = [await _open_all(target, watch, f"{len(accounts)} {first}", accounts, 1)]
    again = accounts * rounds
    found.append(await _open_all(target, watch, f"{len(accounts)} accounts opened again", again, 1))
    found.append(await _open_all(target, watch, f"the same, {at_a_time} at a time", again, at_a_time))
    return found


def _read(kept: Path) -> list[Kept]:
    return [Kept(**found) for found in json.loads(kept.read_text())] if kept.exists() else []


def _keep(kept: Path, accounts: list[Kept]) -> None:
    kept.touch(mode=0o600)
    kept.write_text(json.dumps([asdict(account) for account in accounts]))


async def _open_all(target: Target, watch: Watch, name: str, accounts: list[Kept], at_a_time: int) -> Measurement:
    took: array[float] = array("d")
    sizes: set[int] = set()
    waiting = iter(accounts)
    links = [await connect_app(target) for _ in accounts]  # the handshake of TLS is not what is measured
    unused = iter(links)

    async def work() -> None:
        for account in waiting:
            link = next(unused)
            began = time.perf_counter()
            packed = await _open(link, account)
            took.append(time.perf_counter() - began)
            sizes.add(len(packed))

    meter = Meter(watch)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_a_time):
                group.create_task(work())
    finally:
        _, cpu, resident = meter.stop(len(accounts))
        await close(links)
    figures = quantiles(took, "openings")
    return Measurement(name, {**figures, "KiB of a profile, packed": max(sizes) / 1024}, "opening", cpu, resident)


async def _open(link: Link, account: Kept) -> bytes:
    """What an app does when it starts; the profile as it came."""
    await link.ok(Command.LOGIN, account.email, account.hash, "Android", "2.27.34", "Blynk")
    answer = await link.call(Command.LOAD_PROFILE)
    if answer.command != Command.LOAD_PROFILE:
        raise BenchError(f"a profile was answered with {answer.status}")
    return answer.body


async def _make(target: Target, size: Size) -> Kept:
    email = f"bench-{secrets.token_hex(8)}@example.com"
    account = Kept(email, password_hash(email, secrets.token_hex(8)))
    app = await connect_app(target)
    await app.ok(Command.REGISTER, account.email, account.hash, "Blynk")
    await app.ok(Command.LOGIN, account.email, account.hash, "Android", "2.27.34", "Blynk")
    for dash in range(1, size.dashboards + 1):
        answer = await app.call(Command.CREATE_DASH, json.dumps(dashboard(dash, size)))
        if answer.status == 21:
            raise BenchError("there is not enough energy: start the server with VPIN_INITIAL_ENERGY=1000000000")
        if answer.status != 200:
            raise BenchError(f"a dashboard could not be made: status {answer.status}")
        for number in range(size.devices * size.values):
            device, pin = divmod(number, size.values)
            app.send(Command.HARDWARE, f"{dash}-{device}\0vw\0{pin}\0{number * 1.5}")
    packed = await app.call(Command.LOAD_PROFILE)
    _check(json.loads(zlib.decompress(packed.body)), size)
    await close([app])
    return account


def _check(profile: dict[str, list[dict[str, list[object]]]], size: Size) -> None:
    """BenchError unless the account is as large as it was to become."""
    dashboards = profile.get("dashBoards", [])
    found = Size(
        len(dashboards),
        min((len(dash.get("widgets", ())) for dash in dashboards), default=0),
        min((len(dash.get("devices", ())) for dash in dashboards), default=0),
        size.values,
    )
    if found != size:
        raise BenchError(f"an account has become {found}, not {size}")


def dashboard(number: int, size: Size) -> dict[str, object]:
    """A dashboard as an app sends it: widgets of ten kinds in turn, spread over the boards and their pins."""
    widgets = [
        {
            **KINDS[n % len(KINDS)],
            "id": n + 1,
            "x": n % 4 * 2,
            "y": n // 4,
            "width": 2,
            "height": 1,
            "label": f"Widget {n}",
            "color": 600084223,
            "deviceId": n % size.devices if size.devices else 0,
            "pin": n // max(1, size.devices),
        }
        for n in range(size.widgets)
    ]
    devices = [
        {"id": n, "name": f"Board {n}", "boardType": "ESP8266", "connectionType": "WI_FI"} for n in range(size.devices)
    ]
    words = {"id": number, "name": f"Project {number}", "createdAt": 1, "theme": "Blynk", "isActive": True}
    return {**words, "widgets": widgets, "devices": devices}
