"""An account in memory to try handlers on, with an active dashboard 1, device 0, a session of an app and one of a board."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Sequence
from typing import Any

from vpin_messages.slab import Side
from vpin_messages.tasks import Task
from vpin_protocol import split_app, split_hardware
from vpin_state import dispatch, registry
from vpin_state.collect import collect
from vpin_state.config import Config
from vpin_state.device import Device
from vpin_state.effects import Effects
from vpin_state.model import Account, Dashboard
from vpin_state.questions import (
    ClaimToken,
    DashboardOf,
    FindToken,
    GraphData,
    HandOver,
    OpenEvents,
    Pictures,
    Question,
    Recorded,
    RecordedPins,
    UsersOf,
    graph_data,
)
from vpin_state.session import Instance, Session
from vpin_store.history import History, Step
from vpin_store.rows import AccountRow, Changes, EventRow, Rollup, StreamKey, TokenRow

NOW = 1_700_000_000_000


class Outlet:
    """An outlet that swallows what it is given."""

    backlog = 0

    def add(self, entry: bytes) -> None: ...

    async def drained(self) -> None: ...

    def close(self) -> None: ...


class Past(History):
    """Rollups as the database has them: `record` by hand."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Step, StreamKey], dict[int, Rollup]] = {}

    def record(self, stream: StreamKey, at: int, value: float) -> None:
        """One point, rolled up."""
        for step in Step:
            start = at // step.ms * step.ms
            periods = self.kept.setdefault((step, stream), {})
            _, count, total, least, greatest, _ = periods.get(start, Rollup(start, 0, 0.0, value, value, value))
            periods[start] = Rollup(start, count + 1, total + value, min(least, value), max(greatest, value), value)

    def forget(self, prefix: tuple[int, ...]) -> None:
        self.kept = {key: periods for key, periods in self.kept.items() if key[1][: len(prefix)] != prefix}

    async def streams(self, prefix: Sequence[int]) -> list[StreamKey]:
        return sorted({key for _, key in self.kept if key[: len(prefix)] == tuple(prefix)})

    async def rollups(
        self, stream: StreamKey, step: Step, start: int, end: int, limit: int, skip: int = 0
    ) -> list[Rollup]:
        periods = self.kept.get((step, stream), {})
        found = [periods[at] for at in sorted(periods, reverse=True) if start <= at < end]
        return found[skip : skip + limit][::-1]


