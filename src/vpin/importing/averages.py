"""What lies beside the profiles: averages of pins, cloned projects, and what is left over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vpin_state.errors import Refused
from vpin_store.rows import Changes, Rollup, StreamKey, TokenRow

from vpin.importing.history import read_rollups
from vpin.importing.profiles import Profile, read_clone
from vpin.importing.report import Finding, Report

if TYPE_CHECKING:
    from vpin_store import Store
    from vpin_store.history import Step

    from vpin.importing.deciding import Item
    from vpin.importing.folder import Folder, HistoryFile

ROWS = 10_000  # rollups handed to the store at a time
CLONES = 100
LAST_PIN = 255


class Averages:
    """Takes them for the accounts that the import stores. Without `write` it counts what it would take."""

    def __init__(self, folder: Folder, store: Store | None, report: Report, *, write: bool) -> None:
        self._folder = folder
        self._store = store
        self._report = report
        self._write = write
        self._expected: set[str | None] = set()

    def expect(self, email: str, app_name: str) -> None:
        """An account of the folder: its averages are no leftovers, whether they are taken or not."""
        self._expected.add(self._folder.history_name(email, app_name))

    def has(self, profile: Profile) -> bool:
        """There are averages of the account."""
        return self._name(profile) is not None

    async def take(self, items: list[Item]) -> None:
        """Store the averages of accounts that are stored and wait for them. Doing so twice changes nothing."""
        rows: dict[Step, list[tuple[StreamKey, Rollup]]] = {}
        for item in items:
            for file in self._usable(item) if "history" in item.mark.pending else ():
                rollups = self._read(item, file)
                stream = StreamKey(item.account.id, file.dash_id, file.device_id, file.kind, file.pin)
                part = rows.setdefault(file.step, [])
                part += [(stream, rollup) for rollup in rollups]
                if len(part) >= ROWS:
                    await self._add(file.step, rows.pop(file.step))
            self._report.unread += item.unread
        for step, part in rows.items():
            await self._add(step, part)

    async def _add(self, step: Step, rows: list[tuple[StreamKey, Rollup]]) -> None:
        self._report.counts["points"] += len(rows)
        if self._store is not None and self._write:
            await self._store.history.add_rollups(step, rows)

    def _usable(self, item: Item) -> Iterable[HistoryFile]:
        """Files of pins of devices that the account has; the notes of the profile tell of the others."""
        notes = item.profile.notes
        name = self._name(item.profile)
        try:
            files, others = self._folder.history(name)
        except OSError as error:
            notes.add("history", f"data/{name}", f"cannot be read: {error.strerror}")
            item.unread = True
            return
        for path in others:
            notes.add("history", path.name, "no file of averages that vpin knows")
        for file in files:
            dash = item.account.dashboards.get(file.dash_id)
            if dash is not None and file.device_id in dash.devices and file.pin <= LAST_PIN:
                yield file
            else:
                notes.add("history", "averages", "of devices that are gone")

    def _read(self, item: Item, file: HistoryFile) -> list[Rollup]:
        notes, name = item.profile.notes, file.path.name
        try:
            rollups, bad = read_rollups(file.path, file.step)
        except OSError as error:
            notes.add("history", name, f"cannot be read: {error.strerror}")
            item.unread = True
            return []
        if bad:
            notes.add("history", name, "records that cannot be read", bad)
        return rollups

    def _name(self, profile: Profile) -> str | None:
        return self._folder.history_name(profile.spelled, profile.row.app_name)

    # -- what is nobody's

    async def take_clones(self) -> None:
        """Codes of cloned projects; one that vpin knows already stays as it is."""
        for start in range(0, len(self._folder.clones), CLONES):
            rows: list[TokenRow] = []
            for path in self._folder.clones[start : start + CLONES]:
                try:
                    rows.append(read_clone(path.name, path.read_bytes()))
                except (Refused, OSError):
                    self._report.findings.append(Finding("", "file", f"clone/{path.name[:4]}…", "cannot be read"))
            if self._store is not None:
                known = await self._store.tokens.find([row.token for row in rows])
                rows = [row for row in rows if row.token not in known]
                if self._write:
                    await self._store.commit(Changes(tokens=rows))
            self._report.counts["clones"] += len(rows)

    def tell_leftovers(self) -> None:
        """Note what the folder has and nobody takes."""
        tell = self._report.findings.append
        for name in sorted(self._folder.histories.keys() - self._expected):
            tell(Finding("", "history", f"data/{name}", "averages of no account of this folder"))
        if self._folder.unfinished:
            where, times = "data/*_temp.bin", len(self._folder.unfinished)
            tell(Finding("", "file", where, "unfinished averages and open password resets are not taken", times))
        for name, newest in self._folder.lost.items():
            if self._folder.was_deleted(name):
                tell(Finding("", "file", f"backup/{name}.…", "a backup of an account that was deleted: not taken"))
            else:
                reason = f"there are only backups of it; to take the newest, copy {newest.name} to {name}"
                tell(Finding("", "profile", name, reason))
