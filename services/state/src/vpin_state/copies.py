"""Copies of projects without secrets and values: for clones, exported apps, faces (spec 02, 3.1, 11.8, 11.9)."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from vpin_state.json_rules import View, visible
from vpin_state.pins import FIRST_SELECTOR, FIRST_TAG
from vpin_state.places import Values, places, strip_values, with_values
from vpin_state.profile import frame_json, trimmed

if TYPE_CHECKING:
    from vpin_state.model import Dashboard, JsonObject

_DEVICE_KEYS = ("deviceId", "targetId", "deviceIds")


def bare_project(dash: Dashboard) -> JsonObject:
    """The project's JSON as anybody may see it: nothing private, no values."""
    widgets = [bare_widget(visible(widget.json, View.PUBLIC)) for widget in dash.widgets]
    return trimmed(frame_json(dash, widgets, View.PUBLIC))


def bare_widget(json: JsonObject) -> JsonObject:
    """A copy of a widget without what was written to its pins."""
    json = deepcopy(json)
    strip_values(json)
    return json


def used_devices(project: JsonObject) -> set[int]:
    """Ids of the devices that the widgets of a project's JSON name, by themselves or through tags."""
    used: set[int] = set()
    _collect(project.get("widgets", []), used)
    for tag in project.get("tags", ()):
        if tag["id"] in used:
            used.update(tag.get("deviceIds", ()))
    return {target for target in used if target < FIRST_TAG or target >= FIRST_SELECTOR}


def _collect(json: Any, used: set[int]) -> None:
    if isinstance(json, list):
        for item in json:
            _collect(item, used)
    elif isinstance(json, dict):
        for key, value in json.items():
            if key in _DEVICE_KEYS:
                used.update(value if isinstance(value, list) else [value])
            else:
                _collect(value, used)


def with_values_of(dash: Dashboard, json: JsonObject) -> JsonObject:
    """A copy of a widget with the values that are stored for the dashboard's widget of the same id and type."""
    json = bare_widget(json)
    old = dash.find_widget(json["id"])
    if old is None or old.type != json["type"]:
        return json
    for key in ("rows", "currentRowIndex", "isOnPlay"):
        if key in old.json:
            json[key] = deepcopy(old.json[key])
    if json["type"] == "DEVICE_SELECTOR":
        json["value"] = old.json["value"]
    shown = with_values(Values(dash, None), old.json)
    for place, before in zip(places(json), places(shown), strict=False):
        if "value" in before.holder:
            place.holder["value"] = before.holder["value"]
    return json
