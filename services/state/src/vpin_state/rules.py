"""The eventor: rules that act when a pin is written (spec 05, 2.2.1 to 2.2.3).

The first EVENTOR of a dashboard is compiled when it is first needed and again after the dashboard's shape has changed; while
its JSON is the same its rules keep their state, which is in memory alone but for what was seen last by those that wait for a
change. A pin that no rule watches stays on the fast way
(:mod:`vpin_state.routes` asks :func:`of`), so it costs nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING

from vpin_state.pins import ANALOG, KIND_OF_NAME, parse_number

if TYPE_CHECKING:
    from vpin_state.model import Dashboard, JsonObject, Widget

Condition = Callable[[bytes], bool]


class Rule:
    """One rule of one pin: it fires once when its condition becomes true, one that waits for a change at each change."""

    __slots__ = ("_armed", "_condition", "_last", "actions", "index")

    def __init__(self, condition: JsonObject, actions: list[JsonObject], index: int = 0) -> None:
        """`index`: of the rule in the JSON of its widget."""
        self.actions = actions
        self.index = index
        self._armed = True
        self._condition = None if condition["type"] == "CHANGED" else _condition(condition)
        last = condition.get("value") if condition["type"] == "CHANGED" else None
        self._last = None if last is None else last.encode()

    @property
    def waits_for_change(self) -> bool:
        """Whether the value that it has seen last counts."""
        return self._condition is None

    def fires(self, value: bytes) -> bool:
        """Whether it acts on a write; from now on it knows of it."""
        if self._condition is None:
            last, self._last = self._last, value
            return last != value
        matches = self._condition(value)
        fires = matches and self._armed
        self._armed = not matches
        return fires


class Eventor:
    """The rules of an EVENTOR by (kind, number) of the pin that they watch, in order."""

    __slots__ = ("json", "rules", "target")

    def __init__(self, json: JsonObject) -> None:
        self.json = json
        self.target: int = json.get("deviceId", 0)
        self.rules: dict[tuple[int, int], list[Rule]] = {}
        for index, rule in enumerate(json.get("rules", ())):
            trigger = pin_of(rule.get("triggerPin"))
            if not rule["isActive"] or trigger is None or "condition" not in rule or not rule.get("actions"):
                continue
            compiled = Rule(rule["condition"], [action for action in rule["actions"] if is_valid(action)], index)
            self.rules.setdefault(trigger, []).append(compiled)
            if rule["triggerPin"].get("pwmMode") and trigger[0] != ANALOG:
                self.rules.setdefault((ANALOG, trigger[1]), []).append(compiled)


def eventor_of(dash: Dashboard) -> Eventor | None:
    """The dashboard's compiled eventor, None where it has none."""
    if dash.eventor_is_stale:
        dash.eventor_is_stale = False
        widget = _widget(dash)
        if widget is None:
            dash.eventor = None
        elif dash.eventor is None or dash.eventor.json is not widget.json:
            dash.eventor = Eventor(widget.json)
    return dash.eventor


def _widget(dash: Dashboard) -> Widget | None:
    return next((widget for widget in dash.widgets if widget.type == "EVENTOR"), None)


def remember(dash: Dashboard, rule: Rule, value: bytes) -> None:
    """Write what a rule that waits for a change has seen into its widget (spec 03, 10.9): a restart is no change."""
    widget, eventor = _widget(dash), dash.eventor
    if widget is None or eventor is None or eventor.json is not widget.json:
        return
    found = list(widget.json["rules"])
    condition = {key: old for key, old in found[rule.index]["condition"].items() if key != "value"}
    if text := value.decode(errors="replace"):
        condition["value"] = text
    found[rule.index] = {**found[rule.index], "condition": condition}
    widget.json = eventor.json = {**widget.json, "rules": found}
    dash.account.mark_quietly().widgets.add((dash.id, widget.key))


def of(dash: Dashboard, target: int, kind: int, number: int) -> list[Rule] | None:
    """The rules that a write to a target's pin runs; None where there are none."""
    eventor = eventor_of(dash)
    return None if eventor is None or eventor.target != target else eventor.rules.get((kind, number))


def is_valid(action: JsonObject) -> bool:
    """Whether an action of a rule can be carried out: an invalid one is skipped."""
    match action["type"]:
        case "SETPIN":
            return "value" in action and pin_of(action.get("pin")) is not None
        case "SET_PROP":
            return bool(action.get("value")) and "property" in action and pin_of(action.get("pin")) is not None
        case _:
            return bool(action.get("message"))


def pin_of(holder: JsonObject | None) -> tuple[int, int] | None:
    """(kind, number) of a pin that an action or a timer names; None where it is none."""
    if not holder or "pinType" not in holder or not 0 <= holder.get("pin", -1) <= 255:
        return None
    return KIND_OF_NAME[holder["pinType"]], holder["pin"]


# -- conditions

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GT": operator.gt,
    "GTE": operator.ge,
    "LT": operator.lt,
    "LTE": operator.le,
    "EQ": operator.eq,
    "NEQ": operator.ne,
}


def _condition(json: JsonObject) -> Condition:
    """Numbers are compared with numbers only: a text or several parts never match."""
    match json["type"]:
        case "STR_EQUAL":
            text = json.get("value", "").encode()
            return lambda value: value == text
        case "STR_NOT_EQUAL":
            text = json.get("value", "").encode()
            return lambda value: value != text
        case "BETWEEN":
            left, right = json["left"], json["right"]
            return _numeric(lambda number: left < number < right)
        case "NOT_BETWEEN":
            left, right = json["left"], json["right"]
            return _numeric(lambda number: not left < number < right)
        case name:
            compare, bound = _COMPARISONS[name], json["value"]
            return _numeric(lambda number: compare(number, bound))


def _numeric(matches: Callable[[float], bool]) -> Condition:
    def condition(value: bytes) -> bool:
        number = parse_number(value)
        return number is not None and matches(number)

    return condition
