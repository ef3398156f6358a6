"""What the Python drivers share: events out as lines on stdout, commands in as lines on stdin."""

from __future__ import annotations

import json
import queue
import sys
import threading


def tell(event: str, **details: object) -> None:
    sys.stdout.write("@" + json.dumps({"event": event, **details}) + "\n")
    sys.stdout.flush()


class Commands:
    """Lines such as ``write 1 42`` and ``sync 2``; the process should end when ``ended`` is true."""

    def __init__(self) -> None:
        self.ended = False
        self._lines: queue.Queue[list[str]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def take(self) -> list[str] | None:
        try:
            return self._lines.get_nowait()
        except queue.Empty:
            return None

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(line.split())
        self.ended = True
