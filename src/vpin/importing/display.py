"""An import on the screen: how far it is, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from vpin.importing.report import Report, Result

if TYPE_CHECKING:
    from rich.console import Console

LISTED = 20
"""Lines of a kind that are shown; the report in a file has all."""
_WOULD = {Result.TAKEN: "new", Result.REPLACED: "to replace", Result.FINISHED: "to finish"}
_FIRST = ("profile", "token")
"""Kinds of findings that are shown before the others: somebody may have to do something."""
_COLOURS = {Result.LEFT_OUT: "red", Result.KEPT: "yellow"}


@contextmanager
def progress(console: Console, total: int, title: str) -> Iterator[Callable[[int], None]]:
    """A bar that is told how many accounts are done; lines when this is no terminal."""
    if not console.is_terminal:
        yield _lines(console, total, title)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TextColumn("accounts"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda accounts: bar.advance(task, accounts)


def _lines(console: Console, total: int, title: str) -> Callable[[int], None]:
    done = told = 0

    def advance(accounts: int) -> None:
        nonlocal done, told
        done += accounts
        if done * 10 // total > told * 10 // total:
            told = done
            console.print(f"{title}: {done:,} of {total:,} accounts", highlight=False)

    return advance


def show(report: Report, console: Console) -> None:
    """The report, its long lists shortened."""
    title = "What would be taken" if report.dry_run else "What was taken"
    table = Table("what", "how many", title=title, title_justify="left")
    for result in Result:
        if count := len(report.of(result)):
            name = _WOULD.get(result, result.value) if report.dry_run else result.value
            table.add_row(f"accounts {name}", f"{count:,}", style=_COLOURS.get(result))
    for name, count in sorted(report.counts.items()):
        table.add_row(name, f"{count:,}")
    console.print(table)
    _show_accounts(report, console)
    _show_findings(report, console)
    if report.unread:
        text = f"{report.unread:,} accounts lack history that could not be read: run it again when it can."
        console.print(text, style="yellow", highlight=False, soft_wrap=True)
    if report.dry_run:
        console.print("Nothing has been written.")
    elif report.is_idle:
        console.print("There was nothing to do: vpin has what can be taken already.")
    else:
        pace = report.changed / max(report.seconds, 0.001)
        console.print(f"{report.changed:,} accounts in {report.seconds:.1f} s ({pace:,.0f}/s).", highlight=False)


def _show_accounts(report: Report, console: Console) -> None:
    missing = report.of(Result.LEFT_OUT, Result.KEPT)
    for outcome in missing[:LISTED]:
        text = f"{outcome.account} {outcome.result.value}: {outcome.reason} ({outcome.source})"
        console.print(_plain(text), style=_COLOURS[outcome.result], highlight=False, soft_wrap=True)
    _more(console, len(missing))


def _show_findings(report: Report, console: Console) -> None:
    """Equal findings of different accounts in one line."""
    times: Counter[tuple[str, str, str]] = Counter()
    accounts: Counter[tuple[str, str, str]] = Counter()
    for finding in report.findings:
        key = finding.kind, finding.where, finding.reason
        times[key] += finding.times
        accounts[key] += 1
    by_weight = sorted(accounts, key=lambda key: (key[0] not in _FIRST, -accounts[key]))
    for key in by_weight[:LISTED]:
        kind, where, reason = key
        count = f"{times[key]:,} × " if times[key] > 1 else ""
        console.print(_plain(f"{kind}: {count}{where}: {reason}"), highlight=False, soft_wrap=True)
    _more(console, len(accounts))


def _plain(text: str) -> str:
    """What users have chosen neither colours nor commands the terminal."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))


def _more(console: Console, count: int) -> None:
    if count > LISTED:
        console.print(f"… and {count - LISTED:,} more: --report FILE has all.", highlight=False)
