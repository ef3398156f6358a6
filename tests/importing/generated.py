"""Data folders as a Blynk server 0.41 leaves them: profiles, backups, clones, averages. The same seed, the same folder.

PYTHONPATH=tests python -m importing.generated FOLDER [ACCOUNTS]
"""

from __future__ import annotations

import json
import os
import random
import struct
import sys
import time
from pathlib import Path
from typing import Any

from vpin_state.kinds import read_widget
from vpin_state.schema import OBJECTS, read_object
from vpin_store.passwords import app_hash

Json = dict[str, Any]

NOW = 1_790_000_000_000
"""Moment at which the old server was stopped."""
DAY = 86_400_000
STEPS = {"minute": 60_000, "hourly": 3_600_000, "daily": DAY}
WIDGETS = (30, 8, 4)
"""Of the projects of an account: all kinds in the first one."""
BOARDS = ("ESP8266", "ESP32 Dev Board", "Arduino UNO", "NodeMCU", "Raspberry Pi 3 B")


def email(number: int) -> str:
    return f"user{number}@example.org"


def password(number: int) -> str:
    return f"pass word {number}"


def token(number: int, dash: int, device: int) -> str:
    """32 characters, as servers of that time gave them."""
    return f"{number:08x}{dash:04x}{device:04x}".ljust(32, "e")


def device(number: int, dash: int, device_id: int) -> Json:
    return read_object(
        OBJECTS["Device"],
        {
            "id": device_id,
            "name": f"Board {device_id} of {number}",
            "boardType": BOARDS[(number + device_id) % len(BOARDS)],
            "token": token(number, dash, device_id),
            "connectionType": "WI_FI",
            "status": "OFFLINE" if device_id else "ONLINE",
            "disconnectTime": NOW - 3 * DAY,
            "connectTime": NOW - 2 * DAY,
            "firstConnectTime": NOW - 90 * DAY,
            "dataReceivedAt": NOW - 60_000,
            "lastLoggedIP": "192.168.1.20",
            "hardwareInfo": {"version": "1.2", "blynkVersion": "0.6.1", "boardType": "ESP8266", "buffIn": 1024},
            "iconName": "wifi",
        },
    )


def _pin(number: int, value: str | None = None) -> Json:
    return {"pin": number, "pinType": "VIRTUAL", "min": 0, "max": 255, "value": value}


