"""The start line of the old server, ``java -jar server.jar -dataFolder … -serverConfig …``, with `vpin` in place of its
first three words (spec 06, 2): the options become settings, which are stronger than the files and the environment.

Nothing of vpin is imported before it is known that the line is one of these.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path

FILES = {"-serverConfig": "server.properties", "-mailConfig": "mail.properties", "-smsConfig": "sms.properties"}
"""Options that name files, and the files of the current folder that are read without them."""
PORTS = {"-hardPort": "VPIN_HTTP", "-appPort": "VPIN_TLS"}
ASKS = {"-help": "--help", "-version": "--version"}
IN_VPIN = {
    "-workerThreads": "vpin has no such threads, it is ignored",
    "-restore": "vpin reads accounts from its database in any case, it is ignored",
}


class LauncherError(Exception):
    """The start line is wrong; the message says how. `status` is what the program ends with."""

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


def is_old(arguments: Sequence[str]) -> bool:
    """Whether it begins with an option that has one dash and a long name, behind `run` or not."""
    first = arguments[1:2] if arguments and arguments[0] == "run" else arguments[:1]
    return bool(first) and re.match("-[A-Za-z]{2}", first[0]) is not None


def translate(
    arguments: Sequence[str], environment: MutableMapping[str, str], tell: Callable[[str], None]
) -> list[str]:
    """Put the options into the environment; the arguments that `vpin` takes instead. LauncherError."""
    given = _options(arguments[1:] if arguments[0] == "run" else arguments)
    for option, word in ASKS.items():
        if option in given:
            return [word]
    for option, comment in IN_VPIN.items():
        if option in given:
            tell(f"{option}: {comment}")
    files = [Path(given[option]) if option in given else Path(name) for option, name in FILES.items()]
    for option, file in zip(FILES, files, strict=True):
        if option in given and not file.is_file():
            raise LauncherError(f"Path {file} not found.", 1)
    environment["VPIN_SERVER_PROPERTIES"] = os.pathsep.join(str(file) for file in files if file.is_file())
    for option, variable in PORTS.items():
        if option in given:
            environment[variable] = f"{_host(files[0])}:{given[option]}"
    if "-dataFolder" in given:
        environment["VPIN_DATA"] = given["-dataFolder"]
        _hint(Path(given["-dataFolder"]), tell)
    return ["run"]


def _options(arguments: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        option = rest.pop(0)
        if option == "-restore" or option in ASKS:
            found[option] = ""
            continue
        if option not in (*FILES, *PORTS, *IN_VPIN, "-dataFolder"):
            raise LauncherError(f"{option}: no such option; `vpin run --help` has those of vpin")
        if not rest:
            raise LauncherError(f"{option}: its value is missing")
        found[option] = rest.pop(0)
        if option in (*PORTS, "-workerThreads") and not found[option].isdecimal():
            raise LauncherError(f"{option}: {found[option]!r} is no number")
    return found


def _host(properties: Path) -> str:
    """Where the old server would have listened."""
    from vpin_runtime.properties import parse_properties

    found = parse_properties(properties.read_text(encoding="utf-8")) if properties.is_file() else {}
    return found.get("listen.address") or "0.0.0.0"  # noqa: S104  empty means all interfaces there


def _hint(folder: Path, tell: Callable[[str], None]) -> None:
    if not (folder / "vpin.db").exists() and any(folder.glob("*.user")):
        tell(f"{folder} has accounts of the old server: `vpin import-blynk {folder}` takes them over")
