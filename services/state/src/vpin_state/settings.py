"""What the state service takes from the settings of the installation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vpin_runtime.settings import parse_address

from vpin_state.config import Config

if TYPE_CHECKING:
    from vpin_runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class EntrySettings:
    """For clients that are not logged in."""

    server_host: str
    registrations_per_hour: int
    initial_energy: int
    product_name: str = "vpin"
    restore_host: str = "localhost"
    """Where links in mails about passwords lead: host and, where it needs one, port."""
    sends_mail: bool = False


def core_config(settings: Settings) -> Config:
    """Limits and names for the handlers."""
    return Config(
        server_host=settings.server_host or "127.0.0.1",
        product_name=settings.product_name,
        http_port=parse_address(settings.http).port,
        https_port=parse_address(settings.tls).port,
        hardware_idle_timeout=settings.hardware_idle_timeout,
        resend_on_connect=settings.resend_on_connect,
        store_ip=settings.store_ip,
        dashboards_max=settings.dashboards_max,
        devices_max=settings.devices_max,
        tags_max=settings.tags_max,
        widget_size_max=settings.widget_kib * 1024,
        profile_size_max=settings.project_kib * 1024,
        terminal_lines=settings.terminal_lines,
        map_points=settings.map_points,
        lcd_commands=settings.lcd_commands,
        table_rows=settings.table_rows,
        notification_interval=settings.notification_interval,
        events_per_day=settings.events_per_day,
        initial_energy=settings.initial_energy,
        offline_text=settings.offline_text,
        push_title=settings.push_title,
        vendor_email=settings.vendor_email,
        reads_without_app=settings.reading_without_app,
        downloads=_downloads(settings),
        download_days=settings.download_days,
        tells_values=settings.value_events,
        raw_days=settings.history_raw_days,
        minute_days=settings.history_minute_days,
    )


def entry_settings(settings: Settings) -> EntrySettings:
    host = settings.server_host or "127.0.0.1"
    return EntrySettings(
        host,
        settings.registrations_per_hour,
        settings.initial_energy,
        settings.product_name,
        settings.restore_host or f"{host}:{parse_address(settings.http).port}",
        bool(settings.smtp_host),
    )


def _downloads(settings: Settings) -> str:
    port = 80 if settings.download_port_80 else parse_address(settings.http).port
    host = settings.server_host or "127.0.0.1"
    return f"http://{host}" if port == 80 else f"http://{host}:{port}"


def own_shards(settings: Settings) -> list[int]:
    """Numbers of the shards that this process serves: all where it is the only kind of state process (replicas stand by)."""
    if settings.state_index >= settings.state_count:
        raise ValueError(
            f"VPIN_STATE_INDEX is {settings.state_index}, but VPIN_STATE_COUNT is {settings.state_count}: indexes run from 0"
        )
    return [n for n in range(settings.shards) if n % settings.state_count == settings.state_index]
