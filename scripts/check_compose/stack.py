"""compose.yaml as a running project on the engine of the check."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .engine import Engine
from .shell import CheckError, Environment, output, say

PROJECT = "vpin-check"
READY_SECONDS = 180
PASSWORDS = ("VPIN_BUS_PASSWORD", "VPIN_DATABASE_PASSWORD", "VPIN_ADMIN_PASSWORD")


class Stack:
    """The project on free loopback ports, with passwords of its own and without what a `.env` or the shell set."""

    def __init__(self, engine: Engine, repository: Path, extra: Environment) -> None:
        self.repository = repository
        self.target = {name: _free_address() for name in ("VPIN_HTTP", "VPIN_TLS", "VPIN_MQTT")}
        self._bare = {name: value for name, value in engine.environment.items() if not name.startswith("VPIN_")}
        self._bare |= extra
        self._environment = self._bare | self.target | {name: secrets.token_hex(16) for name in PASSWORDS}
        files = ["--file=compose.yaml"]
        if engine.private:
            files.append("--file=deploy/compose/check.override.yaml")
        place = [f"--project-directory={repository}", f"--project-name={PROJECT}", "--env-file=/dev/null"]
        self._compose = ("docker", "compose", *place, *files)

    def compose(self, *arguments: str) -> str:
        """Output of `docker compose …`."""
        return output(*self._compose, *arguments, environment=self._environment)

    def docker(self, *arguments: str) -> str:
        """Output of `docker …`."""
        return output("docker", *arguments, environment=self._environment)

    def up(self, *arguments: str) -> None:
        """Return when every container is healthy."""
        self.compose("up", "--detach", "--wait", f"--wait-timeout={READY_SECONDS}", *arguments)

    def containers(self, service: str | None = None) -> list[dict[str, Any]]:
        """What `docker inspect` says of the project's containers, those that ended too."""
        ids = self.compose("ps", "--all", "--quiet", *([service] if service else [])).split()
        return json.loads(self.docker("inspect", *ids)) if ids else []

    def refuses_without_passwords(self) -> None:
        """A start without a password must fail, with words that say what to set."""
        try:
            output(*self._compose, "config", "--quiet", environment=self._bare)
        except CheckError as error:
            if "set VPIN_" in str(error) and ".env" in str(error):
                return
            raise
        raise CheckError("compose.yaml starts without passwords")

    def smoke(self) -> None:
        """The smoke cases of the conformance suite pass against the edge's ports."""
        cases = self.repository.parent / "shared" / "conformance" / "test_smoke.py"
        environment = {**os.environ, **self.target, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", "-q", str(cases)]
        done = subprocess.run(command, env=environment, cwd=self.repository, check=False)  # noqa: S603  our own command
        if done.returncode:
            raise CheckError(f"the smoke cases failed with exit code {done.returncode}")

    def is_hardened(self) -> None:
        """Every container that runs: no root, no capabilities, no new privileges, a read-only root file system."""
        for container in self.containers():
            if container["State"]["Running"]:
                name = container["Name"].strip("/")
                facts = self.docker("exec", name, "cat", "/proc/1/status", "/proc/1/mounts")
                faults = _faults(facts)
                if faults:
                    raise CheckError(f"{name}: {', '.join(faults)}")

    def report(self) -> None:
        """Print state and logs of the containers that failed, or of all when none did."""
        everything = self.containers()
        for container in [c for c in everything if _has_failed(c)] or everything:
            name, state = container["Name"].strip("/"), container["State"]
            say(f"{name}: {state['Status']}, exit code {state['ExitCode']}")
            for probe in state.get("Health", {}).get("Log", [])[-1:]:
                say(f"its health check answered {probe['ExitCode']}: {probe['Output'].strip()}")
            log = subprocess.run(  # noqa: S603  our own command
                ["docker", "logs", "--tail=40", name],  # noqa: S607  wherever docker is
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            sys.stdout.write(log.stdout)

    def down(self) -> None:
        """Take containers, networks and volumes away."""
        self.compose("down", "--volumes", "--remove-orphans")


@contextmanager
def running(engine: Engine, repository: Path, extra: Environment) -> Iterator[Stack]:
    """The stack, without what an earlier check left behind; down at the end, after the logs of what failed."""
    stack = Stack(engine, repository, extra)
    stack.down()
    try:
        yield stack
    except CheckError:
        stack.report()
        raise
    finally:
        say("docker compose down")
        stack.down()


def _faults(facts: str) -> list[str]:
    """What is wrong with a process, from /proc/<pid>/status and /proc/<pid>/mounts."""
    fields = dict(line.split(":\t", 1) for line in facts.splitlines() if ":\t" in line)
    root = next(line.split() for line in facts.splitlines() if line.split()[1:2] == ["/"])
    found = {
        "runs as root": "0" in fields["Uid"].split(),
        "has capabilities": int(fields["CapBnd"], 16) != 0,
        "may gain privileges": fields["NoNewPrivs"] != "1",
        "has a writable root file system": "ro" not in root[3].split(","),
    }
    return [fault for fault, is_so in found.items() if is_so]


def _has_failed(container: dict[str, Any]) -> bool:
    state = container["State"]
    is_unhealthy = state.get("Health", {}).get("Status") == "unhealthy"
    return is_unhealthy or state["Restarting"] or (not state["Running"] and state["ExitCode"] != 0)


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"
