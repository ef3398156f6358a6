"""The first project of somebody who registers with an exported app (spec 02, 3.1).

The entry, which is no owner, puts it as a *seed* into the body of the new account's row. The owner makes rows of it when it
loads the account for the first time: with the same tokens however often that is tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_state.copies import bare_project, used_devices
from vpin_state.handlers.dashboards import build_dashboard
from vpin_state.json_rules import encode, read_dashboard

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpin_state.model import Account, JsonObject

FIRST_ID = 1


def seed_of(publisher: Account, app_id: str, new_token: Callable[[], str]) -> JsonObject | None:
    """The seed for a new user of one of the publisher's apps; None: the account starts empty."""
    app = next((app for app in publisher.body.get("apps", ()) if app["id"] == app_id), None)
    if app is None or app["isMultiFace"]:
        return None
    first = next(iter(app.get("projectIds", ())), None)
    dash = next((dash for dash in publisher.projects if dash.id == first), None)
    if dash is None:
        return None
    project = bare_project(dash)
    project |= {"id": FIRST_ID, "isActive": True, "isShared": False}
    used = used_devices(project)
    project["devices"] = [device for device in project.get("devices", ()) if device["id"] in used]
    needs_tokens = app["provisionType"] == "DYNAMIC"
    tokens = {str(device["id"]): new_token() for device in project["devices"]} if needs_tokens else {}
    return {"project": project, "tokens": tokens}


def plant(account: Account, now: int) -> bool:
    """Make a project of the seed, if the account still has one; whether it had."""
    seed = account.body.pop("seed", None)
    if seed is None:
        return False
    account.changed()
    settings, widgets, devices = read_dashboard(encode(seed["project"]), 0)
    tokens = seed["tokens"]
    build_dashboard(account, settings, widgets, [(json, tokens.get(str(json["id"]), "")) for json in devices], now)
    return True
