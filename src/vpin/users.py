"""`vpin user`: accounts on the command line."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from vpin.command_line import Properties, Toml, console, examples, fail, load, with_store

user = typer.Typer(
    help="Accounts: add, change the password, list, delete.",
    epilog=examples(
        "vpin user add anna@example.org", "vpin user passwd anna@example.org", "vpin user delete anna@example.org"
    ),
    no_args_is_help=True,
)

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
        help="The password; it is asked for where none is given.",
    ),
]


@user.command(epilog=examples("vpin user add anna@example.org", "vpin user add --admin root@example.org"))
def add(
    email: Email,
    password: Password,
    app_name: AppName = "Blynk",
    admin: Annotated[bool, typer.Option("--admin", help="With the rights of an administrator.")] = False,
    server_properties: Properties = None,
    config: Toml = None,
) -> None:
    """Make an account."""
    from vpin.accounts import add_account

    settings = load(server_properties, config)
    with_store(settings, lambda store: add_account(store, email, password, settings, app_name=app_name, is_admin=admin))
    typer.echo(f"{email} has an account.")


@user.command(epilog=examples("vpin user passwd anna@example.org"))
def passwd(
    email: Email,
    password: Password,
    app_name: AppName = "Blynk",
    server_properties: Properties = None,
    config: Toml = None,
) -> None:
    """Set the password of an account."""
    from vpin.accounts import set_password

    settings = load(server_properties, config)
    with_store(settings, lambda store: set_password(store, email, password, app_name))
    typer.echo(
        f"The password of {email} is set. Sessions of the HTTP API have ended; "
        "apps that are connected now need it when they connect again."
    )


@user.command(name="list", epilog=examples("vpin user list"))
def list_users(server_properties: Properties = None, config: Toml = None) -> None:
    """List all accounts."""
    from datetime import UTC, datetime

    from rich.table import Table

    from vpin.accounts import all_accounts

    table = Table("id", "e-mail", "app", "administrator", "made", "last log-in")
    for row in with_store(load(server_properties, config), all_accounts):
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
    server_properties: Properties = None,
    config: Toml = None,
) -> None:
    """Delete an account and everything of it: projects, devices, tokens, values, history, events, sessions.

    vpin may run meanwhile: boards and apps of the account are disconnected, and nothing of theirs is taken any more.

    Ends with 0 when the account is gone, 1 when vpin has not done it yet, 2 when nothing was done.
    """
    from vpin_store import in_use

    from vpin.deletion import belongings, delete_account
    from vpin.wiring import database_url

    settings = load(server_properties, config)
    found = with_store(settings, lambda store: belongings(store, email, app_name))
    typer.echo(f"{found}\nIt is deleted with everything of it. Only a backup brings it back.")
    if not yes and not sys.stdin.isatty():
        fail("Run it again with --yes to delete it.")
    if not yes and not typer.confirm("Delete it?"):
        raise typer.Exit(2)
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
