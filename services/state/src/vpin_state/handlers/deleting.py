"""A whole account goes (spec 06, 14.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_state import settling
from vpin_state.registry import task

if TYPE_CHECKING:
    from vpin_state.effects import Connection, Effects
    from vpin_state.model import Account

DELETE = "account.delete"
"""Task: see :func:`delete`. Any number of times."""


@task(DELETE)
def delete(fx: Effects, account: Account, connection: Connection, fields: list[bytes]) -> None:
    """Close all connections, of apps, guests and boards, and delete everything. What they send meanwhile is ignored."""
    apps, account.apps = account.apps, []
    for app in apps:
        fx.close(app)
    for dash in account.dashboards.values():
        for device in dash.devices.values():
            settling.close_sessions(fx, device)
    account.delete()
