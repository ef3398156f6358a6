"""The old ``server.properties`` (and mail, sms, gcm, twitter4j.properties) as a source of settings (spec 06, sections 3 and 4).

Java properties syntax. Unknown names are never an error. An empty value means "not set".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["NAMES", "parse_properties", "settings_from"]

NAMES: dict[str, str] = {
    "http.port": "http",
    "https.port": "tls",
    "hardware.mqtt.port": "mqtt",
    "server.ssl.cert": "tls_certificate",
    "server.ssl.key": "tls_key",
    "data.folder": "data",
    "log.level": "log_level",
    "user.message.quota.limit": "message_quota",
    "notifications.frequency.user.quota.limit": "notification_interval",
    "hard.socket.idle.timeout": "hardware_idle_timeout",
    "app.socket.idle.timeout": "app_idle_timeout",
    "sync.resend.on.connect": "resend_on_connect",
    "allow.store.ip": "store_ip",
    "user.dashboard.max.limit": "dashboards_max",
    "user.devices.limit": "devices_max",
    "user.tags.limit": "tags_max",
    "user.widget.max.size.limit": "widget_kib",
    "user.profile.max.size": "project_kib",
    "terminal.strings.pool.size": "terminal_lines",
    "map.strings.pool.size": "map_points",
    "lcd.strings.pool.size": "lcd_commands",
    "table.rows.pool.size": "table_rows",
    "hourly.registrations.limit": "registrations_per_hour",
    "initial.energy": "initial_energy",
    "admin.email": "admin_email",
    "admin.pass": "admin_password",
    "admin.rootPath": "admin_path",
    "allowed.administrator.ips": "admin_addresses",
    "server.host": "server_host",
    "restore.host": "restore_host",
    "product.name": "product_name",
    "mail.smtp.host": "smtp_host",
    "mail.smtp.port": "smtp_port",
    "mail.smtp.username": "smtp_username",
    "mail.smtp.password": "smtp_password",
    "mail.smtp.starttls.enable": "smtp_starttls",
    "mail.from": "smtp_from",
    "nexmo.api.url": "sms_url",
    "nexmo.api.key": "sms_key",
    "nexmo.api.secret": "sms_secret",
    "twitter.api.url": "tweet_url",
    "oauth.consumerKey": "tweet_key",
    "oauth.consumerSecret": "tweet_secret",
    "gcm.server": "push_url",
    "gcm.api.key": "push_key",
    "notification.body": "offline_text",
    "notification.title": "push_title",
    "vendor.email": "vendor_email",
    "store.minute.record.days": "history_minute_days",
    "store.export.csv.report.days": "download_days",
    "csv.export.data.points.max": "download_points",
    "force.port.80.for.csv": "download_port_80",
    "allow.reading.widget.without.active.app": "reading_without_app",
}
"""Old name to setting. ``listen.address`` gives the host of the three ports."""

EMPTY = {"hard.socket.idle.timeout": "0", "app.socket.idle.timeout": "0"}
"""What an empty value of a name means, where it is not "not set"."""
PORTS = ("http", "tls", "mqtt")
LEVELS = {"trace": "debug", "warn": "warning"}
VALUES: dict[str, Callable[[str], Any]] = {"log_level": lambda value: LEVELS.get(value.lower(), value.lower())}


def settings_from(file: Path) -> dict[str, Any]:
    """What the file sets, by the names of :class:`vpin_runtime.settings.Settings`. OSError when it cannot be read."""
    properties = parse_properties(file.read_text(encoding="utf-8"))
    properties |= {name: value for name, value in EMPTY.items() if properties.get(name) == ""}
    found = {NAMES[name]: value for name, value in properties.items() if name in NAMES and value}
    for setting, convert in VALUES.items():
        if setting in found:
            found[setting] = convert(found[setting])
    if "smtp_host" in found:
        found["smtp_verify"] = "false"  # the server that a mail.properties names is trusted whatever its certificate
    host = properties.get("listen.address") or "0.0.0.0"  # noqa: S104  empty means all interfaces there
    for port in PORTS:
        if port in found:
            found[port] = f"{host}:{found[port]}"
    return found


def parse_properties(text: str) -> dict[str, str]:
    """Names and values; the last value of a name wins."""
    found: dict[str, str] = {}
    for line in _logical_lines(text):
        name, value = _split(line)
        found[_unescape(name)] = _unescape(value)
    return found


def _logical_lines(text: str) -> Iterator[str]:
    """Lines without comments, with those joined that end in an odd number of backslashes."""
    joined = ""
    for line in text.splitlines():
        part = line.lstrip(" \t\f")
        if not joined and (not part or part[0] in "#!"):
            continue
        joined += part
        if (len(joined) - len(joined.rstrip("\\"))) % 2:
            joined = joined[:-1]
            continue
        yield joined.rstrip()
        joined = ""
    if joined:
        yield joined.rstrip()


def _split(line: str) -> tuple[str, str]:
    """At the first ``=``, ``:`` or blank that is not escaped, with the blanks around it."""
    match = re.match(r"((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)", line, re.DOTALL)
    return (match[1], match[2]) if match else (line, "")


ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def _unescape(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) == 5 else ESCAPES.get(code, code)

    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", plain, text)
