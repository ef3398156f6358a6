"""Settings of all services: environment variables ``VPIN_…``, an optional TOML file (``VPIN_CONFIG``), defaults.

One class for all, since the embedded run is all services in one process. Addresses are ``host:port``.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


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

    http: str = Field("0.0.0.0:8080", description="plain port: boards, HTTP, websockets (embedded run and edge)")
    tls: str = Field("0.0.0.0:9443", description="TLS port: apps, boards, HTTPS, secure websockets (embedded run and edge)")
    mqtt: str = Field("0.0.0.0:8440", description="MQTT port")
    data: Path = Field(Path("data"), description="folder of the embedded run: database, journal, certificate")

    bus_url: str = Field("", description="amqp://user:password@host:port/vhost; empty: in memory, journalled in the data folder")
    database_url: SecretStr = Field(SecretStr(""), description="postgresql://…; empty: SQLite in the data folder")
    bus_replicated: bool = Field(False, description="quorum queues in place of classic ones")
    shards: int = Field(8, ge=1, le=1024, description="shards of accounts; changing it is a maintenance step")
    flush_ms: int = Field(200, ge=1, le=10_000, description="longest time between a change and its commit, milliseconds")
    state_index: int = Field(0, ge=0, description="number of this state process, from 0")
    state_count: int = Field(1, ge=1, description="number of state processes")

    ops: str = Field("127.0.0.1:9100", description="where /metrics, /healthz and /readyz of this process are served")
    hardware: str = Field("0.0.0.0:8081", description="gateway-hw: plain port (boards, websockets)")
    hardware_tls: str = Field("", description="gateway-hw: TLS port; empty: none (the edge terminates TLS)")
    app: str = Field("", description="gateway-app: plain port (behind an edge that terminates TLS); empty: none")
    app_tls: str = Field("0.0.0.0:9444", description="gateway-app: TLS port; empty: none")
    api: str = Field("0.0.0.0:8082", description="api: HTTP port")
    proxy_protocol: bool = Field(False, description="the gateways' clients come through an edge that sends PROXY protocol v2")
    tls_certificate: Path | None = Field(None, description="PEM chain; empty: self-signed, made in the data folder")
    tls_key: Path | None = Field(None, description="PEM key of the certificate")
    server_host: str = Field("", description="name of this server towards clients (get-server, links in mails)")

    admin_email: str = Field("admin@vpin.local", description="first administrator, made when there is none")
    admin_password: SecretStr = Field(SecretStr(""), description="its password; empty: a random one, printed once")
    message_quota: int = Field(100, ge=0, description="frames a second and connection; 0: none")
    registrations_per_hour: int = Field(1000, ge=0, description="of the whole server; 0: none allowed")
    initial_energy: int = Field(100_000, description="energy of a new account")
    hardware_idle_timeout: int = Field(10, ge=0, description="seconds, × 2.3, until a silent board is disconnected; 0: never")
    app_idle_timeout: int = Field(300, ge=0, description="seconds until a silent app is disconnected; 0: never")
    notification_interval: int = Field(5, ge=0, description="seconds between notifications of a kind on one connection")

    smtp_host: str = Field("", description="mail server; empty: mails fail")
    smtp_port: int = Field(25, ge=1, le=65535)
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_from: str = Field("vpin@localhost", description="sender of mails")
    smtp_starttls: bool | None = Field(None, description="STARTTLS: true, false, or empty: when offered")

    log_level: str = "info"
    log_json: bool | None = Field(None, description="JSON lines; empty: when not a terminal")

    @field_validator("http", "tls", "mqtt", "ops", "hardware", "hardware_tls", "app", "app_tls", "api")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value:
            parse_address(value)
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
        import os

        toml = os.environ.get("VPIN_CONFIG")
        sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
        return (*sources, TomlConfigSettingsSource(settings_cls, Path(toml))) if toml else sources
