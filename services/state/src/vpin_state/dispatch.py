"""From a message to its handler: who may use it, and what becomes of a refusal or a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from vpin_protocol import BodyError, Status

from vpin_state import registry
from vpin_state.errors import Refused

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.session import Session

log = structlog.get_logger()


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
