"""A pytest plugin for `run_conformance.py`: runs the cases that a file lists, and writes the outcome of each to another.

Ids go through files as JSON, since some cannot be said on a command line (control characters in parameters).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

WANTED, OUTCOMES = "VPIN_CASES_WANTED", "VPIN_CASES_OUTCOMES"
"""Variables with the names of the two files. No wanted file: all cases."""

_outcomes: dict[str, str] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if name := os.environ.get(WANTED):
        wanted = set(json.loads(Path(name).read_text()))
        items[:] = [item for item in items if item.nodeid in wanted]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A case has three reports: it failed when one did, it was skipped when one was."""
    if report.outcome != "passed" or report.nodeid not in _outcomes:
        _outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    Path(os.environ[OUTCOMES]).write_text(json.dumps(_outcomes))
