"""A board as a process: one of the drivers, its events and its commands."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Sequence


class Board:
    def __init__(self, command: Sequence[str]) -> None:
        self.output: list[str] = []
        self._events: queue.Queue[dict[str, object]] = queue.Queue()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def expect(self, event: str, *, seconds: float = 10, **details: object) -> None:
        """The event comes, with these details; others are passed over."""
        wanted, seen = {"event": event, **details}, []
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                seen.append(self._events.get(timeout=left))
            except queue.Empty:
                break
            if seen[-1] == wanted:
                return
        raise AssertionError(f"no {wanted}; events: {seen}; output:\n{''.join(self.output[-30:])}")

    def tell(self, *command: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(" ".join(map(str, command)) + "\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        """The driver ends when its input does."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.output.append(line)
            if line.startswith("@"):
                self._events.put(json.loads(line[1:]))
