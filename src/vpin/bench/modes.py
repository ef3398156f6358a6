"""What the modes of ``vpin bench`` have in common: where the load goes, what is watched, where the results go."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console

from vpin.bench.client import PROXY_HEADER, BenchError, Target
from vpin.bench.measurement import Measurement, show, write_json
from vpin.bench.processes import Watch
from vpin.command_line import examples

HTTP, TLS = "127.0.0.1:8080", "127.0.0.1:9443"

Mode = Callable[..., Awaitable[list[Measurement]]]
"""Takes a :class:`Target`, a :class:`Watch`, and its own options."""


def address(text: str) -> tuple[str, int]:
    """``host:port``; typer.BadParameter for anything else."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal():
        raise typer.BadParameter(f"{text!r}: give host:port")
    return host.strip("[]") or "127.0.0.1", int(port)


def mode(app: typer.Typer, name: str, *lines: str, boards: bool = True) -> Callable[[Mode], Mode]:
    """Make a function a command: with its own options, and those that all modes have (`boards`: also where boards go).

    `lines` are examples. Its docstring is the help.
    """
    where = [option for option in _options(_target) if boards or option.name not in ("hardware", "proxy_protocol")]

    def register(run: Mode) -> Mode:
        own = _options(run)[2:]

        def command(pid: list[str], json: Path | None, **given: Any) -> None:
            target = _target(**{option.name: given.pop(option.name) for option in where})
            _report(lambda watch: run(target, watch, **given), pid, json)

        command.__doc__ = run.__doc__
        command.__signature__ = inspect.Signature([*where, *own, *_options(_outputs)])  # type: ignore[attr-defined]
        app.command(name, epilog=examples(*lines))(command)
        return run

    return register


def _options(function: Callable[..., object]) -> list[inspect.Parameter]:
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    return [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]


def _target(
    http: Annotated[str, typer.Option(help="Plain port: boards and HTTP.")] = HTTP,
    tls: Annotated[str, typer.Option(help="TLS port: apps.")] = TLS,
    hardware: Annotated[str, typer.Option(help="Boards go here instead, e.g. straight to a gateway.")] = "",
    proxy_protocol: Annotated[
        bool, typer.Option("--proxy-protocol", help="--hardware expects an edge in front of it.")
    ] = False,
    app: Annotated[str, typer.Option(help="Apps go here instead (TLS).")] = "",
) -> Target:
    preface = PROXY_HEADER if proxy_protocol else b""
    return Target(address(http), address(app or tls), address(hardware or http), preface)


def _outputs(
    pid: Annotated[list[str], typer.Option(help="NAME=PID of a server process to watch; repeatable.")] = [],  # noqa: B006
    json: Annotated[Path | None, typer.Option("--json", help="Write the results to this file.")] = None,
) -> None:
    """No more than the options."""


def _report(run: Callable[[Watch], Awaitable[list[Measurement]]], pids: list[str], json: Path | None) -> None:
    try:
        watch = Watch.parse(pids)

        async def main() -> list[Measurement]:
            return await run(watch)

        measurements = uvloop.run(main())
    except BenchError as error:
        Console(stderr=True).print(f"vpin bench: {error}", highlight=False)
        raise typer.Exit(2) from None
    show(measurements)
    if json is not None:
        write_json(json, measurements)
    if any(m.faults for m in measurements):
        raise typer.Exit(1)
