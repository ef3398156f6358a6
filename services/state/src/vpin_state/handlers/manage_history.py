"""History of devices for the api: which devices a target covers; deletion (spec 08, 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from vpin_messages.requests import PinReply

from vpin_state.handlers.graphs import forget, members_of
from vpin_state.handlers.manage_devices import device_of
from vpin_state.registry import account_operation

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Account

_json = msgspec.json.Encoder().encode


@account_operation("devicesOfTarget")
def devices_of_target(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """Ids of the devices behind a tag or selector `target` of the dashboard `dash`, as the dashboard has them."""
    dash = account.dashboards.get(a["dash"])
    return PinReply(200, _json(members_of(dash, a["target"]) if dash else []))


@account_operation("deleteHistory")
def delete(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """Of the device, or of its `pin` ([letter, number]; null: of all)."""
    device = device_of(account, a["id"])
    forget(device.dash, device.id, (ord(a["pin"][0]), a["pin"][1]) if a["pin"] else None)
    return PinReply(204)
