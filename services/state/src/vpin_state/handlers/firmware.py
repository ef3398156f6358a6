"""A firmware update of one device, as the administrator starts it (spec 04, 1.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_messages.requests import PinReply
from vpin_protocol import Command

from vpin_state.firmware import OTA_ID, order
from vpin_state.registry import operation

if TYPE_CHECKING:
    from vpin_messages.requests import PinRequest

    from vpin_state.device import Device
    from vpin_state.effects import Effects

NOT_ONLINE = PinReply(400, b"No device in session.")
NEVER_ONLINE = PinReply(400, b"Device wasn't connected yet.")


@operation("ota")
def start(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """Tell the board to load the image `name`. `values`: who has started it, where the image was uploaded for this."""
    if request.values and not device.first_connect_time:
        return NEVER_ONLINE
    if not fx.to_device(device, OTA_ID, order(fx.config, request.name), command=Command.INTERNAL):
        return NOT_ONLINE
    if request.values:
        times = {"otaInitiatedAt": fx.now, "otaUpdateAt": fx.now}
        device.body["deviceOtaInfo"] = {"otaInitiatedBy": request.values[0], **times}
        device.changed()
    return PinReply(200)
