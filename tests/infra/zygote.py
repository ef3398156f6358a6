"""vpin's processes as forks of one that has imported everything: killed and there again in a fraction of a second.

python -m infra.zygote reads lines of JSON (`arguments`, `environment`, `folder`, `log`) and answers each with the id of a
process that runs the command `vpin` so. At the end of its input it kills them all.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from infra.process import wait_until

MODULES = (
    "vpin.cli",
    "vpin.embedded",
    "vpin.welcome",
    "vpin.wiring",
    "vpin_store.sqlite",
    "vpin_store.postgres",
    "vpin_store.migrations",
)


class Zygote:
    """Forks processes; use it as a context."""

    def __enter__(self) -> Zygote:
        command = [sys.executable, "-m", "infra.zygote"]
        paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(self, part: str, environment: Mapping[str, str], folder: Path, log: Path) -> Fork:
        """`vpin <part>` in a process of its own."""
        assert self._process.stdin
        assert self._process.stdout
        wanted = {"arguments": [part], "environment": dict(environment), "folder": str(folder), "log": str(log)}
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        return Fork(part, int(self._process.stdout.readline()))


class Fork:
    """One of its processes."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: not _is_there(self.pid), 10, f"the end of {self.name}")


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    for module in MODULES:
        __import__(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    forks: list[int] = []
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _become(**json.loads(line))
        forks.append(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in filter(_is_there, forks):
        os.kill(pid, signal.SIGKILL)


def _become(arguments: list[str], environment: dict[str, str], folder: str, log: str) -> NoReturn:
    """`vpin` with these arguments."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(folder)
    output, nothing = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), os.open(os.devnull, os.O_RDONLY)
    for number, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(number, target)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["vpin", *arguments]
    from vpin.cli import main as vpin

    try:
        vpin()
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
