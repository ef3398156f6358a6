"""Binaries of this machine, installed by its package manager when they are missing and we are root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")


class MissingPartError(RuntimeError):
    """A part is not on this machine and cannot be installed; the message says what to do."""


def find(program: str, *folders: str) -> Path | None:
    """Path of a program in these folders (patterns from the root; the newest first) or on the PATH."""
    for pattern in folders:
        for folder in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True):
            if os.access(folder / program, os.X_OK):
                return folder / program
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def need(program: str, package: str, *folders: str, variable: str = "") -> Path:
    """Like :func:`find`; installs the Debian package when the program is missing, or raises MissingPartError."""
    if found := find(program, *folders):
        return found
    otherwise = f", start Docker, or set {variable}." if variable else "."
    advice = f"Install it (Debian: apt-get install {package}){otherwise}"
    if not shutil.which("apt-get"):
        raise MissingPartError(f"{program} is not on this machine and there is no apt-get. {advice}")
    if os.geteuid() != 0:
        raise MissingPartError(f"{program} is not on this machine, and only root can install it. {advice}")
    _apt_install(package, advice)
    if found := find(program, *folders):
        return found
    raise MissingPartError(f"{package} is installed, but {program} is not where it is expected: {folders or 'PATH'}.")


def _apt_install(package: str, advice: str) -> None:
    """Install without starting the service that the package brings."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "--no-install-recommends", package]):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if done.returncode and command[1] == "install":
                raise MissingPartError(
                    f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}\n{advice}"
                )
    finally:
        if ours:
            POLICY.unlink()


PARTS = (
    ("rabbitmq-server", "rabbitmq-server", "/usr/lib/rabbitmq/bin"),
    ("initdb", "postgresql", "/usr/lib/postgresql/*/bin"),
    ("haproxy", "haproxy", "/usr/sbin"),
    ("npm", "npm"),
    ("chromium", "chromium"),
)
"""Program, package and folders of what the integration tests and `make suite` start."""


def main() -> int:
    """Install what is missing: `python -m infra.packages`."""
    try:
        for program, package, *folders in PARTS:
            need(program, package, *folders)
    except MissingPartError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
