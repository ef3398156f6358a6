"""Commands of the check: their output is shown when they fail."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping

Environment = Mapping[str, str]

_STARTED = time.monotonic()


class CheckError(Exception):
    """The check cannot go on; the message says why and what to do."""


def say(text: str) -> None:
    """One line of progress with the seconds since the start."""
    sys.stdout.write(f"[{time.monotonic() - _STARTED:5.1f} s] {text}\n")
    sys.stdout.flush()


def output(*command: str, environment: Environment | None = None) -> str:
    """Standard output of a command that must succeed; CheckError holds what it printed otherwise."""
    done = _run(command, environment)
    if done.returncode:
        raise CheckError(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def succeeds(*command: str, environment: Environment | None = None) -> bool:
    """Whether a command that may fail ended with 0."""
    return _run(command, environment).returncode == 0


def _run(command: tuple[str, ...], environment: Environment | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  the check's own commands
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, check=False
    )
