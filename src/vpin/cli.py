"""The `vpin` command. Every heavy import is inside the command that needs it: `vpin run` is ready in two seconds."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from vpin_runtime.settings import Settings
    from vpin_store import Store

T = TypeVar("T")


def examples(*lines: str) -> str:
    """The end of a command's help."""
    return "Examples:\n\n" + "\n\n".join(lines)


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
user = typer.Typer(
    help="Accounts: add, change the password, list, delete.",
    epilog=examples(
        "vpin user add anna@example.org", "vpin user passwd anna@example.org", "vpin user delete anna@example.org"
    ),
    no_args_is_help=True,
)
database = typer.Typer(help="The database's schema.", epilog=examples("vpin db upgrade"), no_args_is_help=True)
app.add_typer(user, name="user")
app.add_typer(database, name="db")

Properties = Annotated[
    Path | None,
    typer.Option("--server-properties", help="Take settings from an old server.properties (VPIN_… are stronger)."),
]
Toml = Annotated[Path | None, typer.Option("--config", help="Take settings from a TOML file (VPIN_… are stronger).")]


def main() -> None:
    """Entry point."""
    complete(sys.argv[1:2])
    app()


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
DATABASE = "VPIN_DATABASE_URL=postgresql://vpin:secret@localhost/vpin"


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
    typer.echo(own_certificate(settings.data, settings.server_host))


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


Email = Annotated[str, typer.Argument(help="E-mail address of the account.")]
AppName = Annotated[str, typer.Option("--app", help="App that the account belongs to.")]
Password = Annotated[
    str,
    typer.Option(
        "--password",
        envvar="VPIN_NEW_PASSWORD",
        prompt=True,
        hide_input=True,
        confirmation_prompt=True,
        help="The password.",
    ),
]


@user.command(epilog=examples("vpin user add anna@example.org", "vpin user add --admin root@example.org"))
def add(
    email: Email,
    password: Password,
    app_name: AppName = "Blynk",
    admin: Annotated[bool, typer.Option("--admin", help="With the rights of an administrator.")] = False,
) -> None:
    """Make an account."""
    from vpin.accounts import add_account

    settings = load()
    with_store(settings, lambda store: add_account(store, email, password, settings, app_name=app_name, is_admin=admin))
    typer.echo(f"{email} has an account.")


@user.command(epilog=examples("vpin user passwd anna@example.org"))
def passwd(email: Email, password: Password, app_name: AppName = "Blynk") -> None:
    """Set the password of an account."""
    from vpin.accounts import set_password

    with_store(load(), lambda store: set_password(store, email, password, app_name))
    typer.echo(f"The password of {email} is set.")


@user.command(name="list", epilog=examples("vpin user list"))
def list_users() -> None:
    """List all accounts."""
    from datetime import UTC, datetime

    from rich.table import Table

    from vpin.accounts import all_accounts

    table = Table("id", "e-mail", "app", "administrator", "made", "last log-in")
    for row in with_store(load(), all_accounts):
        made, last = (
            datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M") if at else "never"
            for at in (row.created_at, row.last_login_at)
        )
        table.add_row(str(row.id), row.email, row.app_name, "yes" if row.is_super_admin else "", made, last)
    console().print(table)


@user.command(
    epilog=examples("vpin user delete anna@example.org", "vpin user delete --yes anna@example.org --app MyApp")
)
def delete(
    email: Email,
    app_name: AppName = "Blynk",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete it without asking.")] = False,
) -> None:
    """Delete an account and everything of it: projects, devices, tokens, values, history, events, sessions.

    vpin may run meanwhile: boards and apps of the account are disconnected, and nothing of theirs is taken any more.

    Ends with 0 when the account is gone, 1 when it is not yet, 2 when it could not be done.
    """
    from vpin_store import in_use

    from vpin.deletion import belongings, delete_account
    from vpin.wiring import database_url

    settings = load()
    found = with_store(settings, lambda store: belongings(store, email, app_name))
    typer.echo(f"{found}\nIt is deleted with everything of it. Only a backup brings it back.")
    if not yes and not sys.stdin.isatty():
        typer.echo("Run it again with --yes to delete it.")
        raise typer.Exit(1)
    if not yes and not typer.confirm("Delete it?"):
        raise typer.Exit(1)
    running = asyncio.run(in_use(database_url(settings)))
    account_id = found.account.id
    if not with_store(settings, lambda store: delete_account(store, account_id, running=running)):
        typer.echo(
            "It is not deleted yet: no state process serves it now. The next one that does deletes it; "
            "`vpin doctor` tells what is wrong.",
            err=True,
        )
        raise typer.Exit(1)
    typer.echo(f"{found.account.email} is deleted.")


def load(server_properties: Path | None = None, config: Path | None = None) -> Settings:
    """The settings in force. Ends the program with a message when they are wrong."""
    from pydantic import ValidationError
    from vpin_runtime.settings import Settings

    from vpin.wiring import check_urls

    for variable, file in (("VPIN_SERVER_PROPERTIES", server_properties), ("VPIN_CONFIG", config)):
        if file is not None:
            os.environ[variable] = str(file)
    try:
        settings = Settings()
        check_urls(settings)
    except ValidationError as error:
        fail("\n".join(f"VPIN_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()))
    except (OSError, ValueError) as error:
        fail(str(error))
    return settings


def with_store(settings: Settings, use: Callable[[Store], Awaitable[T]]) -> T:
    """Open the database, use it, close it. Ends the program with a message when that is impossible."""
    from vpin_store import StoreUnavailable, WrongSchema, check_schema, open_store

    from vpin.accounts import AccountError
    from vpin.wiring import database_url

    async def work() -> T:
        url = database_url(settings)
        if not await check_schema(url):
            raise WrongSchema("there is no database yet: `vpin run` or `vpin db upgrade` makes it")
        async with open_store(url, connections=1) as store:
            return await use(store)

    try:
        return asyncio.run(work())
    except (AccountError, WrongSchema) as error:
        fail(str(error))
    except StoreUnavailable as error:
        fail(f"the database does not answer: {error}\n`vpin doctor` tells more.")


def prepare(settings: Settings) -> bool:
    """Make the database ready to be used; whether it had to be migrated. Ends the program with a message if that fails."""
    from vpin_store import StoreUnavailable, WrongSchema

    from vpin.wiring import prepare_database

    try:
        migrated, new_password = asyncio.run(prepare_database(settings))
    except (StoreUnavailable, WrongSchema, OSError) as error:
        fail(f"the database cannot be used: {error}\n`vpin doctor` tells more.")
    tell_first_password(settings, new_password)
    return migrated


def tell_first_password(settings: Settings, password: str) -> None:
    """If one was made up just now: nobody can look it up later."""
    if password:
        typer.echo(f"Administrator {settings.admin_email}, first password {password} (shown only now)")
        typer.echo(f"Change it with: vpin user passwd {settings.admin_email}")


def console() -> Console:
    """Standard output, wide enough for a table when it is no terminal."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=240)


def fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)
