"""Where widgets show values: a place is one pin of one target, and the part of the widget's JSON that has its `value`.

The JSON of a widget is kept without these values; the state is in the pins. :func:`absorb` takes values out of JSON
that an app sent, :func:`with_values` puts what :class:`Values` gives into JSON that is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from vpin_state import datastreams, lookup
from vpin_state.kinds import KINDS
from vpin_state.origins import ByApp
from vpin_state.pins import ANALOG, DIGITAL, FIRST_SELECTOR, FIRST_TAG, KIND_OF_NAME

if TYPE_CHECKING:
    from vpin_state.model import Dashboard, JsonObject
    from vpin_state.pins import Pin

SILENT = frozenset(("WEBHOOK", "TERMINAL"))
"""Types whose `value` in the JSON has nothing to do with the pin (spec 03, 9.6 and 10.2)."""


Key = tuple[int, int, int]
"""(target, kind, number) of a pin within a dashboard."""


class Place(NamedTuple):
    """A pin that a widget names: `holder` is the JSON object with its `pin`, `pinType` and `pwmMode`."""

    holder: JsonObject
    target: int
    kind: int
    number: int

    @property
    def key(self) -> Key:
        return self.target, self.kind, self.number


def places(json: JsonObject) -> Iterator[Place]:
    """The pins that a widget of the dashboard shows, in order; none for a webhook, which keeps nothing."""
    pins = KINDS[json["type"]].pins
    if pins == "one":
        if json["type"] != "WEBHOOK":
            yield from _place(json, json.get("deviceId", 0))
    elif pins == "many":
        for stream in json.get("pins", ()):
            yield from _place(stream, json.get("deviceId", 0))
    elif json["type"] == "DEVICE_TILES":
        for tile in json.get("tiles", ()):
            yield from _place(tile.get("pin"), tile["deviceId"])


def places_for(json: JsonObject, target: int) -> Iterator[Place]:
    """The pins that a widget behind a selector or in a template names, as those of one of the devices behind it."""
    if json["type"] != "WEBHOOK":
        for holder in [json] if KINDS[json["type"]].pins == "one" else json.get("pins", ()):
            yield from _place(holder, target)


def _place(holder: JsonObject | None, target: int) -> Iterator[Place]:
    if holder is not None and "pinType" in holder and 0 <= holder.get("pin", -1) <= 255:
        yield Place(holder, target, KIND_OF_NAME[holder["pinType"]], holder["pin"])


def matches(holder: JsonObject, place_kind: int, kind: int, *, one_pin: bool) -> bool:
    """Whether a write or question of a kind concerns a place of the same number (spec 03, 8.1)."""
    if place_kind == kind:
        return True
    if kind == ANALOG:
        return holder.get("pwmMode", False)
    return one_pin and kind == DIGITAL and place_kind == ANALOG


def concerns(json: JsonObject, target: int, kind: int, number: int) -> Iterator[Place]:
    """The places of a widget that a write to (target, kind, number) concerns."""
    one_pin = KINDS[json["type"]].pins == "one"
    for place in places(json):
        if place.number != number or place.target != target:
            continue
        if matches(place.holder, place.kind, kind, one_pin=one_pin):
            yield place


def taken(dash: Dashboard) -> set[Key]:
    """(target, kind, number) of every place of the dashboard's widgets: these pins are not in the pin store."""
    return {place.key for widget in dash.widgets for place in places(widget.json)}


def pin_of(dash: Dashboard, place: Place) -> Pin | None:
    """The pin behind a place, if it was ever touched."""
    bank = dash.banks.get(place.target)
    return bank.pins.get((place.kind, place.number)) if bank else None


def absorb(dash: Dashboard, json: JsonObject, now: int) -> None:
    """Take the values out of a widget's JSON; they become the state of its pins.

    On a template's pins a widget is a view: there a value only counts where none was ever written (spec 07, 3.2).
    """
    if json["type"] in SILENT:
        return
    for place in places(json):
        value = place.holder.pop("value", None)
        if value is None:
            continue
        pin = dash.bank(place.target).pin(place.kind, place.number)
        if not pin.known or datastreams.of_target(dash, place.target) is None:
            pin.set(value.encode(), ByApp(now))


