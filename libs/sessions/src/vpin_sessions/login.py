"""The log-in of a client: the commands that it may send before, one at a time, and what becomes of each."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from vpin_messages.entry import EntryAnswer, EntryRequest
from vpin_protocol import Command, Reason

if TYPE_CHECKING:
    from vpin_sessions.session import Session

ANSWER_WITHIN = 10.0
"""Seconds a log-in may take."""
MAIL_WITHIN = 75.0
"""Seconds the answer to a forgotten password may take: it waits for the mail server, to which notify gives a minute."""


class LogIn:
    """What a session is until it is open. `waiting`: a command is on its way, whatever else comes is kept."""

    __slots__ = ("_registered", "_session", "waiting")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._registered = False
        self.waiting = False

    def knock(self, data: bytes) -> None:
        """Take the stream from the beginning of a frame: that is a command, what is behind it waits for the answer."""
        session = self._session
        header = session.kind.header
        if len(data) < header.size:
            session.keep(data)
            return
        command, message_id, length = header.unpack_from(data)
        admission = session.kind.admitted.get(command)
        end = header.size + length
        if admission is None:
            session.gateway.tally.refused += 1
            session.close()
        elif length > admission.longest:
            session.refuse(Reason.OVERSIZE)
        elif len(data) < end:
            session.keep(data)
        elif admission.refusal is not None:
            session.write(session.kind.response(message_id, admission.refusal))
            session.close()
        else:
            self._ask(admission.command, message_id, data[header.size : end])
            session.hold(data[end:])

    def answered(self, answer: EntryAnswer) -> None:
        """Write the answer, then open the session, close it, or go on with what was kept."""
        session = self._session
        self.waiting, session.due = False, inf
        self._registered = self._registered or answer.registered
        rest = session.release()
        if answer.frames:
            session.write(answer.frames)
        if answer.close:
            session.close()
            return
        if answer.grant is not None:
            session.open(answer.grant)
        if rest:
            session.feed(rest)
        session.control_reading()

    def _ask(self, command: int, message_id: int, body: bytes) -> None:
        session = self._session
        self.waiting = True
        session.due = session.gateway.clock() + (MAIL_WITHIN if command == Command.RESET_PASSWORD else ANSWER_WITHIN)
        session.gateway.wheel.watch(session)
        request = EntryRequest(
            session=session.number,
            side=int(session.kind.side),
            command=int(command),
            message_id=message_id,
            body=body,
            address=session.address,
            registered=self._registered,
        )
        session.gateway.uplinks.ask(request)
