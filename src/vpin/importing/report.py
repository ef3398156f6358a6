"""What an import took and what not, for people and for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Result(StrEnum):
    """What became of one account."""

    TAKEN = "taken"
    REPLACED = "replaced"
    FINISHED = "finished"  # an earlier run was interrupted
    ALREADY = "already there"  # taken over by an earlier run
    KEPT = "left alone"  # vpin has such an account
    LEFT_OUT = "left out"  # cannot be read


class Outcome(NamedTuple):
    account: str
    result: Result
    source: str  # file name
    reason: str = ""


class Finding(NamedTuple):
    """Something that was not taken as it is."""

    account: str
    kind: str  # "profile", "field", "widget type", "token", "value", "history", "file"
    where: str
    reason: str
    times: int = 1


class Notes:
    """Findings of one account while it is read, equal ones counted."""

    def __init__(self, account: str = "") -> None:
        self.account = account
        self._found: Counter[tuple[str, str, str]] = Counter()

    def add(self, kind: str, where: str, reason: str, times: int = 1) -> None:
        self._found[kind, where, reason] += times

    @property
    def findings(self) -> list[Finding]:
        return [Finding(self.account, *key, times) for key, times in self._found.items()]


@dataclass(slots=True)
class Report:
    """Grows while an import goes on."""

    folder: str
    dry_run: bool
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    findings: list[Finding] = field(default_factory=list[Finding])
    counts: Counter[str] = field(default_factory=Counter[str])  # rows by kind: dashboards, widgets, devices, …
    unread: int = 0  # accounts with history that could not be read; another run tries again
    broken_off: str = ""  # why, if not everything was done
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def of(self, *results: Result) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.result in results]

    @property
    def changed(self) -> int:
        """Accounts that were (or would be) written."""
        return len(self.of(Result.TAKEN, Result.REPLACED, Result.FINISHED))

    @property
    def is_idle(self) -> bool:
        """There is (or was) nothing to write."""
        return self.changed == 0 and self.counts["clones"] == 0

    @property
    def complete(self) -> bool:
        """Every account of the folder is in vpin as it is in the folder."""
        return not self.of(Result.LEFT_OUT, Result.KEPT) and not self.unread and not self.broken_off

    def as_json(self) -> dict[str, Any]:
        return {
            "folder": _unicode(self.folder),
            "dryRun": self.dry_run,
            "complete": self.complete,
            "brokenOff": self.broken_off,
            "seconds": round(self.seconds, 3),
            "cpuSeconds": round(self.cpu_seconds, 3),
            "accounts": {result.value: len(self.of(result)) for result in Result},
            "rows": dict(sorted(self.counts.items())),
            "outcomes": [_fields(outcome) | {"result": outcome.result.value} for outcome in self.outcomes],
            "findings": [_fields(finding) for finding in self.findings],
        }


def _fields(row: Outcome | Finding) -> dict[str, Any]:
    return {name: _unicode(value) if isinstance(value, str) else value for name, value in row._asdict().items()}


def _unicode(text: str) -> str:
    """Names of files need not be UTF-8."""
    return text.encode(errors="replace").decode()
