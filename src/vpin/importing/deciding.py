"""What an import does with each account: take it, finish it, replace it, or leave vpin's alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from vpin.importing.mark import KIND, Mark, trace
from vpin.importing.profiles import Profile, build
from vpin.importing.report import Outcome, Result

if TYPE_CHECKING:
    from vpin_state.model import Account
    from vpin_store import Store
    from vpin_store.rows import AccountRow, TokenRow


@dataclass(slots=True, eq=False)
class Item:
    """One account on its way."""

    profile: Profile
    account: Account
    result: Result
    mark: Mark
    password: asyncio.Future[str] | None = None
    unread: bool = False  # some of its history could not be read: the next run tries again

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.profile.name, self.result, self.profile.source.name)


class Known(NamedTuple):
    """What the store has of the accounts of one batch."""

    accounts: dict[tuple[str, str], AccountRow]
    marks: dict[int, Mark]
    tokens: dict[str, TokenRow]
    unused: set[int]
    """Accounts that somebody made and nobody ever used: an administrator's of the first start, say."""


async def look_up(store: Store | None, profiles: list[Profile], *, alone: bool) -> Known:
    """Ask for the accounts and tokens of profiles. `alone`: no service runs that might be using an account just now."""
    if store is None or not profiles:
        return Known({}, {}, {}, set())
    rows = await store.find_accounts(sorted({profile.key[0] for profile in profiles}))
    wanted = {token for profile in profiles for token in profile.tokens()}
    wanted |= {Mark.token(row.id) for row in rows} | {trace(*profile.key).token for profile in profiles}
    found = await store.tokens.find(sorted(wanted))
    marks = {row.account_id: Mark.of(row) for row in found.values() if row.kind == KIND and row.body}
    fresh = [row.id for row in rows if alone and not row.last_login_at and row.id not in marks]
    unused = {
        rows.account.id
        for rows in (await store.load_accounts(fresh) if fresh else {}).values()
        if not (rows.dashboards or rows.templates or rows.tokens)
    }
    accounts = {(row.email, row.app_name): row for row in rows}
    return Known(accounts, {key: mark for key, mark in marks.items() if mark}, found, unused)


class Decisions:
    """Of one run: what was decided for an account binds those after it (a token is given once)."""

    def __init__(self, now: int, *, overwrite: bool, has_history: Callable[[Profile], bool]) -> None:
        self._now = now
        self._overwrite = overwrite
        self._has_history = has_history
        self._tokens: dict[str, tuple[str, str]] = {}  # of this run, and whose they are

    def decide(self, profile: Profile, known: Known) -> Item | Outcome:
        """The account to be written, or why it is not."""
        row = known.accounts.get(profile.key)
        mark = known.marks.get(row.id) if row else None
        if row is None and trace(*profile.key).token in known.tokens and not self._overwrite:
            reason = "taken over before, and deleted in vpin since then (--overwrite takes it once more)"
            return Outcome(profile.name, Result.KEPT, profile.source.name, reason)
        if row is None:
            result = Result.TAKEN
        elif mark is not None and mark.pending:
            result = Result.FINISHED
        elif self._overwrite or row.id in known.unused:
            result = Result.REPLACED
        else:
            return _left_alone(profile, mark)
        account = build(profile, lambda token: self._is_taken(token, profile, row, known))
        for token in profile.tokens():
            self._tokens.setdefault(token, profile.key)
        if row is not None:
            self._take_over(account, row, profile, is_unused=row.id in known.unused)
        if mark is None or result is not Result.FINISHED:
            pending = ["history"] if self._has_history(profile) else []
            mark = Mark(profile.digest, self._now, [*pending, "password"] if row is not None else pending)
        return Item(profile, account, result, mark)

    def _is_taken(self, token: str, profile: Profile, row: AccountRow | None, known: Known) -> bool:
        other = known.tokens.get(token)
        stored = other is not None and (row is None or other.account_id != row.id)
        return stored or self._tokens.get(token, profile.key) != profile.key

    def _take_over(self, account: Account, row: AccountRow, profile: Profile, *, is_unused: bool) -> None:
        """The account gets the place of vpin's own."""
        account.id = row.id
        account.row = account.row._replace(id=row.id, created_at=row.created_at, time_zone=row.time_zone)
        if is_unused:
            account.row = account.row._replace(is_super_admin=account.row.is_super_admin or row.is_super_admin)
            notice = "vpin had an account of that e-mail that nobody had used: it was replaced, its password too"
            profile.notes.add("profile", profile.source.name, notice)


def _left_alone(profile: Profile, mark: Mark | None) -> Outcome:
    """vpin has the account: it is not touched."""
    if mark is not None and mark.digest == profile.digest:
        result, reason = Result.ALREADY, ""
    elif mark is not None:
        result = Result.KEPT
        reason = "taken over before; its file has changed since then (--overwrite replaces the account in vpin)"
    else:
        result, reason = Result.KEPT, "vpin has an account of that e-mail (--overwrite replaces it)"
    return Outcome(profile.name, result, profile.source.name, reason)
