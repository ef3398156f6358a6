"""From a message to its handler: who may use it, and what becomes of a refusal or a fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog
from vpin_protocol import BodyError, Status

from vpin_state import appetite, registry
from vpin_state.effects import Connection
from vpin_state.errors import Refused

if TYPE_CHECKING:
    from vpin_messages.tasks import Task

    from vpin_state.alarms import Alarm
    from vpin_state.effects import Effects
    from vpin_state.model import Account
    from vpin_state.session import Session

log = structlog.get_logger()


def ring(fx: Effects, account: Account, alarm: Alarm, second: int) -> None:
    """Let an alarm do what is due at a second since 1970; a fault of ours is logged, and the others ring all the same."""
    try:
        alarm.ring(fx, second)
    except Exception:
        log.exception("alarm failed", account=account.id)


def handle(fx: Effects, session: Session, command: int, message_id: int, body: bytes) -> None:
    """Run the handler of one message; its effects are in `fx` afterwards.

    A command that this side does not know is ignored (spec 01, 1.3). A shared session that uses another command than its
    own gets status 6. A refusal is answered with its status, a body that can't be read with 2, a fault of ours with 19.
    """
    fx.begin(session, message_id)
    handler = (registry.hardware if session.side == 0 else registry.app).get(command)
    if handler is None:
        return
    try:
        if session.shared and command not in registry.shared:
            raise Refused(Status.NOT_ALLOWED)
        handler(fx, session, message_id, body)
    except Refused as refusal:
        fx.reply(refusal.status)
    except BodyError:
        fx.reply(Status.ILLEGAL_COMMAND)
    except Exception:
        log.exception("handler failed", command=command, side=int(session.side), account=session.account.id)
        fx.reply(Status.SERVER_ERROR)
    appetite.meter(fx, session)


def proceed(
    fx: Effects,
    account: Account,
    session: Session | None,
    message_id: int,
    then: Callable[[Effects, Any], None],
    found: Any,
) -> None:
    """Go on with a message whose handler has asked for something; the same rules. Of a task (no session) nobody is told."""
    fx.begin(session, message_id)
    try:
        then(fx, found)
    except Refused as refusal:
        if session is not None:
            fx.reply(refusal.status)
    except Exception:
        log.exception("handler failed after a question", account=account.id)
        if session is not None:
            fx.reply(Status.SERVER_ERROR)


def perform(fx: Effects, account: Account, number: int, task: Task) -> None:
    """Run a task; the connection that waits for it (`number` 0: none) is told a refusal."""
    fx.begin(None, 0)
    connection = Connection(task.gateway, number, task.message_id)
    try:
        registry.tasks[task.name](fx, account, connection, task.fields)
    except Refused as refusal:
        if number:
            fx.tell(connection, refusal.status)
    except Exception:
        log.exception("task failed", task=task.name, account=account.id)
        if number:
            fx.tell(connection, Status.SERVER_ERROR)
