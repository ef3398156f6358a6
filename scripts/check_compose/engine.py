"""A Docker engine to check with: the one that answers, else a private one out of Debian's packages (root only)."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .shell import CheckError, Environment, output, say, succeeds

NEEDED_GIB = 5
START_SECONDS = 60


@dataclass(frozen=True)
class Engine:
    environment: Environment
    """What a `docker` command needs to talk to it."""
    scratch: Path
    """A private folder, gone after the check."""
    private: bool
    """Without a way to an image registry: images are local stand-ins."""


@contextmanager
def engine(cache: Path) -> Iterator[Engine]:
    """The engine, stopped at the end when it was started here. A private one keeps its images in the folder `cache`."""
    with tempfile.TemporaryDirectory(prefix="vpin-check-") as folder:
        scratch = Path(folder)
        if succeeds("docker", "info") and succeeds("docker", "compose", "version"):
            say("using the Docker engine that answers")
            yield Engine(os.environ, scratch, private=False)
            return
        if os.geteuid() != 0:
            raise CheckError("no Docker engine with `docker compose` answers: start one, or run this as root on Debian")
        with _only_user_of(cache):
            _install()
            with _dockerd(scratch, cache / "docker") as host:
                environment = {**os.environ, "DOCKER_HOST": host, "DOCKER_CONFIG": str(cache / "docker-config")}
                yield Engine(environment, scratch, private=True)


def open_files() -> int:
    """The most open files that a container may be given on this machine."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)


@contextmanager
def _only_user_of(cache: Path) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free / 2**30
    if free < NEEDED_GIB:
        raise CheckError(f"{cache} has {free:.1f} GiB free, {NEEDED_GIB} are needed: name a folder in VPIN_CHECK_CACHE")
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CheckError(f"another check uses {cache}") from None
        yield


def _install() -> None:
    programs = {"dockerd": "docker.io", "debootstrap": "debootstrap"}
    missing = [package for program, package in programs.items() if not shutil.which(program)]
    if missing:
        say(f"installing {' '.join(missing)}")
        output("apt-get", "update", "-q")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        output("apt-get", "install", "-qy", "--no-install-recommends", *missing, environment=environment)


@contextmanager
def _dockerd(scratch: Path, data: Path) -> Iterator[str]:
    """Start dockerd on a socket of its own, yield its address once it answers; stopped by its pid."""
    host = f"unix://{scratch}/docker.sock"
    log = scratch / "dockerd.log"
    command = [
        "dockerd",
        f"--host={host}",
        f"--data-root={data}",
        f"--exec-root={scratch}/exec",
        f"--pidfile={scratch}/docker.pid",
        "--iptables=false",
        "--ip6tables=false",
        "--bridge=none",
        f"--default-ulimit=nofile={open_files()}:{open_files()}",
        "--default-ulimit=nproc=8192:8192",
    ]
    with log.open("w") as sink:
        # in a session of its own: ctrl-C reaches the check only, which takes the containers down before the engine
        process = subprocess.Popen(command, stdout=sink, stderr=sink, start_new_session=True)  # noqa: S603  see above
    try:
        _wait_until_it_answers(process, host, log)
        say(f"private Docker engine runs with pid {process.pid}")
        yield host
    finally:
        process.terminate()
        process.wait()
        _unmount(scratch)
        say("private Docker engine stopped")


def _wait_until_it_answers(process: subprocess.Popen[bytes], host: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not succeeds("docker", "--host", host, "version"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise CheckError(f"dockerd does not start:\n{log.read_text()[-4000:]}")
        time.sleep(0.1)  # dockerd has no signal for "ready"


def _unmount(folder: Path) -> None:
    """What the engine leaves mounted below its folder: the name space of a network, after a container on the host's."""
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in reversed([place for place in places if place.startswith(f"{folder}/")]):
        output("umount", place)
