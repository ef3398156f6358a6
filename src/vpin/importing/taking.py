"""From the files into the store: batches of accounts, each one transaction.

Each account is marked (:mod:`.mark`) in its transaction: an import that was killed goes on, a finished one does nothing again.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

from vpin_state.collect import collect
from vpin_store import Conflict
from vpin_store.passwords import hash_password, hash_password_quickly, is_hash
from vpin_store.rows import Changes

from vpin.importing.averages import Averages
from vpin.importing.mark import KIND, Mark
from vpin.importing.profiles import Profile, UnreadableError, build, read_profile
from vpin.importing.report import Outcome, Report, Result

if TYPE_CHECKING:
    from vpin_state.model import Account
    from vpin_store import Store
    from vpin_store.rows import AccountRow, TokenRow

    from vpin.importing.folder import Folder, ProfileFile

BATCH = 25  # accounts in one transaction
IN_FLIGHT = 2  # batches that are being stored while the next one is read
FULL_COST = 100  # up to so many accounts their passwords get hashes of full cost at once: 27 ms each
_LISTS = tuple(f.name for f in fields(Changes) if isinstance(getattr(Changes(), f.name), list))
_COUNTED = ("dashboards", "widgets", "devices", "values", "properties")


@dataclass(slots=True, eq=False)
class Item:
    """One account on its way."""

    profile: Profile
    account: Account
    result: Result
    mark: Mark
    password: asyncio.Future[str] | None = None

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.profile.name, self.result, self.profile.source.name)


class Known(NamedTuple):
    """What the store has of the accounts of one batch."""

    accounts: dict[tuple[str, str], AccountRow]
    marks: dict[int, Mark]
    tokens: dict[str, TokenRow]


class Import:
    """One run over a folder. `store` None: a dry run for a database that is not there yet."""

    def __init__(
        self,
        folder: Folder,
        store: Store | None,
        *,
        initial_energy: int,
        write: bool,
        overwrite: bool = False,
        on_progress: Callable[[int], None] = lambda accounts: None,
    ) -> None:
        self.report = Report(str(folder.path), dry_run=not write)
        self._folder = folder
        self._store = store
        self._energy = initial_energy
        self._write = write
        self._overwrite = overwrite
        self._on_progress = on_progress
        self._averages = Averages(folder, store if write else None, self.report)
        self._hash = hash_password if len(folder.profiles) <= FULL_COST else hash_password_quickly
        self._tokens: dict[str, tuple[str, str]] = {}  # of this run, and whose they are
        self._seen: set[tuple[str, str]] = set()
        self._now = time.time_ns() // 1_000_000

    async def run(self) -> Report:
        """Take everything. StoreUnavailable: what was stored until then is stored, and another run goes on."""
        started, cpu = time.monotonic(), time.process_time()
        try:
            with _rare_collections():
                await self._take_accounts()
        except ExceptionGroup as group:  # of one batch, or of two that were being stored
            raise group.exceptions[0] from None
        await self._averages.take_clones()
        self._averages.tell_leftovers()
        self.report.seconds, self.report.cpu_seconds = time.monotonic() - started, time.process_time() - cpu
        return self.report

    async def _take_accounts(self) -> None:
        room = asyncio.Semaphore(IN_FLIGHT)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            async with asyncio.TaskGroup() as group:
                for start in range(0, len(self._folder.profiles), BATCH):
                    files = self._folder.profiles[start : start + BATCH]
                    items = await self._prepare(files, threads)
                    await room.acquire()
                    group.create_task(self._finish(items, len(files), room))

    # -- reading

    async def _prepare(self, files: list[ProfileFile], threads: ThreadPoolExecutor) -> list[Item]:
        """The accounts of some files that are to be written, their passwords on the way to be hashed."""
        profiles = [profile for file in files if (profile := self._read(file)) is not None]
        known = await self._look_up(profiles)
        items: list[Item] = []
        loop = asyncio.get_running_loop()
        for profile in profiles:
            self._averages.expect(*profile.key)
            item = self._decide(profile, known)
            if item is None:
                continue
            items.append(item)
            if self._write and profile.app_hash:
                item.password = loop.run_in_executor(threads, self._password, profile.app_hash)
            await asyncio.sleep(0)  # the batch before this one is being stored
        fresh = [item for item in items if item.account.id == 0]
        if self._write and self._store and fresh:
            for item, account_id in zip(fresh, await self._store.reserve_accounts(len(fresh)), strict=True):
                item.account.id = account_id
        return items

    def _read(self, file: ProfileFile) -> Profile | None:
        try:
            profile = read_profile(file, self._energy)
        except UnreadableError as error:
            self._leave(file.email or file.path.name, file, str(error))
            return None
        except OSError as error:
            self._leave(file.email or file.path.name, file, f"cannot be read: {error.strerror}")
            return None
        if profile.key in self._seen:
            profile.notes.add("file", file.path.name, "an older file of the same account: not taken")
            self.report.findings += profile.notes.findings
            return None
        self._seen.add(profile.key)
        return profile

    def _leave(self, name: str, file: ProfileFile, reason: str) -> None:
        self._averages.expect(*file.named)
        self.report.outcomes.append(Outcome(name, Result.LEFT_OUT, file.path.name, reason))

    def _password(self, text: str) -> str:
        """The hash that is kept; what `vpin export` has written is that already."""
        return text if is_hash(text) else self._hash(text)

    async def _look_up(self, profiles: list[Profile]) -> Known:
        if self._store is None or not profiles:
            return Known({}, {}, {})
        rows = await self._store.find_accounts(sorted({profile.key[0] for profile in profiles}))
        accounts = {(row.email, row.app_name): row for row in rows}
        wanted = {token for profile in profiles for token in profile.tokens()}
        wanted |= {Mark.token(row.id) for row in rows}
        found = await self._store.tokens.find(sorted(wanted))
        marks = {row.account_id: Mark.of(row) for row in found.values() if row.kind == KIND}
        return Known(accounts, {key: mark for key, mark in marks.items() if mark}, found)

    def _decide(self, profile: Profile, known: Known) -> Item | None:
        """What to do with an account; None: nothing."""
        row = known.accounts.get(profile.key)
        mark = known.marks.get(row.id) if row else None
        if row is None:
            result = Result.TAKEN
        elif mark is not None and mark.pending:
            result = Result.FINISHED
        elif self._overwrite:
            result = Result.REPLACED
        else:
            self._pass_over(profile, mark)
            return None
        account_id = row.id if row else 0

        def is_taken(token: str) -> bool:
            other = known.tokens.get(token)
            stored = other is not None and other.account_id != account_id
            return stored or self._tokens.get(token, profile.key) != profile.key

        account = build(profile, is_taken)
        for token in profile.tokens():
            self._tokens.setdefault(token, profile.key)
        account.id = account_id
        if row is not None:
            account.row = account.row._replace(id=row.id, created_at=row.created_at, time_zone=row.time_zone)
        if mark is None or result is not Result.FINISHED:
            pending = ["history"] if self._averages.has(*profile.key) else []
            mark = Mark(profile.digest, self._now, [*pending, "password"] if row is not None else pending)
        return Item(profile, account, result, mark)

    def _pass_over(self, profile: Profile, mark: Mark | None) -> None:
        """vpin has the account: it is not touched."""
        if mark is not None and mark.digest == profile.digest:
            result, reason = Result.ALREADY, ""
        elif mark is not None:
            result = Result.KEPT
            reason = "taken over before; its file has changed since then (--overwrite replaces the account in vpin)"
        else:
            result, reason = Result.KEPT, "vpin has an account of that e-mail (--overwrite replaces it)"
        self.report.outcomes.append(Outcome(profile.name, result, profile.source.name, reason))

    # -- storing

    async def _finish(self, items: list[Item], files: int, room: asyncio.Semaphore) -> None:
        try:
            if items and self._store and self._write:
                items = await self._store_batch(self._store, items)
            else:
                for item in items:
                    self._count(rows_of(item))
                    self._averages.count(item.profile, item.account)
            for item in items:
                self.report.outcomes.append(item.outcome)
                self.report.findings += item.profile.notes.findings
            self._on_progress(files)
        finally:
            room.release()

    async def _store_batch(self, store: Store, items: list[Item]) -> list[Item]:
        """Store accounts, then their averages; those that were stored."""
        for item in items:
            if item.password is not None:
                item.account.row = item.account.row._replace(password_hash=await item.password)
            item.account.row = item.account.row._replace(id=item.account.id)
        parts = [(item, rows_of(item)) for item in items if item.result is not Result.FINISHED]
        await self._forget_old(store, [part for part in parts if part[0].result is Result.REPLACED])
        refused = await self._commit(store, parts)
        items = [item for item in items if item not in refused]
        for item in items:
            if "password" in item.mark.pending:
                await store.set_password(item.account.id, item.account.row.password_hash)
        await self._averages.take([item for item in items if "history" in item.mark.pending])
        done = [item for item in items if item.mark.pending]
        for item in done:
            item.mark.pending = []
        await store.commit(Changes(tokens=[item.mark.row(item.account.id) for item in done]))
        return items

    async def _commit(self, store: Store, parts: list[tuple[Item, Changes]]) -> list[Item]:
        """All in one transaction, or, when an account was made in vpin meanwhile, each in one. Those refused."""
        try:
            await store.commit(_merged(changes for _, changes in parts))
        except Conflict:
            if len(parts) == 1:
                item = parts[0][0]
                reason = "vpin has got an account of that e-mail while the import was running"
                self.report.outcomes.append(Outcome(item.profile.name, Result.KEPT, item.profile.source.name, reason))
                return [item]
            return [item for part in parts for item in await self._commit(store, [part])]
        for _, changes in parts:
            self._count(changes)
        return []

    async def _forget_old(self, store: Store, parts: list[tuple[Item, Changes]]) -> None:
        """Let the commit delete everything that the accounts to be replaced have in vpin."""
        found = await store.load_accounts([item.account.id for item, _ in parts]) if parts else {}
        for item, changes in parts:
            old = found[item.account.id]
            changes.deleted_dashboards += [(row.account_id, row.id) for row in old.dashboards]
            changes.deleted_tokens += [row.token for row in old.tokens]
            changes.deleted_templates += [(row.account_id, row.id) for row in old.templates]
            changes.deleted_history.append((item.account.id,))

    def _count(self, changes: Changes) -> None:
        for name in _COUNTED:
            self.report.counts[name] += len(getattr(changes, name))
        self.report.counts["tokens"] += sum(row.kind in ("device", "share") for row in changes.tokens)


def rows_of(item: Item) -> Changes:
    """The rows of an account and its mark."""
    changes = Changes(tokens=[item.mark.row(item.account.id)], at=item.mark.at)
    collect(item.account, changes)
    return changes


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Accounts are thousands of objects that all live until they are stored: looking for garbage among them costs a sixth."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _merged(parts: Iterable[Changes]) -> Changes:
    whole = Changes()
    for part in parts:
        whole.at = part.at
        for name in _LISTS:
            getattr(whole, name).extend(getattr(part, name))
    return whole
