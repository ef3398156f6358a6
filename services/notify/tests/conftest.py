"""Lets the tests import :mod:`sink`, and gives them one."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # at the end: tests elsewhere have modules of the same names

from sink import Sink


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as running:
        yield running
