"""Limits and names that handlers need: the part of the settings that the core may know."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Config:
    """Times in seconds, sizes in bytes. Defaults are those of the shipped configuration (spec 02, 15)."""

    server_host: str = "localhost"
    http_port: int = 8080
    https_port: int = 9443
    product_name: str = "vpin"
    hardware_idle_timeout: int = 10
    notification_interval: int = 5
    events_per_day: int = 100
    event_interval_ms: int = 1000
    mails_per_day: int = 100
    initial_energy: int = 100_000
    dashboards_max: int = 100
    devices_max: int = 50
    tags_max: int = 100
    widget_size_max: int = 20 * 1024
    profile_size_max: int = 256 * 1024
    reports_max: int = 25
    apps_max: int = 25
    store_ip: bool = True
    resend_on_connect: bool = True
    offline_text: str = "Your {DEVICE_NAME} went offline."
    push_title: str = "{PRODUCT_NAME} Notification"
    vendor_email: str = ""
    reads_without_app: bool = False
    tells_values: bool = False
    raw_days: int = 30
    minute_days: int = 30
    terminal_lines: int = 25
    map_points: int = 25
    lcd_commands: int = 6
    table_rows: int = 100
    downloads: str = "http://localhost:8080"
    """Where links to exported files lead, without a path."""
    download_days: int = 45

    def link(self, name: str) -> str:
        """The address of an exported file."""
        return f"{self.downloads}/{quote(name, safe='@')}"