def widgets(rng: random.Random, number: int) -> list[Json]:
    """Two dozen widgets with the keys that a server writes, on pins of devices 0 and 1."""
    found: list[Json] = []

    def add(kind: str, **keys: Any) -> None:
        place = {"id": len(found) + 1, "x": len(found) % 8, "y": len(found) // 8, "width": 2, "height": 1}
        found.append(read_widget({"type": kind, **place, "label": f"{kind} {number}", "color": 600084223, **keys}))

    for n, kind in enumerate(("BUTTON", "SLIDER", "GAUGE", "LED", "LABELED_VALUE_DISPLAY", "STEP", "LEVEL_DISPLAY")):
        add(kind, deviceId=0, **_pin(n, str(rng.randrange(256))))
    for n, kind in enumerate(("SWITCH", "VERTICAL_SLIDER", "DIGIT4_DISPLAY", "NUMBER_INPUT", "TEXT_INPUT")):
        add(kind, deviceId=1, **_pin(n, f"{rng.random():.2f}"))
    add("RGB", pins=[_pin(20, "10\x0020\x0030"), _pin(20, "10\x0020\x0030"), _pin(20, "10\x0020\x0030")])
    add("TWO_AXIS_JOYSTICK", split=True, pins=[_pin(21, "5"), _pin(22, "6")])
    add("LCD", advancedMode=False, pins=[_pin(23, "first line"), _pin(24, "second")])
    add("TERMINAL", **_pin(25), autoScrollOn=True)
    add("TABLE", **_pin(26), rows=[{"id": n, "name": f"Row {n}", "value": str(n), "isSelected": True} for n in (1, 2)])
    add("TIMER", **_pin(27, "1"), startTime=3600, stopTime=7200)
    add("TIME_INPUT", **_pin(28, "3600\x007200\x00UTC"), startAt=3600, stopAt=7200, tzName="UTC")
    add("MENU", **_pin(29, "2"), labels=["a", "b", "c"])
    add("MAP", **_pin(30, "1\x0050.5\x0030.5\x00here"))
    add("NOTIFICATION", notifyWhenOffline=True, androidTokens={"phone": "abc:def"})
    add("ENHANCED_GRAPH", dataStreams=[{"title": "T", "graphType": "LINE", "pin": _pin(n)} for n in (2, 4)])
    add("EVENTOR", rules=[_rule(4)])
    add("TABS", tabs=[{"id": 0, "label": "One"}, {"id": 1, "label": "Two"}])
    add("WEBHOOK", **_pin(31), url="http://example.org")
    return found


def _rule(pin: int) -> Json:
    return {
        "triggerPin": _pin(pin),
        "condition": {"type": "GT", "value": 30.5},
        "actions": [{"type": "NOTIFY", "message": "hot"}, {"type": "SETPIN", "pin": _pin(0), "value": "1"}],
        "isActive": True,
    }


def profile(number: int) -> Json:
    """The User object of one account."""
    rng = random.Random(number)
    dashes = [
        {
            "id": dash,
            "parentId": -1,
            "isPreview": False,
            "name": f"Project {dash}",
            "createdAt": NOW - (100 - dash) * DAY,
            "updatedAt": NOW - dash * 1000,
            "widgets": widgets(rng, number)[: WIDGETS[dash - 1]],
            "devices": [device(number, dash, n) for n in (0, 1)],
            "tags": [{"id": 100_000, "name": "all", "deviceIds": [0, 1]}],
            "theme": "Blynk",
            "keepScreenOn": True,
            "isAppConnectedOn": False,
            "isNotificationsOff": False,
            "isShared": dash == 1,
            "isActive": dash == 1,
            "widgetBackgroundOn": False,
            "color": -1,
            "isDefaultColor": True,
            **({"sharedToken": token(number, dash, 0xFFFF)} if dash == 1 else {}),
        }
        for dash in range(1, len(WIDGETS) + 1)
    ]
    storage: Json = {f"{dash}-{n % 2}-v{60 + n}": str(rng.random()) for dash in (1, 2) for n in range(12)}
    storage |= {"1-0-v60-label": "a label", "1-0-v3-color": "#23C48E", "1-100000-v7": "a\x00b"}
    return {
        "name": email(number),
        "email": email(number),
        "appName": "Blynk",
        "region": "local",
        "ip": "127.0.0.1",
        "pass": app_hash(email(number), password(number)),
        "lastModifiedTs": NOW,
        "lastLoggedIP": "192.168.1.3",
        "lastLoggedAt": NOW - 5000,
        "profile": {"dashBoards": dashes, "pinsStorage": storage},
        "isFacebookUser": False,
        "isSuperAdmin": number == 0,
        "energy": 100_000 - number,
        "id": f"{email(number)}-Blynk",
    }


def averages(folder: Path, number: int, points: dict[str, int]) -> None:
    """Files of two pins of the first project."""
    place = folder / "data" / email(number)
    place.mkdir(parents=True)
    for pin in (2, 4):
        for step, width in STEPS.items():
            last = NOW - NOW % width - width
            times = range(last - (points[step] - 1) * width, last + 1, width)
            records = b"".join(struct.pack(">dq", 20 + (at // width) % 10 + pin / 10, at) for at in times)
            (place / f"history_1-0_v{pin}_{step}.bin").write_bytes(records)


POINTS = {"minute": 60, "hourly": 48, "daily": 14}


def write_profile(folder: Path, user: Json) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{user['email']}.{user['appName']}.user"
    path.write_text(json.dumps(user, ensure_ascii=False, separators=(",", ":")))
    return path


def damage(path: Path, text: str | bytes) -> None:
    """The file has that text instead, and has had it for an hour: nobody is just writing it."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))


def generate(folder: Path, accounts: int, points: dict[str, int] = POINTS) -> None:
    for number in range(accounts):
        write_profile(folder, profile(number))
        averages(folder, number, points)


if __name__ == "__main__":
    generate(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
