"""The history of an account that nothing names any more (spec 05, 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_state.questions import RecordedPins
from vpin_state.recording import is_logged
from vpin_state.registry import task

if TYPE_CHECKING:
    from vpin_store.rows import StreamKey

    from vpin_state.effects import Connection, Effects
    from vpin_state.model import Account

PURGE = "history.purge"
"""Task: see :func:`purge`."""


@task(PURGE)
def purge(fx: Effects, account: Account, connection: Connection, fields: list[bytes]) -> None:
    """Delete what was recorded of pins that no graph, report or datastream would have recorded now."""

    def go_on(fx: Effects, pins: list[StreamKey]) -> None:
        for pin in pins:
            if not _is_named(account, pin):
                account.forget_history(*pin[1:])

    fx.ask(RecordedPins(account.id), go_on)


def _is_named(account: Account, pin: StreamKey) -> bool:
    dash = account.dashboards.get(pin.dash_id)
    device = dash.devices.get(pin.device_id) if dash else None
    return device is not None and is_logged(device.bank, pin.pin_type, pin.pin)
