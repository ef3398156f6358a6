"""The synchronous clients are made of the asynchronous ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "make_sync.py"


def test_sync_is_what_make_sync_makes() -> None:
    spec = importlib.util.spec_from_file_location("make_sync", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    make_sync = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_sync)
    for path, text in make_sync.made().items():
        assert path.read_text() == text, f"run `python libs/client/make_sync.py`: {path.name}"
        assert "await" not in text.replace("awaits", "")
