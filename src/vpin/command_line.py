"""What the commands of `vpin` have in common: options, settings, the database, how they end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from vpin_runtime.settings import Settings
    from vpin_store import Store

T = TypeVar("T")

Properties = Annotated[
    Path | None,
    typer.Option("--server-properties", help="Take settings from an old server.properties (VPIN_… are stronger)."),
]
Toml = Annotated[Path | None, typer.Option("--config", help="Take settings from a TOML file (VPIN_… are stronger).")]

DATABASE = "VPIN_DATABASE_URL=postgresql://vpin:secret@localhost/vpin"


def examples(*lines: str) -> str:
    """The end of a command's help."""
    return "Examples:\n\n" + "\n\n".join(lines)


def load(server_properties: Path | None = None, config: Path | None = None) -> Settings:
    """The settings in force. Ends the program with a message when they are wrong."""
    import tomllib

    from pydantic import ValidationError
    from vpin_runtime.settings import Settings

    from vpin.wiring import check

    for variable, file in (("VPIN_SERVER_PROPERTIES", server_properties), ("VPIN_CONFIG", config)):
        if file is not None:
            os.environ[variable] = str(file)
    try:
        settings = Settings()
        check(settings)
    except ValidationError as error:
        fail("\n".join(f"VPIN_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()))
    except tomllib.TOMLDecodeError as error:
        fail(f"{os.environ['VPIN_CONFIG']}: {error}")
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
    from vpin_runtime.settings import source_of

    if password:
        typer.echo(f"Administrator {settings.admin_email}, first password {password} (shown only now)")
        with_data = source_of(settings, "data") != "default" and not settings.database_url.get_secret_value()
        place = f"VPIN_DATA={settings.data} " if with_data else ""
        typer.echo(f"Change it with: {place}vpin user passwd {settings.admin_email}")


def console() -> Console:
    """Standard output, wide enough for a table when it is no terminal."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=240)


def fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)
