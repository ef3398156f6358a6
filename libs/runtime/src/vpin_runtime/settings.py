"""Settings of all services. Strongest first: environment variables ``VPIN_…``, the TOML file that ``VPIN_CONFIG``
names, the old properties files that ``VPIN_SERVER_PROPERTIES`` names (several like a PATH), defaults.

One class for all, since the embedded run is all services in one process. Addresses are ``host:port``.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from vpin_runtime.properties import settings_from


class SettingsError(ValueError):
    """With these settings nothing can be started; the message says what to do."""


class Address(NamedTuple):
    host: str
    port: int


def parse_address(text: str) -> Address:
    """``host:port`` or ``:port``; ValueError when the port is none. Brackets of an IPv6 host are taken off."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is no address: give host:port, such as 0.0.0.0:8080")
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104  a server listens to its network


class Settings(BaseSettings):
    """What is in force, shown by ``vpin config``."""

    model_config = SettingsConfigDict(env_prefix="VPIN_", extra="ignore", validate_default=True)

    http: str = Field(
        default="0.0.0.0:8080", description="plain port: boards, HTTP, websockets (embedded run and edge)"
    )
    tls: str = Field(
        default="0.0.0.0:9443", description="TLS port: apps, boards, HTTPS, websockets (embedded run and edge)"
    )
    mqtt: str = Field(
        default="0.0.0.0:8440", description="MQTT port of boards (embedded run and edge); port 0 or empty: none"
    )
    data: Path = Field(default=Path("data"), description="folder of the embedded run: database, journal, certificate")

    bus_url: str = Field(
        default="", description="amqp://user:password@host:port/vhost; empty: in memory, journal in the data folder"
    )
    database_url: SecretStr = Field(
        default=SecretStr(""), description="postgresql://…; empty: SQLite in the data folder"
    )
    bus_replicated: bool = Field(default=False, description="quorum queues in place of classic ones")
    shards: int = Field(default=8, ge=1, le=1024, description="shards of accounts; changing it is a maintenance step")
    flush_ms: int = Field(
        default=200, ge=1, le=10_000, description="milliseconds between a change and its commit, at most"
    )
    state_index: int = Field(default=0, ge=0, description="number of this state process, from 0")
    state_count: int = Field(default=1, ge=1, description="number of state processes")

    ops: str = Field(
        default="127.0.0.1:9100", description="where /metrics, /healthz and /readyz of this process are served"
    )
    hardware: str = Field(default="0.0.0.0:8081", description="gateway-hw: plain port (boards, websockets)")
    hardware_tls: str = Field(default="", description="gateway-hw: TLS port; empty: none (the edge terminates TLS)")
    hardware_mqtt: str = Field(
        default="0.0.0.0:8084", description="gateway-hw: MQTT port (behind the edge); port 0 or empty: none"
    )
    app: str = Field(
        default="", description="gateway-app: plain port (behind an edge that terminates TLS); empty: none"
    )
    app_tls: str = Field(default="0.0.0.0:9444", description="gateway-app: TLS port; empty: none")
    api: str = Field(default="0.0.0.0:8082", description="api: HTTP port")
    proxy_protocol: bool = Field(default=False, description="clients come through an edge that sends PROXY protocol v2")
    tls_certificate: Path | None = Field(
        default=None, description="PEM chain; empty: self-signed, made in the data folder"
    )
    tls_key: Path | None = Field(default=None, description="PEM key of the certificate")
    server_host: str = Field(default="", description="name of this server towards clients (get-server, links in mails)")
    restore_host: str = Field(
        default="", description="host[:port] in links to a new password; empty: server_host and the port of http"
    )
    product_name: str = Field(default="vpin", description="what mails and push messages call the product")

    admin_email: str = Field(default="admin@vpin.local", description="first administrator, made when there is none")
    admin_password: SecretStr = Field(
        default=SecretStr(""), description="its password; empty: a random one, printed once"
    )
    admin_path: str = Field(default="/admin", description="path of the administration, on the TLS port")
    admin_addresses: str = Field(
        default="0.0.0.0/0,::/0", description="who may open it: addresses and blocks such as 10.0.0.0/8, by commas"
    )
    message_quota: int = Field(default=100, ge=0, description="frames a second and connection; 0: none")
    mqtt_max_packet: int = Field(default=65_536, ge=256, le=65_536, description="bytes of an MQTT packet of a board")
    registrations_per_hour: int = Field(default=1000, ge=0, description="of the whole server; 0: none allowed")
    session_rate: int = Field(
        default=200,
        ge=0,
        description="requests a second with one session on /api/v1, ten times as many at once; 0: any",
    )
    device_rate: int = Field(
        default=50, ge=0, description="the same of one device on /external/api (each process of the api counts)"
    )
    address_rate: int = Field(
        default=1000, ge=0, description="the same of one client address, on all but the /{token}/… routes"
    )
    device_updates_per_day: int = Field(default=500_000, ge=0, description="on /external/api; 0: any")
    device_points_per_day: int = Field(default=10_000, ge=0, description="points that are imported there; 0: any")
    device_exports_per_day: int = Field(default=10, ge=0, description="exports there; 0: any")
    legacy_update_rate: int = Field(
        default=0, ge=0, description="writes a second of one account on /{token}/…; 0: any, old clients know no 429"
    )
    legacy_notify_interval: int = Field(
        default=0, ge=0, description="seconds between two pushes or mails of a device on /{token}/…; 0: none"
    )
    cors_origins: str = Field(
        default="", description="origins whose pages may use /api/v1, by commas; *: all; empty: none but its own"
    )
    cors_credentials: bool = Field(default=False, description="they may send cookies, too (vpin has none)")
    initial_energy: int = Field(default=100_000, description="energy of a new account")
    hardware_idle_timeout: int = Field(
        default=10, ge=0, description="seconds, × 2.3, until a silent board is cut off; 0: never"
    )
    app_idle_timeout: int = Field(default=300, ge=0, description="seconds until a silent app is cut off; 0: never")
    notification_interval: int = Field(
        default=5, ge=0, description="seconds between notifications of a kind on one connection"
    )

    resend_on_connect: bool = Field(
        default=True, description="boards with a template are sent their marked datastreams at each log-in, unasked"
    )
    store_ip: bool = Field(default=True, description="the last addresses of apps and boards are kept")
    dashboards_max: int = Field(default=100, ge=0, description="projects of an account")
    devices_max: int = Field(default=50, ge=0, description="devices of a project")
    tags_max: int = Field(default=100, ge=0, description="tags of a project")
    widget_kib: int = Field(default=20, ge=1, description="KiB of a widget, settings of a project, an exported app")
    project_kib: int = Field(default=256, ge=1, description="KiB of a project that an app creates or replaces")
    terminal_lines: int = Field(default=25, ge=1, description="lines that a terminal keeps")
    map_points: int = Field(default=25, ge=1, description="points that a map keeps")
    lcd_commands: int = Field(default=6, ge=1, description="commands that an LCD in advanced mode keeps")
    table_rows: int = Field(default=100, ge=1, description="rows that a table keeps")

    events_per_day: int = Field(
        default=100, ge=0, le=100, description="events that a device may log in a day; 0: any number"
    )

    smtp_host: str = Field(default="", description="mail server; empty: mails fail")
    smtp_port: int = Field(default=25, ge=1, le=65535)
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_from: str = Field(default="vpin@localhost", description="sender of mails")
    smtp_starttls: bool | None = Field(default=None, description="STARTTLS: true, false, or empty: when offered")
    smtp_verify: bool = Field(
        default=True, description="the mail server's certificate has to be valid for its name; false: any is trusted"
    )

    sms_url: str = Field(default="https://rest.nexmo.com/sms/json", description="SMS gateway (Vonage's SMS API)")
    sms_key: str = Field(default="", description="its API key; empty: SMS fail")
    sms_secret: SecretStr = SecretStr("")
    sms_from: str = Field(default="Blynk", description="sender of SMS")
    tweet_url: str = Field(
        default="https://api.twitter.com/1.1/statuses/update.json", description="who takes tweets (API 1.1, OAuth 1.0a)"
    )
    tweet_key: str = Field(default="", description="consumer key there; empty: tweets fail")
    tweet_secret: SecretStr = Field(default=SecretStr(""), description="consumer secret")
    push_credentials: Path | None = Field(
        default=None, description="service account of Firebase (JSON file): push messages by FCM HTTP v1"
    )
    push_url: str = Field(
        default="", description="push service; empty: FCM. With a key: a server of the old form, as gcm.server was"
    )
    push_key: SecretStr = Field(default=SecretStr(""), description="key of a push server of the old form")
    apprise: bool = Field(
        default=True, description="events may be told by Apprise: templates then make this server call any address"
    )
    offline_text: str = Field(
        default="Your {DEVICE_NAME} went offline.", description="push message when a board goes offline"
    )
    push_title: str = Field(default="{PRODUCT_NAME} Notification", description="title of push messages")
    vendor_email: str = Field(default="", description="{VENDOR_EMAIL} in mails of boards")
    reading_without_app: bool = Field(
        default=False, description="displays with a reading interval ask their boards though no app is there"
    )

    value_events: bool = Field(
        default=False, description="domain events value.changed on the exchange vpin.events, after each commit"
    )

    history_minute_days: int = Field(
        default=30, ge=1, description="days of minutes that a pin's history keeps, counted in points: 1440 a day"
    )
    history_raw_days: int = Field(
        default=30, ge=1, description="days for which numbers of datastreams with history raw are kept as they came"
    )

    download_days: int = Field(default=45, ge=1, description="days that links to exported files work")
    download_points: int = Field(default=43_200, ge=1, description="points of a pin in an exported file, the newest")
    download_port_80: bool = Field(default=False, description="links to exported files name no port")

    log_level: str = "info"
    log_json: bool | None = Field(default=None, description="JSON lines; empty: when not a terminal")

    @field_validator("tls_certificate", "tls_key", "push_credentials", mode="before")
    @classmethod
    def _is_named(cls, value: object) -> object:
        """An empty name of a file is none: compose passes one on where nothing is set."""
        return None if value == "" else value

    @field_validator("mqtt", "hardware_mqtt", mode="before")
    @classmethod
    def _is_off(cls, value: object) -> object:
        """Port 0 is none, as it was (spec 06, 3)."""
        return "" if str(value).rpartition(":")[2] == "0" else value

    @field_validator("http", "tls", "mqtt", "ops", "hardware", "hardware_tls", "hardware_mqtt", "app", "app_tls", "api")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value:
            parse_address(value)
        return value

    @model_validator(mode="after")
    def _credentials_need_origins(self) -> Self:
        if self.cors_credentials and "*" in self.cors_origins:
            raise ValueError("cors_credentials needs cors_origins that are named: * is all the world")
        return self

    @field_validator("admin_path")
    @classmethod
    def _is_root(cls, value: str) -> str:
        if not re.fullmatch(r"(/[\w.-]+)+", value, re.ASCII):
            raise ValueError(f"{value!r} is no path: give one such as /admin")
        return value

    @field_validator("admin_addresses")
    @classmethod
    def _are_addresses(cls, value: str) -> str:
        for entry in filter(None, (part.strip() for part in value.split(","))):
            ip_network(entry, strict=False)  # an address is a network too; ValueError says what is wrong
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, *(source for _, source in _files(settings_cls)))


def source_of(settings: Settings, name: str) -> str:
    """Where the value of a setting came from: ``VPIN_…``, a file's name, or ``default``."""
    variable = f"VPIN_{name.upper()}"
    if variable in os.environ:
        return variable
    for file, source in _files(type(settings)):
        if name in source():
            return file
    return "default" if name not in settings.model_fields_set else "command line"


def _files(settings_cls: type[BaseSettings]) -> list[tuple[str, PydanticBaseSettingsSource]]:
    """Sources that are files, strongest first. OSError when a named file cannot be read."""
    found: list[tuple[str, PydanticBaseSettingsSource]] = []
    if toml := os.environ.get("VPIN_CONFIG"):
        Path(toml).open().close()  # the library takes a missing file for an empty one
        found.append((toml, TomlConfigSettingsSource(settings_cls, Path(toml))))
    for properties in filter(None, os.environ.get("VPIN_SERVER_PROPERTIES", "").split(os.pathsep)):
        values = settings_from(Path(properties))
        found.append((properties, InitSettingsSource(settings_cls, init_kwargs=values)))
    return found
