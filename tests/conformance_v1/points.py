"""Points of history, and devices that had some long ago."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import httpx

from conformance_v1.clients import Api

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


class Past(NamedTuple):
    api: Api
    device: dict[str, Any]
    now: int  # start of a minute, ms
    other: dict[str, Any]  # a second device with the same points

    def history(self, pin: str = "V1", **wanted: object) -> list[list[float]]:
        return self.read(pin, **wanted)["points"]

    def read(self, pin: str = "V1", **wanted: object) -> Any:
        params = {"pin": pin, **{name.rstrip("_"): value for name, value in wanted.items()}}
        return self.api.call("GET", f"/devices/{self.device['id']}/history", 200, params=params)


def send(base: str, device: dict[str, Any], pin: str, points: list[tuple[int, float]]) -> None:
    """Points with their times, as a board sends a backlog."""
    answer = httpx.post(f"{base}/external/api/batch/update?token={device['token']}&pin={pin}", json=points)
    assert (answer.status_code, answer.text) == (200, "OK")


def record(base: str) -> Past:
    """Two devices with raw points (V1), rollups (V2) and no history (V3), of the last days."""
    api = Api(base)
    kinds: dict[str, dict[str, object]] = {
        "V1": {"valueType": "DOUBLE", "history": "raw"},
        "V2": {"valueType": "DOUBLE"},
        "V3": {"history": "none"},
    }
    template = api.template("Kind", **kinds)
    device, other = (api.device(template) for _ in range(2))
    past = Past(api, device, int(time.time() * 1000) // MINUTE * MINUTE, other)
    points = [(past.now - 2 * DAY + 1, 5.0), (past.now - 2 * HOUR + 1000, 7.0), (past.now - 2 * HOUR + 2000, 10.0)]
    for pin in ("V1", "V2", "V3"):
        for each in (device, other):
            send(base, each, pin, [*points, (past.now - 3 * MINUTE, -2.5)])
    return past
