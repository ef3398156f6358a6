"""How many events a device has logged of late, and how often each was told: what their limits count (spec 04, 2.4; 08, 3).

It is in the device's body under `KEY`, which no client sees, and is stored with the event that it counts: so limits hold
whoever owns the account. ``{"logged": [ms, …], "told": {code: [ms, …]}}``, oldest first, nothing older than a day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.model import JsonObject

KEY = "eventCounts"
DAY_MS = 86_400_000
MOST = 100
"""Events of a day that are counted: the greatest limit that can be set."""


def logged(device: Device, now: int) -> int:
    """Events of the last day, up to `MOST`."""
    return sum(at > now - DAY_MS for at in _of(device).get("logged", ()))


def told(device: Device, code: str, since: int) -> list[int]:
    """When (ms) notifications of an event were sent after `since`, at most a day ago."""
    return [at for at in _of(device).get("told", {}).get(code, ()) if at > since]


def count(device: Device, now: int, told_code: str | None) -> None:
    """The device has logged an event just now; notifications were sent of `told_code`, if that is one."""
    since, before = now - DAY_MS, _of(device)
    times: dict[str, list[int]] = {
        code: recent for code, all_times in before.get("told", {}).items() if (recent := _after(all_times, since))
    }
    if told_code is not None:
        times.setdefault(told_code, []).append(now)
    device.body[KEY] = {"logged": [*_after(before.get("logged", ()), since), now][-MOST:], "told": times}
    device.touched()


def _of(device: Device) -> JsonObject:
    return device.body.get(KEY, {})


def _after(times: list[int] | tuple[int, ...], since: int) -> list[int]:
    return [at for at in times if at > since]
