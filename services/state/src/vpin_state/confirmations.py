"""Writes that wait for their board's word (spec 07, 3.4), where the datastream says `waitForConfirmation`.

What an app or the HTTP API writes to such a pin goes to the board and is not stored: the pin keeps its confirmed value, and
all readers get that. The board's own write is what it always is, and ends the wait. When none comes in time, or nobody took
the message, the apps are told the confirmed value, since one of them shows another. A wait is in memory alone: after a
change of owner the confirmed value simply goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command

from vpin_state import datastreams
from vpin_state.syncs import SYNC_ID, write_body

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.pins import Bank


def hold(fx: Effects, device: Device, kind: int, number: int, *, taken: bool) -> None:
    """A write was sent to the board (`taken`: it is there to take it): wait for its word, instead of an earlier wait."""
    bank, pin = device.bank, (kind, number)
    if not taken:
        end(bank, kind, number)
        _tell_confirmed(fx, device, kind, number)
        return
    wait = object()
    bank.waits = {**(bank.waits or {}), pin: wait}

    def time_is_over(fx: Effects) -> None:
        if bank.waits is not None and bank.waits.get(pin) is wait:
            end(bank, kind, number)
            if device.dash.banks.get(device.id) is bank:
                _tell_confirmed(fx, device, kind, number)

    at = fx.now + datastreams.confirmation_ms(device, kind, number)
    fx.schedule(at, device.dash.account, time_is_over)


def end(bank: Bank, kind: int, number: int) -> None:
    """The board has written the pin."""
    if bank.waits is not None:
        bank.waits.pop((kind, number), None)


def _tell_confirmed(fx: Effects, device: Device, kind: int, number: int) -> None:
    """The value that counts, to all apps; nothing where there is none."""
    stream = datastreams.find(datastreams.of(device) or [], kind, number)
    value = None if stream is None else datastreams.current(stream, device.bank.pins.get((kind, number)), fx.now)
    if value is not None and device.dash.active:
        fx.to_apps(device.dash, Command.APP_SYNC, SYNC_ID, device.prefix + write_body(kind, number, value))
