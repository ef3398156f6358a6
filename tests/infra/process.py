"""Child processes that are stopped by their id and never outlive the process that started them."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL, SIGTERM

HOST = "127.0.0.1"


class PartError(RuntimeError):
    """A part did not start or stop; the message has the end of its log."""


_given: set[int] = set()
"""Ports that were handed out: between the question and its listening nobody else may get the same."""


def free_port() -> int:
    """A loopback port nobody listens on, below the range that the system gives to outgoing connections; each but once."""
    for _ in range(1000):
        port = random.randint(15_000, 32_000)
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            _given.add(port)
            return port
    raise PartError("no free loopback port between 15000 and 32000")


def listens(port: int) -> bool:
    """Whether somebody accepts connections on this loopback port."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(ready: Callable[[], bool], seconds: float, what: str, process: Process | None = None) -> None:
    """Ask `ready` until it is true; PartError when it takes too long or the process ends, with the end of its log."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process and not process.pid:
            raise PartError(f"{what}: {process.failure()}")
        if time.monotonic() > deadline:
            log = f"; its log:\n{process.tail()}" if process else ""
            raise PartError(f"{what}: not within {seconds:g} s{log}")
        time.sleep(0.02)


class Reaper:
    """A shell that kills the children of this process when it goes away, however it does.

    It reads lines of process groups from a pipe; at its end (this process is gone) it kills those of the last line.
    """

    SCRIPT = 'while read -r line; do groups=$line; done; for g in $groups; do kill -s KILL -- "-$g"; done 2>/dev/null'

    def __init__(self) -> None:
        self._shell: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._groups: set[int] = set()
        self._lock = threading.Lock()

    def add(self, group: int) -> None:
        with self._lock:
            self._groups.add(group)
            self._tell()

    def remove(self, group: int) -> None:
        with self._lock:
            self._groups.discard(group)
            self._tell()

    def _tell(self) -> None:
        if self._shell is None or self._owner != os.getpid():
            self._owner = os.getpid()
            command = ["/bin/sh", "-c", self.SCRIPT]
            self._shell = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        assert self._shell.stdin
        self._shell.stdin.write(" ".join(map(str, sorted(self._groups))).encode() + b"\n")
        self._shell.stdin.flush()
        if not self._groups:
            self._shell.stdin.close()
            self._shell.wait()
            self._shell = None


_reaper = Reaper()


class Process:
    """A program in a process group of its own, its output in a log file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name, self.log = name, log
        self._command, self._env, self._user, self._cwd = command, env, user, cwd
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; 0 when it is not running."""
        return self._child.pid if self._child and self._child.poll() is None else 0

    @property
    def environment(self) -> dict[str, str]:
        """What it is started with."""
        return dict(os.environ if self._env is None else self._env)

    @property
    def exit_code(self) -> int | None:
        """None while it runs or when it never did."""
        return self._child.poll() if self._child else None

    def start(self) -> None:
        if self.pid:
            return
        with ExitStack() as stack:
            output = stack.enter_context(self.log.open("ab"))
            self._child = subprocess.Popen(
                [str(part) for part in self._command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(self._env) if self._env is not None else None,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                cwd=self._cwd,
                start_new_session=True,
            )
        _reaper.add(self._child.pid)

    def failure(self) -> str:
        """Why it is not running, with the end of its log; empty while it runs."""
        return "" if self.pid else f"ended with {self.exit_code}; its log:\n{self.tail()}"

    def tail(self, lines: int = 25) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def send(self, number: int) -> None:
        if self.pid:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> int:
        """Its exit code, once it has ended by itself; PartError when it does not."""
        wait_until(lambda: not self.pid, seconds, f"the end of {self.name}")
        assert self._child
        return self._child.returncode

    def end(self, number: int = SIGTERM, seconds: float = 20) -> int:
        """Ask it to end and wait; its exit code."""
        self.send(number)
        return self.wait(seconds)

    def stop(self, number: int = SIGTERM, seconds: float = 20) -> None:
        """Ask it to end, wait, and kill what is left of its group."""
        if self._child is None:
            return
        self.send(number)
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        if self._child is None:
            return
        try:
            os.killpg(self._child.pid, SIGKILL)
        except ProcessLookupError:
            pass
        self._child.wait()
        _reaper.remove(self._child.pid)
        self._child = None
