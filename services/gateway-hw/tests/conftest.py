"""What the tests of the gateway share."""

from __future__ import annotations

from pathlib import Path

import pytest
from vpin_runtime.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Three shards, no quota, no MQTT port, a private data folder."""
    return Settings(data=tmp_path, shards=3, message_quota=0, hardware_mqtt="")
