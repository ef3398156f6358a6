"""Memory of large accounts: 100 accounts of 20 dashboards, 50 widgets and 10 devices each fit in one process (400 MiB)."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

from vpin_state.json_rules import encode, read_dashboard
from vpin_state.load import build_account
from vpin_store.rows import AccountRow, AccountRows, DashboardRow, DeviceRow, ValueRow, WidgetRow

ALL_ACCOUNTS = 100
LIMIT = 300 * 1024 * 1024  # without interpreter and the rest of the process
SAMPLE = 5

_TYPES = json.loads((Path(__file__).parent / "widgets.json").read_text())


def test_widgets_and_devices_are_small():
    rows = [_rows(account) for account in range(1, SAMPLE + 1)]
    tracemalloc.start()
    accounts = [build_account(row, 0) for row in rows]
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(accounts[0].dashboards[1].widgets) == 50
    assert used * ALL_ACCOUNTS / SAMPLE < LIMIT


def _rows(account: int) -> AccountRows:
    """An account as the tables have it: every widget type in turn on a pin with a value."""
    found = AccountRows(AccountRow(account, f"{account}@x.y", "Blynk", "", "", False, False, 0, 0, 0, "", b"{}"))
    for dash in range(1, 21):
        examples = [{"id": i, **_TYPES[i % 55]["example"], "type": _TYPES[i % 55]["type"]} for i in range(50)]
        settings, widgets, _ = read_dashboard(json.dumps({"widgets": examples}).encode(), 0)
        found.dashboards.append(DashboardRow(account, dash, dash, True, 0, encode(settings)))
        for key, widget in enumerate(widgets):
            found.widgets.append(WidgetRow(account, dash, key, key, encode(widget)))
        for device in range(10):
            body = b'{"boardType":"ESP8266","isUserIcon":false}'
            token = f"{account}-{dash}-{device}".ljust(32, "t")
            found.devices.append(
                DeviceRow(account, dash, device, device, f"b{device}", token, "", 0, 0, 0, 0, "", body)
            )
            found.values += [ValueRow(account, dash, device, 118, pin, b"12.5", None, 0) for pin in range(5)]
    return found
