"""Effects: what a handler wants to happen outside the account. Handlers call these methods, the owner carries them out.

A handler is ``def name(fx: Effects, session: Session, message_id: int, body: bytes) -> None``, registered with
:func:`vpin_state.registry.handles`. It changes the account and calls `fx`. It does no IO and reads no clock but `fx.now`.
If it changed anything but pin values (`fx.durable` is set by the owner when the account has structural marks, or by the
handler through :meth:`Effects.after_commit`), all that it sends is released after the commit that holds the change.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from vpin_messages.jobs import Job
from vpin_messages.slab import Down, down_entry
from vpin_protocol import APP_HEADER, HARDWARE_HEADER, HARDWARE_MAX_BODY, Command
from vpin_protocol.mqtt import ReasonCode

from vpin_state import origins
from vpin_state.model import NO_PROJECT

if TYPE_CHECKING:
    from vpin_store.rows import CampaignRow

    from vpin_state.config import Config
    from vpin_state.device import Device
    from vpin_state.model import Account, Dashboard
    from vpin_state.questions import Question
    from vpin_state.session import Session

_hardware = HARDWARE_HEADER.pack
_app = APP_HEADER.pack

SESSION_TAKEN_OVER = bytes((ReasonCode.SESSION_TAKEN_OVER,))
LONGEST_IDLE = 0xFFFF_FFFF
"""Seconds in an IDLE entry: 136 years."""


class Connection(NamedTuple):
    """A client that has no session yet and waits for the answer to `message_id`."""

    gateway: bytes
    number: int
    message_id: int


class Effects:
    """Collector of effects of one handler call. `now` is the time in ms since 1970, `config` the limits in force."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.now = 0
        self.campaigns: Sequence[CampaignRow] = ()  # that offer firmware to boards, newest first
        self.new_token: Callable[[], str] = lambda: secrets.token_urlsafe(24)
        self.session: Session | None = None  # who sent the message being handled
        self.message_id = 0
        self.durable = False
        self.origin = origins.RULE  # who writes pins: see vpin_state.origins
        self.sends: list[tuple[Session, bytes]] = []
        self.entries: list[tuple[Session, bytes]] = []  # CLOSE, IDLE: behind the sends
        self.jobs: list[Job] = []
        self.events: list[tuple[str, bytes]] = []
        self.scheduled: list[tuple[int, Account, Callable[[Effects], None]]] = []
        self.questions: list[tuple[Question, Callable[[Effects, Any], None]]] = []
        self.told: list[tuple[Connection, int]] = []
        self.outcomes: list[tuple[Connection, Callable[[Effects, int], None]]] = []

    def begin(self, session: Session | None, message_id: int) -> None:
        """Start collecting for one message."""
        self.session = session
        self.message_id = message_id
        self.durable = False
        self.origin = origins.RULE if session is None else origins.APP if session.side else origins.DEVICE

    @property
    def moment(self) -> int:
        """Now, as the moment of a write (:mod:`vpin_state.origins`)."""
        return origins.moment(self.origin, self.now)

    # -- answers to the sender

    def reply(self, status: int) -> None:
        """Answer the message with a response."""
        assert self.session is not None
        self.respond(self.session, self.message_id, status)

    def answer(self, command: int, body: bytes) -> None:
        """Answer the message with a frame of its own id that carries data; 0 stays 0, the client has chosen it."""
        assert self.session is not None
        if self.session.side:
            self.sends.append((self.session, _app(command, self.message_id, len(body)) + body))
        elif len(body) <= HARDWARE_MAX_BODY:
            self.sends.append((self.session, _hardware(command, self.message_id, len(body)) + body))

    # -- frames to anybody

    def respond(self, session: Session, message_id: int, status: int) -> None:
        header = _hardware if session.side == 0 else _app
        self.sends.append((session, header(Command.RESPONSE, message_id, status)))

    def send(self, session: Session, command: int, message_id: int, body: bytes) -> None:
        """Send a frame in the session's framing. Towards boards id 0 becomes 1 (spec 01, 1.1).

        A value that is longer than a frame to a board carries (an app may have written it) is not sent to one.
        """
        if session.side:
            self.sends.append((session, _app(command, message_id, len(body)) + body))
        elif len(body) <= HARDWARE_MAX_BODY:
            self.sends.append((session, _hardware(command, message_id or 1, len(body)) + body))

    def to_apps(
        self, dash: Dashboard, command: int, message_id: int, body: bytes, *, but: Session | None = None
    ) -> None:
        """Send to every app session that hears of the dashboard, shared ones included, but not to `but`."""
        if dash.id == NO_PROJECT:
            return
        for app in dash.account.apps:
            if app is not but and app.hears(dash):
                self.send(app, command, message_id, body)

    def to_device(
        self,
        device: Device,
        message_id: int,
        body: bytes,
        *,
        command: int = Command.HARDWARE,
        but: Session | None = None,
    ) -> bool:
        """Send to each connection of a device; False when none took it (none is there, or the body is over its buffer).

        One by MQTT is sent nothing and counts as one that took it (spec 01, 9).
        """
        fits = len(body) <= device.body_limit
        taken = False
        for session in device.sessions:
            if session is not but and (fits or session.mqtt):
                if not session.mqtt:
                    self.send(session, command, message_id, body)
                taken = True
        return taken

    # -- the rest

    def close(self, session: Session) -> None:
        """Close the client's connection once what is queued for it is written."""
        session.closing = True
        self.entries.append((session, down_entry(Down.CLOSE, session.id)))

    def take_over(self, session: Session) -> None:
        """Close an MQTT connection since another has come in its place. What is on its way from it still counts: its will."""
        self.entries.append((session, down_entry(Down.CLOSE, session.id, SESSION_TAKEN_OVER)))

    def idle(self, session: Session, seconds: int) -> None:
        """Give the connection a new idle time-out, 0 for none; what is longer than an entry can say is cut to that."""
        told = min(seconds, LONGEST_IDLE).to_bytes(4, "big")
        self.entries.append((session, down_entry(Down.IDLE, session.id, told)))

    def notify(self, job: Job) -> None:
        """Hand a notification job to notify: stored with this commit, published after it."""
        self.jobs.append(job)

    def emit(self, key: str, body: bytes) -> None:
        """Publish a domain event (JSON) under a routing key such as ``device.online``."""
        self.events.append((key, body))

    def schedule(self, at: int, account: Account, action: Callable[[Effects], None]) -> None:
        """Run `action` at `at` (ms since 1970) on the owner, as a handler of its own."""
        self.scheduled.append((at, account, action))

    def ask(self, question: Question, then: Callable[[Effects, Any], None]) -> None:
        """Go on with `then` once something outside the account is known: what it raises and answers counts for the message."""
        self.questions.append((question, then))

    def tell(self, connection: Connection, status: int) -> None:
        """Answer a client that is not logged in."""
        self.told.append((connection, status))

    def when_delivered(self, connection: Connection, then: Callable[[Effects, int], None]) -> None:
        """Go on with `then` (given a status) when the outcome of the job is known whose `answer` names the connection."""
        self.outcomes.append((connection, then))

    def after_commit(self) -> None:
        """Release what this handler sends only after the commit, whatever it changed (e.g. an HTTP write of a value)."""
        self.durable = True


Handler = Callable[[Effects, "Session", int, bytes], None]
