"""Events of devices by the management API (spec 08, 4), which reads them from the database itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpin_messages.requests import PinReply
from vpin_store.rows import EventRow

from vpin_state import events
from vpin_state.handlers.manage_devices import device_of
from vpin_state.registry import account_operation

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Account


@account_operation("resolveEvent")
def resolve(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """The event `eventId`, which was open as the database had it: code, severity, description, at."""
    device = device_of(account, a["id"])
    place = (account.id, device.dash.id, device.id, a["eventId"])
    events.resolve(fx, device, EventRow(*place, a["code"], a["severity"], a["description"], a["at"], 0))
    return PinReply(204)
