"""What ``/external/api/data/get`` is asked for (spec 04, 2.2). No IO."""

from __future__ import annotations

from typing import NamedTuple

from vpin_messages.downloads import DeviceData
from vpin_messages.requests import PinReply

from vpin_api import answers, csvs, parsing
from vpin_api.iot_queries import INTEGER, WRONG_ID, WRONG_PARAMETERS, Query

DAY_MS = 86_400_000
PERIODS = {"HOUR": DAY_MS // 24, "DAY": DAY_MS, "WEEK": 7 * DAY_MS, "MONTH": 31 * DAY_MS, "THREE_MONTHS": 92 * DAY_MS}
STEPS = {"RAW_DATA": "raw", "MINUTE": "minute", "HOURLY": "hour", "DAILY": "day"}
CHOICES = {
    "period": tuple(PERIODS),
    "granularityType": tuple(STEPS),
    "sourceType": ("AVG", "MIN", "MAX", "SUM", "COUNT"),
    "format": ("TS", "ISO_US", "ISO_SIMPLE"),
    "sendEvents": ("true", "false"),
}
DEFAULTS = {
    "period": "MONTH",
    "granularityType": "RAW_DATA",
    "sourceType": "AVG",
    "format": "TS",
    "sendEvents": "false",
}


class Asked(NamedTuple):
    """The data, without its pins, and which pins: none named means all."""

    data: DeviceData
    pins: list[parsing.Pin]
    ids: list[int]


def read_query(query: Query, dash: int, device: int, now: int) -> Asked | PinReply:
    """What a device's export is to hold, or the refusal. `now` in ms."""
    given = dict(reversed(query))  # of a repeated name the first one
    pins: list[parsing.Pin] = []
    ids: list[int] = []
    if given.get("pin"):
        pin = parsing.parse_pin(given["pin"].encode("utf-8", "replace"))
        if pin is None:
            return answers.WRONG_PIN
        pins.append(pin)
    elif given.get("dataStreamId"):
        if not INTEGER.fullmatch(given["dataStreamId"]):
            return WRONG_ID
        ids.append(int(given["dataStreamId"]))
    chosen = {name: given.get(name, default) for name, default in DEFAULTS.items()}
    if any(value not in CHOICES[name] for name, value in chosen.items()):
        return WRONG_PARAMETERS
    if chosen["period"] == "THREE_MONTHS" and chosen["granularityType"] == "RAW_DATA":
        return WRONG_PARAMETERS
    if csvs.zone(given.get("tzName", "")) is None:
        return WRONG_PARAMETERS
    data = DeviceData(
        dash=dash,
        device=device,
        start=now - PERIODS[chosen["period"]],
        end=now,
        step=STEPS[chosen["granularityType"]],
        aggregate=chosen["sourceType"].lower(),
        format=chosen["format"],
        zone=given.get("tzName", ""),
        events=chosen["sendEvents"] == "true",
        series=None,
    )
    return Asked(data, pins, ids)
