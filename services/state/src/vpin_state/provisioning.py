"""Provision tokens: the first log-in of a board with one makes its device (spec 02, 7.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from vpin_state.handlers.dashboards import add_device

if TYPE_CHECKING:
    from vpin_messages.entry import Provision

    from vpin_state.config import Config
    from vpin_state.model import Account, Dashboard, JsonObject

_json = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


PROJECT = "project"
"""Key in a provision token's JSON: when its project was made, since another one may have its id by now."""


def token_body(dash: Dashboard, device: JsonObject) -> bytes:
    """What is stored with a provision token for a device of a dashboard, as an app has described it."""
    return _encode({**device, PROJECT: dash.settings.get("createdAt", 0)})


def join(config: Config, account: Account | None, dash_id: int, device_id: int, provision: Provision) -> bool:
    """Make the device that a provision token stands for; its token is that one from now on.

    False, with nothing changed, when the project is gone or another one by now, is full, or has a device of that id.
    (If that device has this very token, another connection was faster, and its owner is let in as usual.)
    """
    dash = account.dashboards.get(dash_id) if account else None
    if dash is None or device_id in dash.devices or len(dash.devices) >= config.devices_max:
        return False
    device = _json(provision.device)
    if device.pop(PROJECT, None) != dash.settings.get("createdAt", 0):
        return False
    add_device(dash, device, provision.token)
    return True
