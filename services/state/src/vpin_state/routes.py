"""What a write concerns: the pins that take it and the widgets behind them, compiled per pin (spec 03, 8.1, 10–12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vpin_state import datastreams, rules
from vpin_state.kinds import KINDS, LISTS
from vpin_state.pins import FIRST_SELECTOR, Route
from vpin_state.places import concerns, matches, members, places_for
from vpin_state.recording import recorder

if TYPE_CHECKING:
    from vpin_state.model import Dashboard, JsonObject
    from vpin_state.pins import Bank

_BUSY = frozenset(("TERMINAL", "MAP", "LCD", "TABLE", "PLAYER", "TIME_INPUT"))
"""Types that do more with a write than keep it."""


def route(bank: Bank, kind: int, number: int) -> Route:
    """The route of a write to (kind, number) of the bank's target; compiled once, until the dashboard is reshaped."""
    found = bank.routes.get((kind, number))
    if found is None:
        found = bank.routes[kind, number] = _compile(bank, kind, number)
    return found


def _compile(bank: Bank, kind: int, number: int) -> Route:
    dash = bank.dash
    pins, widgets = {}, []
    for widget in dash.widgets:
        found = [bank.pin(p.kind, p.number) for p in concerns(widget.json, bank.target, kind, number)]
        if found:
            widgets.append(widget)
            pins.update(dict.fromkeys(found))
    own = bank.pin(kind, number)
    listed = "" if widgets else _list_type(bank, kind, number)
    fast = (
        not listed
        and list(pins) in ([], [own])
        and not any(widget.type in _BUSY for widget in widgets)
        and datastreams.of_target(dash, bank.target) is None
        and not rules.of(dash, bank.target, kind, number)
        and number not in hooked_numbers(dash)
    )
    return Route(list(pins) or [own], widgets, fast, listed, recorder(own))


def _list_type(bank: Bank, kind: int, number: int) -> str:
    """The type of the widget behind a selector or in a template for which the pin store keeps a list of writes."""
    for json, devices in _remote_widgets(bank.dash):
        if json["type"] not in LISTS or bank.target not in devices:
            continue
        one_pin = KINDS[json["type"]].pins == "one"
        for place in places_for(json, bank.target):
            if place.number == number and matches(place.holder, place.kind, kind, one_pin=one_pin):
                return json["type"]
    return ""


def _remote_widgets(dash: Dashboard) -> Iterator[tuple[JsonObject, list[int]]]:
    """Widgets whose values are in the pin store, with the devices that they are for."""
    for widget in dash.widgets:
        if widget.json.get("deviceId", 0) >= FIRST_SELECTOR:
            yield widget.json, members(dash, widget.json["deviceId"])
        for template in widget.json.get("templates", ()):
            for inner in template.get("widgets", ()):
                yield inner, template.get("deviceIds", [])


def all_widgets(dash: Dashboard) -> Iterator[JsonObject]:
    """The JSON of every widget, those inside tile templates too."""
    for widget in dash.widgets:
        yield widget.json
        for template in widget.json.get("templates", ()):
            yield from template.get("widgets", ())


def hooked_numbers(dash: Dashboard) -> set[int]:
    """Numbers of the pins whose writes a webhook wants to see, of any device and kind."""
    return {json["pin"] for json in all_widgets(dash) if json["type"] == "WEBHOOK"}
