"""The fixture `world`: an account with an active dashboard 1, device 0, a session of an app and one of a board."""

from __future__ import annotations

import pytest
from state_world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def other() -> World:
    """The same of another account."""
    return World(2)
