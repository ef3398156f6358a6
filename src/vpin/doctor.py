"""`vpin doctor`: looks at what an installation needs, and says what to do about what is wrong."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from vpin_runtime.settings import Settings, parse_address

from vpin.welcome import ANY
from vpin.wiring import bus_url, database_url

DISK_LOW = 500 * 1024 * 1024
CERTIFICATE_LOW = 21 * 24 * 3600
IMPLICIT_TLS = 465
"""The port of mail servers on which TLS begins at once."""
REACH_SECONDS = 5.0


class Level(Enum):
    GOOD = "ok"
    DOUBT = "look"
    BAD = "wrong"


class Finding(NamedTuple):
    part: str
    level: Level
    what: str
    advice: str = ""


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """All findings, in the order in which an operator would fix them."""
    yield clock()
    yield data_folder(settings.data)
    yield port("http", settings.http, settings.http)
    yield port("tls", settings.tls, settings.tls)
    if settings.mqtt:
        yield port("mqtt", settings.mqtt, settings.http)
    yield await database(settings)
    yield await bus(settings)
    yield certificate(settings)
    yield await mail(settings)


def clock() -> Finding:
    """A board's values carry the server's time: a machine that lost it writes history into the past."""
    newest = max(path.stat().st_mtime for path in Path(__file__).parent.glob("*.py"))
    if time.time() < newest - 86400:
        now = time.strftime("%Y-%m-%d", time.gmtime())
        return Finding("clock", Level.BAD, f"says {now}, before this program was installed", "Set the time, start NTP.")
    return Finding("clock", Level.GOOD, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def data_folder(folder: Path) -> Finding:
    there = folder if folder.exists() else next(parent for parent in folder.absolute().parents if parent.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("data", Level.BAD, f"{there} cannot be written", "Give it to this user, or set VPIN_DATA.")
    free = shutil.disk_usage(there).free
    if free < DISK_LOW:
        return Finding("data", Level.DOUBT, f"{folder}: {free >> 20} MiB free", "Make room or set VPIN_DATA elsewhere.")
    return Finding("data", Level.GOOD, f"{folder.absolute()}: {free >> 30} GiB free")


def port(setting: str, address: str, health: str) -> Finding:
    """Free, or ours already: then vpin answers at the address `health`."""
    host, number = parse_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            if _is_vpin("https" if setting == "tls" else "http", *parse_address(health)):
                return Finding(setting, Level.GOOD, f"{address} is served by vpin")
            return Finding(
                setting, Level.BAD, f"{address}: {error.strerror}", f"Free it or set VPIN_{setting.upper()}."
            )
    return Finding(setting, Level.GOOD, f"{address} is free")


def _is_vpin(scheme: str, host: str, number: int) -> bool:
    name = "127.0.0.1" if host in ANY else host
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    url = f"{scheme}://{name}:{number}/api/v1/health"
    try:
        with urllib.request.urlopen(url, timeout=REACH_SECONDS, context=context) as answer:  # noqa: S310  our own URL
            return answer.status == 200
    except urllib.error.HTTPError as error:
        return error.code == 503
    except OSError:
        return False


async def database(settings: Settings) -> Finding:
    from vpin_store import StoreUnavailable, WrongSchema, check_schema

    url = database_url(settings)
    if url.startswith("sqlite") and not (settings.data / "vpin.db").exists():
        return Finding("database", Level.GOOD, "SQLite, made at the first start")
    try:
        async with asyncio.timeout(REACH_SECONDS):
            has_tables = await check_schema(url)
    except (StoreUnavailable, TimeoutError) as error:
        return Finding("database", Level.BAD, f"no answer: {error}", "Start PostgreSQL or correct VPIN_DATABASE_URL.")
    except WrongSchema as error:
        return Finding("database", Level.BAD, str(error), "Or restore a backup: `vpin restore --replace`.")
    if not has_tables:
        return Finding("database", Level.BAD, "is empty", "Run `vpin db upgrade`.")
    return Finding("database", Level.GOOD, "reachable, schema of this version")


async def bus(settings: Settings) -> Finding:
    if not settings.bus_url:
        return Finding("bus", Level.GOOD, "in memory, for `vpin run` (set VPIN_BUS_URL for separate services)")
    from vpin_bus import open_bus

    broker = open_bus(bus_url(settings))
    try:
        async with asyncio.timeout(REACH_SECONDS):
            await broker.open()
    except TimeoutError:
        return Finding(
            "bus", Level.BAD, "no answer", "Start RabbitMQ or correct VPIN_BUS_URL (host, user, virtual host)."
        )
    finally:
        await broker.close()
    return Finding("bus", Level.GOOD, "RabbitMQ answers")


def certificate(settings: Settings) -> Finding:
    if settings.tls_certificate is None:
        return Finding(
            "certificate",
            Level.DOUBT,
            "self-signed: apps must be told to accept it",
            "Set VPIN_TLS_CERTIFICATE, VPIN_TLS_KEY.",
        )
    from cryptography import x509

    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(settings.tls_certificate, settings.tls_key)
        chain = x509.load_pem_x509_certificates(settings.tls_certificate.read_bytes())
    except (OSError, ValueError) as error:
        return Finding(
            "certificate", Level.BAD, f"{settings.tls_certificate}: {error}", "Give a PEM chain and its own key."
        )
    left = chain[0].not_valid_after_utc.timestamp() - time.time()
    until = f"valid until {chain[0].not_valid_after_utc:%Y-%m-%d}"
    level = Level.BAD if left < 0 else Level.DOUBT if left < CERTIFICATE_LOW else Level.GOOD
    return Finding("certificate", level, until, "" if level is Level.GOOD else "Renew it.")


async def mail(settings: Settings) -> Finding:
    if not settings.smtp_host:
        return Finding(
            "mail", Level.DOUBT, "no mail server: mails of boards fail", "Set VPIN_SMTP_HOST, VPIN_SMTP_PORT."
        )
    import aiosmtplib

    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username or None,
        password=settings.smtp_password.get_secret_value() or None,
        use_tls=settings.smtp_port == IMPLICIT_TLS,
        start_tls=False if settings.smtp_port == IMPLICIT_TLS else settings.smtp_starttls,
        validate_certs=settings.smtp_verify,
        timeout=REACH_SECONDS,
    )
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        async with client:
            pass
    except (aiosmtplib.SMTPException, OSError) as error:
        return Finding("mail", Level.BAD, f"{where}: {error}", "Correct VPIN_SMTP_… or ask who runs that server.")
    return Finding("mail", Level.GOOD, f"{where} takes mail")
