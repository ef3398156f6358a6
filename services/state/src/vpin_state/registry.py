"""Which function handles which command of which side. A new command is a new function in the module of its topic.

Handlers register when their module is imported; :func:`load` imports every module of :mod:`vpin_state.handlers`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vpin_messages.requests import PinReply, PinRequest

    from vpin_state.device import Device
    from vpin_state.effects import Connection, Effects, Handler
    from vpin_state.model import Account

    AccountOperation = Callable[[Effects, Account, dict[str, Any]], PinReply]
    TaskHandler = Callable[[Effects, Account, Connection, list[bytes]], None]

HARDWARE, APP = "hardware", "app"

hardware: dict[int, Handler] = {}
app: dict[int, Handler] = {}
shared: set[int] = set()
"""App commands that a shared session may use (spec 02, 10)."""
operations: dict[str, Callable[[Effects, Device, PinRequest], PinReply]] = {}
"""Operations of the pin APIs by name."""
account_operations: dict[str, AccountOperation] = {}
"""Operations of the management API by name."""
tasks: dict[str, TaskHandler] = {}
"""What other processes hand over to the owner of an account, by name (:mod:`vpin_messages.tasks`)."""


def handles(command: int, side: str, *, also_shared: bool = False) -> Callable[[Handler], Handler]:
    """Register the decorated function for a command (vpin_protocol.Command) of boards (HARDWARE) or apps (APP)."""

    def register(handler: Handler) -> Handler:
        table = hardware if side == HARDWARE else app
        if command in table:
            raise ValueError(f"{command!r} of {side} has two handlers")
        table[int(command)] = handler
        if also_shared:
            shared.add(int(command))
        return handler

    return register


def operation(
    name: str,
) -> Callable[[Callable[[Effects, Device, PinRequest], PinReply]], Callable[[Effects, Device, PinRequest], PinReply]]:
    """Register the decorated function for an operation of the pin APIs."""

    def register(
        function: Callable[[Effects, Device, PinRequest], PinReply],
    ) -> Callable[[Effects, Device, PinRequest], PinReply]:
        operations[name] = function
        return function

    return register


def account_operation(name: str) -> Callable[[AccountOperation], AccountOperation]:
    """Register the decorated function for an operation of the management API: ``(fx, account, arguments)``."""

    def register(function: AccountOperation) -> AccountOperation:
        account_operations[name] = function
        return function

    return register


def task(name: str) -> Callable[[TaskHandler], TaskHandler]:
    """Register the decorated function for a task: ``(fx, account, connection, fields)``."""

    def register(function: TaskHandler) -> TaskHandler:
        tasks[name] = function
        return function

    return register


def load() -> None:
    """Import all handler modules."""
    from vpin_state import handlers

    for module in pkgutil.iter_modules(handlers.__path__):
        importlib.import_module(f"{handlers.__name__}.{module.name}")