class World:
    """`app` and `board` are sessions; `ask` sends a message and returns what came back to its sender."""

    def __init__(self, number: int = 1) -> None:
        """`number`: of the account."""
        email = f"{chr(ord('a') + number - 1)}@example.com"
        row = AccountRow(number, email, "Blynk", email, "", False, False, 100_000, NOW, 0, "", b"{}")
        self.account = Account(row, {}, 0)
        self.account.on_dirty = []
        self.fx = Effects(Config())
        self.fx.now = NOW
        self.instance = Instance(b"g" * 16, Outlet())
        self.events: dict[int, EventRow] = {}  # that are committed
        self.next_session = 1
        self.dash = Dashboard(self.account, 1, {"name": "test", "theme": "Blynk", "color": -1})
        self.dash.active = True
        self.account.dashboards[1] = self.dash
        self.device = self.add_device(0)
        self.app = self.app_session()
        self.board = self.board_session(self.device)
        self.tokens: dict[str, TokenRow] = {}  # what the database knows: fill it by hand, or by `store`
        self.users: dict[str, list[int]] = {}  # accounts by app
        self.published: dict[tuple[int, int], Dashboard] = {}  # dashboards of other accounts
        self.past = Past()
        self.handed_over: list[tuple[int, Task]] = []

    def add_device(self, device_id: int, dash: Dashboard | None = None) -> Device:
        """A device with a token of its own."""
        dash = dash or self.dash
        body = {"boardType": "ESP8266", "isUserIcon": False}
        device = Device(
            dash,
            device_id,
            f"board {device_id}",
            f"{dash.id}-{device_id}-".ljust(31, "t") + f"{self.account.id}",
            body,
            len(dash.devices),
        )
        dash.devices[device_id] = device
        return device

    def app_session(self, shared: Dashboard | None = None) -> Session:
        session = self._session(Side.APP, None)
        if shared is not None:
            session.shared, session.dash = True, shared
        self.account.apps.append(session)
        return session

    def board_session(self, device: Device) -> Session:
        session = self._session(Side.HARDWARE, device)
        device.sessions.append(session)
        return session

    def _session(self, side: Side, device: Device | None) -> Session:
        session = Session(self.instance, self.next_session, side, self.account, device)
        self.instance.sessions[session.id] = session
        self.next_session += 1
        return session

    def send(self, session: Session, command: int, *parts: object, message_id: int = 5) -> None:
        """Handle one message; objects become JSON, the parts are joined by NUL. The effects stay in `fx`."""
        registry.load()
        body = b"\0".join(_part(p) for p in parts)
        dispatch.handle(self.fx, session, command, message_id, body)
        self._answer_questions(session, message_id)

    def perform(self, name: str, *fields: bytes) -> None:
        """Do a task. The effects stay in `fx`."""
        registry.load()
        dispatch.perform(self.fx, self.account, 0, Task(name, list(fields)))
        self._answer_questions(None, 0)

    def _answer_questions(self, session: Session | None, message_id: int) -> None:
        while self.fx.questions:
            question, then = self.fx.questions.pop(0)
            dispatch.proceed(self.fx, self.account, session, message_id, then, self._answer(question))

    def _answer(self, question: Question) -> Any:
        self.store()
        match question:
            case OpenEvents(_, code):
                return [row for row in self.events.values() if row.code == code and not row.resolved_at]
            case GraphData():
                return asyncio.run(graph_data(self.past, question))
            case Recorded(pins, step, start, end):
                found = [pin for pin in pins if asyncio.run(self.past.rollups(pin, step, start, end, 1))]
                return b"k" * 32, frozenset(found)
            case RecordedPins(account_id):
                return asyncio.run(self.past.streams([account_id]))
            case FindToken(token):
                return self.tokens.get(token)
            case ClaimToken(row):
                return self.tokens.setdefault(row.token, row)
            case UsersOf(app_ids):
                return [user for app_id in app_ids for user in self.users.get(app_id, ())]
            case DashboardOf(account_id, dash_id):
                return self.published.get((account_id, dash_id))
            case HandOver(tasks):
                self.handed_over += tasks
                return None
            case Pictures(texts):
                return [b"picture of " + text.encode() for text in texts]

    def store(self) -> None:
        """The tokens and events of the account go into the database."""
        changes = Changes()
        collect(self.account, changes)
        assert len({row.id for row in changes.events}) == len(changes.events), "an upsert takes a key once"
        self.events |= {row.id: row for row in changes.events}
        for prefix in changes.deleted_history:
            self.past.forget(prefix)
        for token in changes.deleted_tokens:
            self.tokens.pop(token, None)
        self.tokens |= {row.token: row for row in changes.tokens}

    def sent_to(self, session: Session) -> list[tuple[int, int, Any]]:
        """Take what was sent to a session: (command, id, body), for responses (0, id, status)."""
        found = [_frame(s, frame) for s, frame in self.fx.sends if s is session]
        self.fx.sends = [(s, frame) for s, frame in self.fx.sends if s is not session]
        return found

    def ask(self, session: Session, command: int, *parts: object) -> Any:
        """Status or body (bytes) of the first answer; None when there was none. All other effects are dropped."""
        self.send(session, command, *parts)
        answers = [
            body for number, message_id, body in self.sent_to(session) if message_id == 5 and number in (0, command)
        ]
        self.clear()
        return answers[0] if answers else None

    def app_status(self, command: int, *parts: object) -> Any:
        return self.ask(self.app, command, *parts)

    def json(self, command: int, *parts: object) -> Any:
        """The JSON that answers the app."""
        answer = self.app_status(command, *parts)
        assert isinstance(answer, bytes), f"status {answer}"
        return json.loads(answer)

    def profile(self, *parts: object, session: Session | None = None) -> Any:
        """The answer to load profile."""
        answer = self.ask(session or self.app, 24, *parts)
        assert isinstance(answer, bytes), f"status {answer}"
        return json.loads(zlib.decompress(answer))

    def clear(self) -> None:
        """Forget all effects so far."""
        fx = self.fx
        for effects in (fx.sends, fx.entries, fx.jobs, fx.events, fx.scheduled, fx.told, fx.outcomes):
            effects.clear()

    def closed(self, session: Session) -> bool:
        return session.closing


def _part(part: object) -> bytes:
    if isinstance(part, bytes):
        return part
    return (json.dumps(part) if isinstance(part, (dict, list)) else str(part)).encode()


def _frame(session: Session, frame: bytes) -> tuple[int, int, Any]:
    if frame[0] == 0:
        size = 2 if session.side == Side.HARDWARE else 4
        return 0, int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3 : 3 + size], "big")
    return next((split_hardware if session.side == Side.HARDWARE else split_app)(frame))