class Values:
    """What the pins of a dashboard show at `now` (ms), as a sync tells it (spec 07, 9); None: whatever is stored."""

    __slots__ = ("_banks", "_now", "_streams")

    def __init__(self, dash: Dashboard, now: int | None) -> None:
        self._banks = dash.banks
        self._now = now or 0
        self._streams = {} if now is None else datastreams.by_pin(dash)

    def of(self, place: Place) -> bytes | None:
        bank = self._banks.get(place.target)
        pin = bank.pins.get((place.kind, place.number)) if bank else None
        if self._streams and (streams := self._streams.get(place.target)) is not None:
            stream = streams.get((place.kind, place.number))
            return None if stream is None else datastreams.current(stream, pin, self._now)
        return None if pin is None else pin.value

    def listed(self, target: int) -> Iterator[tuple[Key, bytes]] | None:
        """What a device of the template generation shows, in the order of its datastreams; None: it is none."""
        streams = self._streams.get(target)
        if streams is None:
            return None
        pins = self._banks[target].pins
        found = ((pin, datastreams.current(stream, pins.get(pin), self._now)) for pin, stream in streams.items())
        return (((target, *pin), value) for pin, value in found if value is not None)


def with_values(values: Values, json: JsonObject) -> JsonObject:
    """The widget's JSON with the values of its pins; `json` itself is not changed."""
    kind = KINDS[json["type"]]
    if kind.pins == "one":
        value = None if json["type"] in SILENT else _text(values, json, json.get("deviceId", 0))
        return json if value is None else {**json, "value": value}
    if kind.pins == "many" and "pins" in json:
        return {**json, "pins": [_filled(values, stream, json.get("deviceId", 0)) for stream in json["pins"]]}
    if "tiles" in json:
        tiles = [{**t, "pin": _filled(values, t["pin"], t["deviceId"])} if "pin" in t else t for t in json["tiles"]]
        return {**json, "tiles": tiles}
    return json


def _filled(values: Values, stream: JsonObject | None, target: int) -> JsonObject | None:
    value = None if stream is None else _text(values, stream, target)
    return stream if stream is None or value is None else {**stream, "value": value}


def _text(values: Values, holder: JsonObject, target: int) -> str | None:
    """The value of a pin; None: there is none, or it is empty, which JSON leaves out."""
    for place in _place(holder, target):
        if value := values.of(place):
            return value.decode(errors="replace")
    return None


def strip_values(json: JsonObject) -> None:
    """Take what was written to pins out of a widget's JSON, for nothing: rows of a table, what rules have seen too."""
    if KINDS[json["type"]].pins == "one":
        json.pop("value", None)
    if json["type"] == "TABLE":
        json.pop("rows", None)
        json["currentRowIndex"] = 0
    for holder in [*json.get("pins", ()), *(tile.get("pin") for tile in json.get("tiles", ()))]:
        if holder is not None:
            holder.pop("value", None)
    for template in json.get("templates", ()):
        for widget in template.get("widgets", ()):
            strip_values(widget)
    for rule in json.get("rules", ()):
        if (condition := rule.get("condition")) is not None and condition["type"] == "CHANGED":
            condition.pop("value", None)


def clear_for_widget(dash: Dashboard, json: JsonObject, *, template: JsonObject | None = None) -> None:
    """Forget what the pins of a widget hold that is created or deleted: values and stored properties.

    Call it while the widget is not among the dashboard's: the value of a pin that another widget shows stays (spec 07,
    3.2). `template`: the tile template that the widget is in. Pins of the template generation keep their values always.
    """
    clear_pins(dash, set(reach(dash, json, template)), taken(dash))


def clear_pins(dash: Dashboard, pins: set[Key], keep: set[Key], *, properties: bool = True) -> None:
    """Forget the values of `pins`, but not of those in `keep` nor of the template generation, and their properties."""
    for target, kind, number in pins:
        bank = dash.banks.get(target)
        if bank is None:
            continue
        if properties:
            bank.erase_properties(kind, number)
        pin = bank.pins.get((kind, number))
        if pin is None or not pin.known or (target, kind, number) in keep:
            continue
        if datastreams.of_target(dash, target) is None:
            pin.erase()


def reach(dash: Dashboard, json: JsonObject, template: JsonObject | None = None) -> Iterator[Key]:
    """Each (target, kind, number) that a widget's pins have state of: its own; those of devices behind its target."""
    if template is not None:
        for device in template.get("deviceIds", ()):
            yield from (place.key for place in places_for(json, device))
        return
    for place in places(json):
        yield place.key
    if json["type"] == "DEVICE_TILES":
        for inner in json.get("templates", ()):
            for widget in inner.get("widgets", ()):
                yield from reach(dash, widget, inner)
    elif (target := json.get("deviceId", 0)) >= FIRST_TAG:
        for device in members(dash, target):
            yield from (place.key for place in places_for(json, device))


def members(dash: Dashboard, target: int) -> list[int]:
    """The device ids behind a tag or a selector, all of them: not only the selected one."""
    if target >= FIRST_SELECTOR:
        selector = dash.find_widget(target)
        return selector.json.get("deviceIds", []) if selector is not None and selector.type == "DEVICE_SELECTOR" else []
    found = lookup.tag(dash, target)
    return found.get("deviceIds", []) if found else []
