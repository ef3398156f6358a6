"""What dashboards do by the clock: timers (spec 05, 2.1) and rules with a time (2.2.4). No IO: the owner says what time it is.

An account is looked at after it was loaded and after its shape has changed. What it does at a second of the UTC day is an
:class:`Alarm`; an :class:`AlarmClock` keeps those of one shard by that second, so a second without alarms costs nothing.
An account with alarms stays in memory, and is loaded when its shard is claimed (`AccountRow.timed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from vpin_state import clocks, lookup, reports
from vpin_state.actions import perform, set_pin
from vpin_state.pins import FIRST_SELECTOR, FIRST_TAG
from vpin_state.rules import eventor_of, is_valid, pin_of

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.model import Account, Dashboard, JsonObject

TIMER_ID = 7777
DAY = 86_400
LATEST = 60
"""Seconds that are made up when the owner was busy; what was missed before that is missed."""


class Alarm(NamedTuple):
    """`ring` acts; it is told the second (since 1970) for which it does."""

    second: int  # of the UTC day
    dash: Dashboard
    ring: Callable[[Effects, int], None]


class AlarmClock:
    """The alarms of the accounts of one shard."""

    def __init__(self) -> None:
        self._alarms: dict[int, dict[int, list[Alarm]]] = {}  # second of the day -> account -> alarms
        self._accounts: dict[int, tuple[Account, set[int]]] = {}  # account -> its seconds
        self._last = 0  # second since 1970

    def set(self, account: Account) -> None:
        """The account is new here, or its shape has changed."""
        self.forget(account.id)
        for alarm in alarms_of(account):
            self._alarms.setdefault(alarm.second, {}).setdefault(account.id, []).append(alarm)
            self._accounts.setdefault(account.id, (account, set()))[1].add(alarm.second)

    def forget(self, account_id: int) -> None:
        for second in self._accounts.pop(account_id, (None, ()))[1]:
            of_second = self._alarms[second]
            del of_second[account_id]
            if not of_second:
                del self._alarms[second]

    def due(self, now: int) -> Iterator[tuple[Account, int, list[Alarm]]]:
        """(account, second, alarms) of what has become due until `now` (seconds), in order, each once."""
        if not now - LATEST <= self._last <= now + LATEST:  # the first time, or somebody has set the clock
            self._last = now - 1
        for second in range(self._last + 1, now + 1):
            for account_id, alarms in list(self._alarms.get(second % DAY, {}).items()):
                yield self._accounts[account_id][0], second, alarms
        self._last = max(self._last, now)


def is_timed(account: Account) -> bool:
    """Whether the account does anything by the clock: then it has to be in memory (`AccountRow.timed`)."""
    return next(alarms_of(account), None) is not None or reports.next_due(account) is not None


def alarms_of(account: Account) -> Iterator[Alarm]:
    """Everything that the account does by the clock, whether its dashboards are active or not."""
    for dash in account.dashboards.values():
        for widget in dash.widgets:
            if widget.type == "TIMER":
                yield from _of_timer(dash, widget.json, None)
            for template in widget.json.get("templates", ()):
                for inner in template.get("widgets", ()):
                    if inner["type"] == "TIMER":
                        yield from _of_timer(dash, inner, template)
        yield from _of_rules(dash)


def _of_timer(dash: Dashboard, json: JsonObject, template: JsonObject | None) -> Iterator[Alarm]:
    """Start and stop, where each has a time, a value and a pin. In a tile template it is for all devices of that."""
    if pin_of(json) is None:
        return
    for word in ("start", "stop"):
        second, value = json.get(f"{word}Time", -1), json.get(f"{word}Value", "")
        if 0 <= second < DAY and value:
            yield Alarm(second, dash, partial(_ring_timer, dash, json, template, value.encode(errors="replace")))


def _ring_timer(
    dash: Dashboard, json: JsonObject, template: JsonObject | None, value: bytes, fx: Effects, second: int
) -> None:
    target = json.get("deviceId", 0)
    if template is not None:
        devices = [dash.devices[i] for i in template.get("deviceIds", ()) if i in dash.devices]
    else:
        devices = lookup.devices_of(dash, target)
    also = dash.bank(target) if template is None and FIRST_TAG <= target < FIRST_SELECTOR else None
    for device in devices if dash.active else ():
        set_pin(fx, device, json, value, TIMER_ID, also=also)


def _of_rules(dash: Dashboard) -> Iterator[Alarm]:
    eventor = eventor_of(dash)
    if eventor is None:
        return
    for rule in eventor.json.get("rules", ()):
        trigger = rule.get("triggerTime")
        actions = [action for action in rule.get("actions", ()) if is_valid(action)]
        if trigger is not None and rule["isActive"] and actions and 0 <= trigger["time"] < DAY and trigger.get("days"):
            yield Alarm(trigger["time"], dash, partial(_ring_rule, dash, eventor.target, trigger, actions))


def _ring_rule(
    dash: Dashboard, target: int, trigger: JsonObject, actions: list[JsonObject], fx: Effects, second: int
) -> None:
    """On its days, by the calendar of its zone."""
    if not dash.active or _weekday(second, trigger.get("tzName")) not in trigger["days"]:
        return
    devices: list[Device] = lookup.devices_of(dash, target)
    for action in actions:
        perform(fx, dash, devices, action, TIMER_ID)


def _weekday(second: int, zone: str | None) -> int:
    """1 is Monday."""
    return datetime.fromtimestamp(second, clocks.zone(zone)).isoweekday()
