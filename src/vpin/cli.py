"""The `vpin` command. Every heavy import is inside the command that needs it: `vpin run` is ready in two seconds."""

from __future__ import annotations

import asyncio
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from vpin import launcher
from vpin.command_line import DATABASE, Properties, Toml, console, examples, fail, load, prepare
from vpin.users import user

app = typer.Typer(
    help="Self-hosted IoT backend for boards with virtual pins.",
    epilog=examples(
        "vpin run    (everything in one process; says what to do next)",
        "vpin doctor    (what is wrong, and what to do)",
        "vpin config    (all settings: VPIN_… variables)",
        "vpin user add anna@example.org",
        "vpin backup /srv/backups/",
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
database = typer.Typer(help="The database's schema.", epilog=examples("vpin db upgrade"), no_args_is_help=True)
app.add_typer(user, name="user")
app.add_typer(database, name="db")


def main() -> None:
    """Entry point."""
    arguments = sys.argv[1:]
    if launcher.is_old(arguments):
        try:
            arguments = launcher.translate(arguments, os.environ, lambda text: typer.echo(text, err=True))
        except launcher.LauncherError as error:
            typer.echo(str(error), err=True)
            sys.exit(error.status)
    complete(arguments[:1])
    app(arguments)


def complete(wanted: list[str]) -> None:
    """Add the commands whose modules take long to import: the one that is wanted, for the list of them all."""
    every = wanted in ([], ["-h"], ["--help"])
    if every or wanted == ["bench"]:
        from vpin.bench.cli import app as bench

        app.add_typer(bench, name="bench")
    if every or wanted == ["simulate"]:
        from vpin.simulate.cli import simulate

        app.command(epilog=examples("vpin simulate --boards 500 --minutes 5"))(simulate)
    if every or wanted in (["backup"], ["restore"], ["export"]):
        from vpin.keeping.cli import register

        register(app)


def tell_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"vpin {version('vpin')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Self-hosted IoT backend for boards with virtual pins."""


@app.command(
    epilog=examples(
        "vpin run", "VPIN_HTTP=:8088 VPIN_DATA=/srv/vpin vpin run", "vpin run --server-properties server.properties"
    )
)
def run(server_properties: Properties = None, config: Toml = None) -> None:
    """Run everything in one process: no broker, no database server."""
    from vpin_runtime.serve import run_service

    from vpin.embedded import wire_embedded
    from vpin.welcome import welcome
    from vpin.wiring import effective

    settings = effective("embedded", load(server_properties, config))
    prepare(settings)
    raise typer.Exit(
        run_service(
            "embedded",
            settings,
            lambda stack: wire_embedded(settings, stack),
            on_ready=lambda: typer.echo(welcome(settings)),
        )
    )


class Part(StrEnum):
    """A service with a process of its own."""

    GATEWAY_HW = "gateway-hw"
    GATEWAY_APP = "gateway-app"
    STATE = "state"
    NOTIFY = "notify"
    API = "api"


def run_part(part: Part, server_properties: Path | None, config: Path | None) -> NoReturn:
    """Run one service until it is told to stop."""
    from vpin_runtime.serve import run_service
    from vpin_runtime.settings import SettingsError

    from vpin.wiring import effective, wire

    settings = effective(part, load(server_properties, config))
    try:
        wiring = wire(part, settings)
    except SettingsError as error:
        fail(str(error))
    raise typer.Exit(run_service(part, settings, wiring))


BROKER = "VPIN_BUS_URL=amqp://guest:guest@localhost/"


@app.command(name=Part.GATEWAY_HW, epilog=examples(f"{BROKER} VPIN_HARDWARE=:8081 vpin gateway-hw"))
def gateway_hw(server_properties: Properties = None, config: Toml = None) -> None:
    """Hold the boards' connections (a process of its own)."""
    run_part(Part.GATEWAY_HW, server_properties, config)


@app.command(name=Part.GATEWAY_APP, epilog=examples(f"{BROKER} VPIN_APP_TLS=:9444 vpin gateway-app"))
def gateway_app(server_properties: Properties = None, config: Toml = None) -> None:
    """Hold the apps' connections (a process of its own)."""
    run_part(Part.GATEWAY_APP, server_properties, config)


@app.command(
    epilog=examples(
        f"{BROKER} {DATABASE} vpin state", f"VPIN_STATE_INDEX=1 VPIN_STATE_COUNT=2 {BROKER} {DATABASE} vpin state"
    )
)
def state(server_properties: Properties = None, config: Toml = None) -> None:
    """Own the accounts: dashboards, devices, values (a process of its own)."""
    run_part(Part.STATE, server_properties, config)


@app.command(epilog=examples(f"{BROKER} VPIN_SMTP_HOST=mail.example.org vpin notify"))
def notify(server_properties: Properties = None, config: Toml = None) -> None:
    """Deliver notifications (a process of its own)."""
    run_part(Part.NOTIFY, server_properties, config)


@app.command(epilog=examples(f"{BROKER} {DATABASE} VPIN_API=:8082 vpin api"))
def api(server_properties: Properties = None, config: Toml = None) -> None:
    """Serve the HTTP APIs (a process of its own)."""
    run_part(Part.API, server_properties, config)


@app.command(name="config", epilog=examples("vpin config", "vpin config --server-properties server.properties"))
def show_config(server_properties: Properties = None, config: Toml = None) -> None:
    """Show the settings in force and where each comes from."""
    from rich.table import Table

    from vpin.configuration import in_force

    lines = in_force(load(server_properties, config))
    if not sys.stdout.isatty():
        for line in lines:
            typer.echo(f"{line.variable}={line.value}  # {line.source}")
        return
    table = Table("setting", "value", "from", "meaning")
    for line in lines:
        table.add_row(*line)
    console().print(table)


@app.command(epilog=examples("vpin doctor", "VPIN_HTTP=:80 vpin doctor"))
def doctor(server_properties: Properties = None, config: Toml = None) -> None:
    """Check ports, data folder, bus, database, certificate, clock and mail server, and say what to do."""
    from rich.markup import escape

    from vpin.doctor import Level, examine

    settings = load(server_properties, config)
    colours = {Level.GOOD: "green", Level.DOUBT: "yellow", Level.BAD: "red"}
    out = console()

    async def look() -> bool:
        good = True
        async for finding in examine(settings):
            mark = f"[{colours[finding.level]}]{finding.level.value:5}[/]"
            out.print(f"{mark} {finding.part:11} {escape(finding.what)}", highlight=False, soft_wrap=True)
            if finding.advice:
                out.print(f"{'':17} → {escape(finding.advice)}", highlight=False, soft_wrap=True)
            good = good and finding.level is not Level.BAD
        return good

    if not asyncio.run(look()):
        raise typer.Exit(1)


@app.command(
    epilog=examples("vpin certificate", "VPIN_DATA=/srv/vpin VPIN_SERVER_HOST=vpin.example.org vpin certificate")
)
def certificate(server_properties: Properties = None, config: Toml = None) -> None:
    """Print the file of the self-signed certificate (key and chain) in the data folder; make it when there is none."""
    from vpin_sessions import own_certificate

    settings = load(server_properties, config)
    try:
        typer.echo(own_certificate(settings.data, settings.server_host))
    except OSError as error:
        fail(f"the data folder {settings.data} can't be used: {error.strerror}\n`vpin doctor` tells more.")


@database.command(name="upgrade", epilog=examples("vpin db upgrade", f"{DATABASE} vpin db upgrade"))
def db_upgrade(server_properties: Properties = None, config: Toml = None) -> None:
    """Bring the database to this version's schema; make the first administrator when there is none."""
    migrated = prepare(load(server_properties, config))
    typer.echo("The database was brought to this version." if migrated else "The database has this version already.")


@app.command(
    name="import-blynk",
    epilog=examples(
        "vpin import-blynk /srv/blynk/data --dry-run",
        "vpin import-blynk /srv/blynk/data",
        f"{DATABASE} vpin import-blynk /srv/blynk/data --yes --report import.json",
    ),
)
def import_blynk(
    folder: Annotated[Path, typer.Argument(help="Data folder of the old server: the one with the .user files.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be taken and what not.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take it without asking.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace accounts that vpin has already. vpin has to be stopped.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write the whole report into this file, as JSON.")] = None,
    server_properties: Properties = None,
    config: Toml = None,
) -> None:
    """Take over accounts, projects, tokens, values and history of a Blynk server 0.41.

    Shows first what would be done, then asks. The folder is only read. It may be run again: what was taken stays as it is
    in vpin, what was interrupted goes on.

    Ends with 0 when every account of the folder is in vpin, 1 when some are not, 2 when it could not be done.
    """
    from vpin.importing.command import ImportFailedError, take_over

    settings, out = load(server_properties, config), console()

    def confirm() -> bool:
        if sys.stdin.isatty():
            try:
                return typer.confirm("Take it over?")
            except typer.Abort:  # Ctrl-C, Ctrl-D
                return False
        typer.echo("Run it again with --yes to take it over.")
        return False

    try:
        complete = take_over(
            folder,
            settings,
            out,
            confirm=confirm,
            dry_run=dry_run,
            ask=not yes,
            overwrite=overwrite,
            report_file=report,
        )
    except ImportFailedError as problem:
        fail(str(problem))
    if not complete:
        raise typer.Exit(1)
