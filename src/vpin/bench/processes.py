"""Processor time and memory of the server's processes, from /proc: a process together with all its descendants."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from vpin.bench.client import BenchError

_TICK = 1.0 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Named processes, as ``--pid name=pid`` gives them."""

    def __init__(self, pids: dict[str, int]) -> None:
        self.pids = pids

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Watch:
        pids: dict[str, int] = {}
        for text in texts:
            name, _, pid = text.partition("=")
            if not name or not pid.isdecimal():
                raise BenchError(f"{text!r}: give name=pid")
            pids[name] = int(pid)
        return cls(pids)

    def cpu_seconds(self) -> dict[str, float]:
        """User and system time so far."""
        table = _processes()
        return {name: sum(table[p].cpu for p in _tree(table, name, pid)) for name, pid in self.pids.items()}

    def resident_bytes(self) -> dict[str, int]:
        table = _processes()
        return {name: sum(table[p].resident for p in _tree(table, name, pid)) for name, pid in self.pids.items()}


class _Process:
    __slots__ = ("cpu", "parent", "resident")

    def __init__(self, stat: str) -> None:
        fields = stat.rpartition(")")[2].split()
        self.parent = int(fields[1])
        self.cpu = sum(int(f) for f in fields[11:15]) * _TICK  # its own and that of children that have ended
        self.resident = int(fields[21]) * _PAGE


def _processes() -> dict[int, _Process]:
    table: dict[int, _Process] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                table[int(folder.name)] = _Process((folder / "stat").read_text())
            except OSError:  # it ended meanwhile
                continue
    return table


def _tree(table: dict[int, _Process], name: str, pid: int) -> list[int]:
    if pid not in table:
        raise BenchError(f"process {name} ({pid}) is gone")
    tree = [pid]
    for member in tree:
        tree += [child for child, process in table.items() if process.parent == member]
    return tree
