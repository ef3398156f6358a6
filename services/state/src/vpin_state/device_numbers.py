"""The id of a device in its account, as the management API has it (spec 08, 4): one number for dashboard and device.

It is made of both, so it needs no place to be stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_state.model import NO_PROJECT

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.model import Account

_BITS = 20
_MASK = (1 << _BITS) - 1
_WIDE = 1 << 53
"""Numbers of devices whose legacy ids are no small natural numbers begin here."""


def number_of(device: Device) -> int:
    """The device's id in the account."""
    if device.dash.id == NO_PROJECT:
        return device.id
    if 0 <= device.id <= _MASK:
        return (device.dash.id & 0xFFFFFFFF) + 1 << _BITS | device.id
    return _WIDE + ((device.dash.id & 0xFFFFFFFF) << 32 | device.id & 0xFFFFFFFF)


def find_device(account: Account, number: int) -> Device | None:
    """The device of that id."""
    if number >= _WIDE:
        dash_id, device_id = _signed(number - _WIDE >> 32), _signed(number - _WIDE & 0xFFFFFFFF)
    elif number > _MASK:
        dash_id, device_id = _signed((number >> _BITS) - 1), number & _MASK
    else:
        dash_id, device_id = NO_PROJECT, number
    dash = account.dashboards.get(dash_id)
    device = dash.devices.get(device_id) if dash else None
    return device if device is not None and number_of(device) == number else None


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number
