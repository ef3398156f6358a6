"""What one client may be answered: five bytes can ask for megabytes, and a gateway cuts off only who it has too much for.

Far above what any board or app needs: 256 pins of 9 KB are 2.3 MB. Small answers are bounded by the message quota.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.session import Session

MOST_ANSWERED = 64 * 1024 * 1024
"""Bytes of large answers to one client within `PERIOD_MS`."""
PERIOD_MS = 10_000
SMALL = 4096
"""Bytes of an answer from which on it is counted."""

log = structlog.get_logger()


def meter(fx: Effects, session: Session) -> None:
    """Count what its message is answered; above the bound the client gets none of it and is disconnected."""
    size = sum(len(frames) for to, frames in fx.sends if to is session)
    if size < SMALL:
        return
    if fx.now - session.metered_at >= PERIOD_MS:
        session.metered_at, session.answered = fx.now, 0
    session.answered += size
    if session.answered > MOST_ANSWERED:
        log.warning("a client asks for more than it can take", account=session.account.id, side=int(session.side))
        fx.sends[:] = [send for send in fx.sends if send[0] is not session]
        fx.close(session)
