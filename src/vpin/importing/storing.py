"""Accounts into the store, a batch in one transaction.

Each account is marked (:mod:`.mark`) in its transaction: an import that was killed goes on, a finished one does nothing again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING

from vpin_state.collect import collect
from vpin_store import Conflict
from vpin_store.rows import Changes

from vpin.importing.deciding import Item
from vpin.importing.mark import trace
from vpin.importing.report import Outcome, Report, Result

if TYPE_CHECKING:
    from vpin_store import Store

    from vpin.importing.averages import Averages

_LISTS = tuple(f.name for f in fields(Changes) if isinstance(getattr(Changes(), f.name), list))
_COUNTED = ("dashboards", "widgets", "devices", "values", "properties")


async def store_batch(store: Store, items: list[Item], averages: Averages, report: Report) -> list[Item]:
    """Store accounts, then their averages; those that were stored."""
    for item in items:
        if item.password is not None:
            item.account.row = item.account.row._replace(password_hash=await item.password)
        item.account.row = item.account.row._replace(id=item.account.id)
    parts = [(item, rows_of(item)) for item in items if item.result is not Result.FINISHED]
    await _forget_old(store, [part for part in parts if part[0].result is Result.REPLACED])
    refused = await _commit(store, parts, report)
    items = [item for item in items if item not in refused]
    for item in items:
        if "password" in item.mark.pending:
            await store.set_password(item.account.id, item.account.row.password_hash)
    await averages.take(items)
    done = [item for item in items if item.mark.pending]
    for item in done:
        item.mark.pending = ["history"] if item.unread else []
    await store.commit(Changes(tokens=[item.mark.row(item.account.id) for item in done]))
    return items


async def foretell_batch(items: list[Item], averages: Averages, report: Report) -> None:
    """Count what :func:`store_batch` would store."""
    for item in items:
        if item.result is not Result.FINISHED:
            _count(rows_of(item), report)
    await averages.take(items)


def rows_of(item: Item) -> Changes:
    """The rows of an account and its mark."""
    changes = Changes(tokens=[item.mark.row(item.account.id), trace(*item.profile.key)], at=item.mark.at)
    collect(item.account, changes)
    return changes


async def _commit(store: Store, parts: list[tuple[Item, Changes]], report: Report) -> list[Item]:
    """All in one transaction, or, when an account was made in vpin meanwhile, each in one. Those refused."""
    try:
        await store.commit(_merged(changes for _, changes in parts))
    except Conflict:
        if len(parts) == 1:
            item = parts[0][0]
            reason = "vpin has got an account of that e-mail while the import was running"
            report.outcomes.append(Outcome(item.profile.name, Result.KEPT, item.profile.source.name, reason))
            return [item]
        return [item for part in parts for item in await _commit(store, [part], report)]
    for _, changes in parts:
        _count(changes, report)
    return []


async def _forget_old(store: Store, parts: list[tuple[Item, Changes]]) -> None:
    """Let the commit delete everything that the accounts to be replaced have in vpin."""
    found = await store.load_accounts([item.account.id for item, _ in parts]) if parts else {}
    for item, changes in parts:
        old = found[item.account.id]
        changes.deleted_dashboards += [(row.account_id, row.id) for row in old.dashboards]
        changes.deleted_tokens += [row.token for row in old.tokens]
        changes.deleted_templates += [(row.account_id, row.id) for row in old.templates]
        changes.deleted_history.append((item.account.id,))


def _count(changes: Changes, report: Report) -> None:
    for name in _COUNTED:
        report.counts[name] += len(getattr(changes, name))
    report.counts["tokens"] += sum(row.kind in ("device", "share") for row in changes.tokens)


def _merged(parts: Iterable[Changes]) -> Changes:
    whole = Changes()
    for part in parts:
        whole.at = part.at
        for name in _LISTS:
            getattr(whole, name).extend(getattr(part, name))
    return whole
