"""A private PostgreSQL server from the binaries of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from signal import SIGINT

from infra.packages import need
from infra.process import HOST, PartError, Process, free_port, wait_until

BINARIES = "/usr/lib/postgresql/*/bin"
OWNER = "postgres"  # who runs it when we are root: the server refuses to be root


class PostgreSQL:
    """A cluster in a folder of its own, with an empty database `vpin`. Restarts keep port and data."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._bin = need("initdb", "postgresql", BINARIES, variable="VPIN_TEST_DATABASE_URL").parent
        self.port = port or free_port()
        self.url = f"postgresql://{OWNER}@{HOST}:{self.port}/vpin"
        self._user = OWNER if os.geteuid() == 0 else None
        self._folder = folder
        self._prepare()
        options = f"-D data -p {self.port} -k . -h {HOST} -c max_connections=200".split()
        command = [self._bin / "postgres", *options]
        self._server = Process("postgres", command, folder / "postgres.log", user=self._user, cwd=folder)

    @property
    def pid(self) -> int:
        return self._server.pid

    def start(self) -> None:
        """Returns once it takes connections; the first time it also makes the database `vpin`."""
        first = not (self._folder / "data" / "PG_VERSION").exists()
        if first:
            self._run("initdb", f"-D data -U {OWNER} --auth=trust --encoding=UTF8 --locale=C.UTF-8")
        self._server.start()
        wait_until(self._takes_connections, 60, "postgres", self._server)
        if first:
            self._run("createdb", f"-h {HOST} -p {self.port} -U {OWNER} vpin")

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, everything committed is kept."""
        self._server.stop(SIGINT, seconds=30)

    def kill(self) -> None:
        self._server.kill()

    def _takes_connections(self) -> bool:
        return self._call("pg_isready", f"-q -h {HOST} -p {self.port} -d postgres").returncode == 0

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._user:
            shutil.chown(self._folder, self._user, self._user)
            for parent in self._folder.parents:  # temporary folders are closed to others; let them pass through
                if parent.is_relative_to(tempfile.gettempdir()) and not parent.stat().st_mode & 0o001:
                    parent.chmod(parent.stat().st_mode | 0o011)

    def _call(self, program: str, options: str) -> subprocess.CompletedProcess[str]:
        user = self._user
        return subprocess.run(
            [str(self._bin / program), *options.split()],
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=self._folder,
            capture_output=True,
            text=True,
        )

    def _run(self, program: str, options: str) -> None:
        done = self._call(program, options)
        if done.returncode:
            raise PartError(f"{program} failed:\n{done.stdout}{done.stderr}")
