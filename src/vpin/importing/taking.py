"""One run over a folder: profiles are read in batches, decided on, and stored while the next batch is read."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vpin_store.passwords import hash_password, hash_password_quickly, is_hash

from vpin.importing.averages import Averages
from vpin.importing.deciding import Decisions, Item, look_up
from vpin.importing.profiles import Profile, read_profile
from vpin.importing.reading import UnreadableError, modified_at
from vpin.importing.report import Outcome, Report, Result
from vpin.importing.storing import foretell_batch, store_batch

if TYPE_CHECKING:
    from vpin_state.model import Account
    from vpin_store import Store

    from vpin.importing.folder import Folder, ProfileFile

BATCH = 25  # accounts in one transaction
IN_FLIGHT = 2  # batches that are being stored while the next one is read
FULL_COST = 100  # up to so many accounts their passwords get hashes of full cost at once: 22 ms each


class Import:
    """One run over a folder. `store` None: a dry run for a database that is not there yet.

    `alone`: no service works with the database, so accounts that nobody ever used may be replaced. `store_ip`: addresses of
    apps and boards are kept.
    """

    def __init__(
        self,
        folder: Folder,
        store: Store | None,
        *,
        initial_energy: int,
        write: bool,
        overwrite: bool = False,
        alone: bool = False,
        store_ip: bool = True,
        report: Report | None = None,
        on_progress: Callable[[int], None] = lambda accounts: None,
    ) -> None:
        self.report = report or Report(str(folder.path), dry_run=not write)
        self._folder = folder
        self._store = store
        self._energy = initial_energy
        self._write = write
        self._alone = alone
        self._store_ip = store_ip
        self._on_progress = on_progress
        self._averages = Averages(folder, store, self.report, write=write)
        self._decisions = Decisions(time.time_ns() // 1_000_000, overwrite=overwrite, has_history=self._averages.has)
        self._hash = hash_password if len(folder.profiles) <= FULL_COST else hash_password_quickly
        self._seen: dict[tuple[str, str], Profile] = {}

    async def run(self) -> Report:
        """Take everything. StoreUnavailable: what was stored until then is stored, and another run goes on."""
        started, cpu = time.monotonic(), time.process_time()
        try:
            with _rare_collections():
                await self._take_accounts()
            await self._averages.take_clones()
        except ExceptionGroup as group:  # of one batch, or of two that were being stored
            raise group.exceptions[0] from None
        finally:
            self.report.seconds, self.report.cpu_seconds = time.monotonic() - started, time.process_time() - cpu
        for path in self._folder.strange:
            reason = "is a folder, or a link that leads nowhere"
            self.report.outcomes.append(Outcome(path.name, Result.LEFT_OUT, path.name, reason))
        self._averages.tell_leftovers()
        return self.report

    async def _take_accounts(self) -> None:
        room = asyncio.Semaphore(IN_FLIGHT)
        in_order = _in_order(self._folder.profiles)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            async with asyncio.TaskGroup() as group:
                for start in range(0, len(in_order), BATCH):
                    files = in_order[start : start + BATCH]
                    items = await self._prepare(files, threads)
                    await room.acquire()
                    group.create_task(self._finish(items, len(files), room))

    async def _prepare(self, files: Sequence[ProfileFile], threads: ThreadPoolExecutor) -> list[Item]:
        """The accounts of some files that are to be written, their passwords on the way to be hashed."""
        profiles = [profile for file in files if (profile := self._read(file)) is not None]
        known = await look_up(self._store, profiles, alone=self._alone)
        items: list[Item] = []
        loop = asyncio.get_running_loop()
        for profile in profiles:
            self._averages.expect(profile.spelled, profile.row.app_name)
            item = self._decisions.decide(profile, known)
            if isinstance(item, Outcome):
                self.report.outcomes.append(item)
                continue
            items.append(item)
            if not self._store_ip:
                _forget_addresses(item.account)
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
        other = self._seen.setdefault(profile.key, profile)
        if other is profile:
            return profile
        if file.is_old or other.digest == profile.digest:
            profile.notes.add("file", file.path.name, f"the same account as {other.source.name}: not taken")
            self.report.findings += profile.notes.findings
        else:
            reason = f"{other.source.name} is the same account, and newer"
            self.report.outcomes.append(Outcome(profile.name, Result.LEFT_OUT, file.path.name, reason))
        return None

    def _leave(self, name: str, file: ProfileFile, reason: str) -> None:
        self._averages.expect(*file.named)
        self.report.outcomes.append(Outcome(name, Result.LEFT_OUT, file.path.name, reason))

    def _password(self, text: str) -> str:
        """The hash that is kept; what `vpin export` has written is that already."""
        return text if is_hash(text) else self._hash(text)

    async def _finish(self, items: list[Item], files: int, room: asyncio.Semaphore) -> None:
        try:
            if items and self._store and self._write:
                items = await store_batch(self._store, items, self._averages, self.report)
            else:
                await foretell_batch(items, self._averages, self.report)
            for item in items:
                self.report.outcomes.append(item.outcome)
                self.report.findings += item.profile.notes.findings
            self._on_progress(files)
        finally:
            room.release()


def _forget_addresses(account: Account) -> None:
    """Last IP addresses of the user and the boards (spec 03, 3)."""
    account.row = account.row._replace(last_login_ip="")
    for dash in account.dashboards.values():
        for device in dash.devices.values():
            device.last_logged_ip = ""


def _in_order(files: Sequence[ProfileFile]) -> list[ProfileFile]:
    """As they are, but of files whose names differ in case only the one that was changed last comes first."""
    alike: defaultdict[str, list[ProfileFile]] = defaultdict(list)
    for file in files:
        alike[file.path.name.lower()].append(file)
    later = {
        file.path: place
        for group in alike.values()
        if len(group) > 1
        for place, file in enumerate(sorted(group, key=lambda file: -modified_at(file.path)))
    }
    return sorted(files, key=lambda file: (file.is_old, later.get(file.path, 0)))


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Accounts are thousands of objects that all live until they are stored: looking for garbage among them costs a sixth."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
