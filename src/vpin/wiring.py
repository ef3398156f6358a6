"""Which parts a service is made of: opened in order, closed backwards. Services are imported when they are started."""

from __future__ import annotations

import logging
import secrets
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from vpin_runtime.lifecycle import Service
from vpin_runtime.serve import Wire
from vpin_runtime.settings import Settings, SettingsError, source_of

if TYPE_CHECKING:
    from vpin_bus import Bus
    from vpin_store import Store

OPS_PORTS = {"embedded": 9100, "gateway-hw": 9101, "gateway-app": 9102, "state": 9103, "notify": 9104, "api": 9105}
"""Loopback port of ``/metrics``, ``/healthz``, ``/readyz`` where VPIN_OPS names none: services may share a machine."""


def effective(name: str, settings: Settings) -> Settings:
    """The settings of one process: its own ops port where none is set."""
    if source_of(settings, "ops") != "default":
        return settings
    return settings.model_copy(update={"ops": f"127.0.0.1:{OPS_PORTS[name]}"})


def check(settings: Settings) -> None:
    """SettingsError for a level of the log, a bus or a database that is none."""
    from vpin_store.urls import sqlite_path

    if settings.log_level.upper() not in logging.getLevelNamesMapping():
        raise SettingsError(f"VPIN_LOG_LEVEL: {settings.log_level!r} is no level: debug, info, warning or error")

    if settings.bus_url.partition("://")[0] not in ("", "memory", "amqp", "amqps"):
        raise SettingsError("VPIN_BUS_URL: a broker is amqp://user:password@host:5672/ (amqps:// by TLS)")
    if database := settings.database_url.get_secret_value():
        try:
            sqlite_path(database)
        except ValueError as error:
            raise SettingsError(f"VPIN_DATABASE_URL: {error}") from None


def bus_url(settings: Settings) -> str:
    return settings.bus_url or f"memory://{settings.data.absolute() / 'bus'}"


def database_url(settings: Settings) -> str:
    return settings.database_url.get_secret_value() or f"sqlite:///{settings.data.absolute() / 'vpin.db'}"


def wire(name: str, settings: Settings) -> Wire:
    """How the service of this name is wired in a process of its own. SettingsError without a broker."""
    if not settings.bus_url:
        raise SettingsError(
            f"{name} runs in a process of its own and needs a broker: set VPIN_BUS_URL=amqp://user:password@host:5672/ "
            "(or use `vpin run`, which needs none)"
        )
    if name in STORED and not settings.database_url.get_secret_value():
        raise SettingsError(f"{name} needs a database: set VPIN_DATABASE_URL=postgresql://user:password@host:5432/name")
    return lambda stack: MAKERS[name](settings, stack)


async def open_bus(settings: Settings, stack: AsyncExitStack) -> Bus:
    from vpin_bus import open_bus

    bus = open_bus(bus_url(settings), replicated=settings.bus_replicated)
    await bus.open()
    stack.push_async_callback(bus.close)
    return bus


async def open_store(settings: Settings, stack: AsyncExitStack) -> Store:
    """SettingsError for a database of another version. One that does not answer yet is waited for by the store."""
    from vpin_store import StoreUnavailable, WrongSchema, check_schema, open_store

    url = database_url(settings)
    try:
        has_tables = await check_schema(url)
    except WrongSchema as error:
        raise SettingsError(str(error)) from None
    except StoreUnavailable:
        has_tables = True
    if not has_tables:
        raise SettingsError("the database is empty: `vpin db upgrade` makes its tables")
    return await stack.enter_async_context(open_store(url))


async def _gateway_hw(settings: Settings, stack: AsyncExitStack) -> Service:
    from vpin_gateway_hw.app import GatewayHardware

    return GatewayHardware(settings, await open_bus(settings, stack))


async def _gateway_app(settings: Settings, stack: AsyncExitStack) -> Service:
    from vpin_gateway_app.app import GatewayApp

    return GatewayApp(settings, await open_bus(settings, stack))


async def _state(settings: Settings, stack: AsyncExitStack) -> Service:
    from vpin_state.app import StateService

    store = await open_store(settings, stack)
    return StateService(settings, await open_bus(settings, stack), store)


async def _notify(settings: Settings, stack: AsyncExitStack) -> Service:
    from vpin_notify.app import NotifyService

    return NotifyService(settings, await open_bus(settings, stack))


async def _api(settings: Settings, stack: AsyncExitStack) -> Service:
    from vpin_api.app import ApiService

    store = await open_store(settings, stack)
    return ApiService(settings, await open_bus(settings, stack), store)


MAKERS = {"gateway-hw": _gateway_hw, "gateway-app": _gateway_app, "state": _state, "notify": _notify, "api": _api}
STORED = ("state", "api")


async def prepare_database(settings: Settings) -> tuple[bool, str]:
    """Bring the schema to this version and make the first administrator when there is none.

    Returns whether there was something to migrate, and the administrator's password if it was made up just now.
    """
    from vpin_store import open_store, upgrade

    from vpin.accounts import add_account

    settings.data.mkdir(parents=True, exist_ok=True)
    migrated = await upgrade(database_url(settings))
    async with open_store(database_url(settings), connections=1) as store:
        if await store.has_super_admin():
            return migrated, ""
        given = settings.admin_password.get_secret_value()
        password = given or secrets.token_urlsafe(15)
        await add_account(store, settings.admin_email, password, settings, is_admin=True)
    return migrated, "" if given else password
