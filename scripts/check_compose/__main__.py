"""Run the check: exit code 0 when all of it holds, else 1 with the logs of the containers that failed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from .engine import Engine, engine
from .images import provide, prune
from .shell import CheckError, say
from .stack import Stack, running

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("VPIN_CHECK_CACHE") or Path.home() / ".cache" / "vpin-check")
SCALED = ("gateway-hw", "state")


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwinds: containers down, engine stopped
    try:
        with engine(CACHE) as docker:
            _check(docker)
    except CheckError as error:
        say(f"FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 1
    say("compose.yaml holds: smoke cases passed, alone and scaled")
    return 0


def _check(docker: Engine) -> None:
    extra = provide(docker, REPOSITORY) if docker.private else {}
    with running(docker, REPOSITORY, extra) as stack:
        stack.refuses_without_passwords()
        say("docker compose up --build --wait")
        stack.up("--build")
        stack.is_hardened()
        say("smoke cases")
        stack.smoke()
        _scale(stack)
    if docker.private:
        prune(docker)


def _scale(stack: Stack) -> None:
    before = {container["Id"] for container in stack.containers() if container["State"]["Running"]}
    say(f"two of {' and '.join(SCALED)}")
    stack.up(*(f"--scale={service}=2" for service in SCALED))
    if gone := before - {container["Id"] for container in stack.containers()}:
        raise CheckError(f"scaling made {len(gone)} running containers anew")
    stack.is_hardened()
    stack.smoke()
    for service in SCALED:
        replicas = stack.containers(service)
        if len(replicas) != 2:
            raise CheckError(f"{service} has {len(replicas)} containers in place of 2")
        first = min(container["Name"].strip("/") for container in replicas)
        say(f"{first} stops, the second one takes over")
        stack.docker("stop", first)
        stack.smoke()


sys.exit(main())
