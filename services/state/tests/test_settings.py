"""The settings of the installation reach the handlers, those of an old server.properties too (spec 06, 3)."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from vpin_runtime.settings import Settings
from vpin_state.config import Config
from vpin_state.settings import core_config

LINES = """
sync.resend.on.connect=false
allow.store.ip=false
user.dashboard.max.limit=1
user.devices.limit=2
user.tags.limit=3
user.widget.max.size.limit=4
user.profile.max.size=5
terminal.strings.pool.size=6
map.strings.pool.size=7
lcd.strings.pool.size=8
table.rows.pool.size=9
notification.title=It is {PRODUCT_NAME}
"""


def test_an_old_file_says_what_boards_and_apps_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "server.properties").write_text(LINES)
    monkeypatch.setenv("VPIN_SERVER_PROPERTIES", str(tmp_path / "server.properties"))
    config = core_config(Settings())
    assert (config.resend_on_connect, config.store_ip) == (False, False)
    assert (config.dashboards_max, config.devices_max, config.tags_max) == (1, 2, 3)
    assert (config.widget_size_max, config.profile_size_max) == (4 * 1024, 5 * 1024)
    kept = (config.terminal_lines, config.map_points, config.lcd_commands, config.table_rows)
    assert kept == (6, 7, 8, 9)
    assert config.push_title == "It is {PRODUCT_NAME}"


def test_the_defaults_of_both_are_the_same():
    settings, handlers = core_config(Settings()), Config()
    different = {f.name for f in fields(Config) if getattr(settings, f.name) != getattr(handlers, f.name)}
    assert different == {"server_host", "downloads"}
