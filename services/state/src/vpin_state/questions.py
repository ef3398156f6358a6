"""What handlers may ask that is not in their account: data that says what, and the IO or the heavy work that answers it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vpin_messages import downloads
from vpin_messages.tasks import Task
from vpin_store import StoreUnavailable
from vpin_store.history import Step
from vpin_store.rows import StreamKey, TokenRow

from vpin_state import qr, series
from vpin_state.load import build_account

if TYPE_CHECKING:
    from vpin_store.history import History

    from vpin_state.model import Account, Dashboard
    from vpin_state.owner import Owner


END_OF_TIME = 1 << 62
EVENTS_LOOKED_AT = 1000
"""Newest events of a device among which one that is to be resolved is looked for."""
TASKS_AT_ONCE = 20
"""Tasks on their way to the bus at a time: each may be as large as a project."""


@dataclass(frozen=True, slots=True)
class FindToken:
    """The row of a token, or None."""

    token: str


@dataclass(frozen=True, slots=True)
class ClaimToken:
    """The row under the token of `row`: this one, if there was none."""

    row: TokenRow


@dataclass(frozen=True, slots=True)
class UsersOf:
    """Ids of the accounts of exported apps (list)."""

    app_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DashboardOf:
    """A dashboard of any account as it was last committed, or None. To read: it is a copy."""

    account_id: int
    dash_id: int


@dataclass(frozen=True, slots=True)
class HandOver:
    """Give tasks to the owners of accounts, (account id, task); the answer (None) comes when the bus has them for sure."""

    tasks: tuple[tuple[int, Task], ...]


@dataclass(frozen=True, slots=True)
class Pictures:
    """QR codes of texts as JPEG (list of bytes)."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenEvents:
    """The committed events of a device that have a code and are not resolved, newest first (list of EventRow)."""

    device: tuple[int, int, int]  # account, dashboard, device
    code: str


@dataclass(frozen=True, slots=True)
class GraphData:
    """The answer to a graph question (bytes), or None where no stream has data.

    A stream is pins, each with its last `count` periods that begin before `end` (after `skip` later ones), and the function
    that joins them. Of several pins without a function the first counts.
    """

    dash_id: int
    streams: tuple[tuple[tuple[StreamKey, ...], str], ...]
    step: Step
    end: int
    count: int
    skip: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """(key that signs names of downloads, set of those pins that have a period that begins in ``start <= at < end``)."""

    pins: tuple[StreamKey, ...]
    step: Step
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RecordedPins:
    """All pins of an account that have history (list of StreamKey)."""

    account_id: int


@dataclass(frozen=True, slots=True)
class SetPassword:
    """Store the hash of an account's new password, at once; False: the account or the database is gone."""

    account_id: int
    password_hash: str


Question = (
    OpenEvents
    | GraphData
    | Recorded
    | RecordedPins
    | FindToken
    | ClaimToken
    | UsersOf
    | DashboardOf
    | HandOver
    | Pictures
    | SetPassword
)


async def find_answer(question: Question, owner: Owner) -> Any:
    """StoreUnavailable when the database is away."""
    match question:
        case FindToken(token):
            return (await owner.store.tokens.find([token])).get(token)
        case ClaimToken(row):
            return await owner.store.tokens.claim(row)
        case UsersOf(app_ids):
            return [user for app_id in app_ids for user in await owner.store.users_of(app_id)]
        case DashboardOf(account_id, dash_id):
            return await _dashboard(owner, account_id, dash_id)
        case OpenEvents(device, code):
            rows = await owner.store.events.find(device, 0, END_OF_TIME, "", END_OF_TIME, EVENTS_LOOKED_AT)
            return [row for row in rows if row.code == code and not row.resolved_at]
        case GraphData():
            return await graph_data(owner.store.history, question)
        case Recorded(pins, step, start, end):
            found = [pin for pin in pins if await owner.store.history.rollups(pin, step, start, end, 1)]
            return await owner.store.tokens.key(downloads.KEY), frozenset(found)
        case RecordedPins(account_id):
            return await owner.store.history.streams([account_id])
        case HandOver(tasks):
            for at in range(0, len(tasks), TASKS_AT_ONCE):
                outlets = {owner.hand_over(account_id, task) for account_id, task in tasks[at : at + TASKS_AT_ONCE]}
                await asyncio.gather(*(outlet.drained() for outlet in outlets))
            return None
        case Pictures(texts):
            return await asyncio.to_thread(lambda: [qr.jpeg(text) for text in texts])
        case SetPassword(account_id, password_hash):
            try:
                return await owner.store.set_password(account_id, password_hash)
            except StoreUnavailable:  # no reason to say nothing to who waits
                return False


async def _dashboard(owner: Owner, account_id: int, dash_id: int) -> Dashboard | None:
    rows = (await owner.store.load_accounts([account_id])).get(account_id)
    account: Account | None = build_account(rows, 0) if rows else None
    return account.dashboards.get(dash_id) if account else None


async def graph_data(history: History, asked: GraphData) -> bytes | None:
    """The answer to a graph question."""
    streams: list[tuple[list[series.Points], str]] = []
    for pins, function in asked.streams:
        wanted = pins if function else pins[:1]
        found = [await history.rollups(pin, asked.step, 0, asked.end, asked.count, asked.skip) for pin in wanted]
        streams.append(([series.averages(rollups) for rollups in found], function))

    def work() -> bytes | None:
        joined = [
            series.merge(each, function) if function else [p for s in each for p in s] for each, function in streams
        ]
        return series.pack(asked.dash_id, joined) if any(joined) else None

    return await asyncio.to_thread(work)
