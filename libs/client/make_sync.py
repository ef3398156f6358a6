"""Makes ``vpin_client/_sync`` of ``vpin_client/_async``: `python make_sync.py`. A test says when it is to be done."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent / "src" / "vpin_client"
WORDS = {
    r"async (def|with|for) ": r"\1 ",
    r"\(await ([\w.]+\([^()]*\))\)(?=[.\[])": r"\1",
    r"\bawait ": "",
    r"\b_?async_?context_?manager\b": "contextmanager",
    r"\bAsync(Iterator|Generator)\b": r"\1",
    r"\bAsync([A-Z]\w*)": r"\1",
    r"__a(enter|exit)__": r"__\1__",
    r"\baclose\b": "close",
    r"\baread\b": "read",
    r"\baiter_": "iter_",
    r"\bimport asyncio\b": "import time",
    r"\basyncio\.sleep\b": "time.sleep",
    r"vpin_client\._async\b": "vpin_client._sync",
    "The asynchronous clients; make_sync.py makes the others of them.": "Made by make_sync.py: change _async instead.",
}


def made() -> dict[Path, str]:
    """What the files of ``_sync`` should be."""
    found: dict[Path, str] = {}
    for source in sorted((PACKAGE / "_async").glob("*.py")):
        text = source.read_text()
        for pattern, replacement in WORDS.items():
            text = re.sub(pattern, replacement, text)
        path = PACKAGE / "_sync" / source.name
        found[path] = _formatted(path, text)
    return found


def _formatted(path: Path, text: str) -> str:
    for command in (["check", "-q", "--fix", "--select", "I"], ["format", "-q"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout  # noqa: S603  ruff
    return text


if __name__ == "__main__":
    (PACKAGE / "_sync").mkdir(exist_ok=True)
    for path, text in made().items():
        path.write_text(text)
