"""Accounts that do something by the clock are loaded when their shard is claimed (spec 05, 2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_state.registry import task

if TYPE_CHECKING:
    from vpin_state.effects import Connection, Effects
    from vpin_state.model import Account

WAKE = "wake"


@task(WAKE)
def wake(fx: Effects, account: Account, connection: Connection, fields: list[bytes]) -> None:
    """The account is in memory by now, and that is all."""
