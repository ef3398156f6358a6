"""Rows for tests."""

from __future__ import annotations

from typing import Any

from vpin_store.rows import (
    AccountRow,
    DashboardRow,
    DatastreamRow,
    DeviceRow,
    EventRow,
    PropertyRow,
    TemplateRow,
    TokenRow,
    ValueRow,
    WidgetRow,
)

V = ord("v")


def account(
    account_id: int = 0, email: str = "anna@example.com", app_name: str = "Blynk", **changed: Any
) -> AccountRow:
    row = AccountRow(account_id, email, app_name, "Anna", "$argon2id$", False, False, 100_000, 1, 0, "", b"{}")
    return row._replace(**changed)


def dashboard(account_id: int, dash_id: int, **changed: Any) -> DashboardRow:
    return DashboardRow(account_id, dash_id, 0, True, 1_700_000_000_000, b'{"name":"Home"}')._replace(**changed)


def widget(account_id: int, dash_id: int, key: int, **changed: Any) -> WidgetRow:
    return WidgetRow(account_id, dash_id, key, key, b'{"type":"BUTTON"}')._replace(**changed)


def device(account_id: int, dash_id: int, device_id: int, **changed: Any) -> DeviceRow:
    row = DeviceRow(account_id, dash_id, device_id, 0, "Board", "t" * 32, "", 0, 0, 0, 0, "", b'{"vendor":"x"}')
    return row._replace(**changed)


def token(text: str, account_id: int, **changed: Any) -> TokenRow:
    return TokenRow(text, "device", account_id, 1, 0, 0, b"")._replace(**changed)


def value(account_id: int, dash_id: int, device_id: int, pin: int, text: bytes = b"1", **changed: Any) -> ValueRow:
    return ValueRow(account_id, dash_id, device_id, V, pin, text, None, 5)._replace(**changed)


def prop(account_id: int, dash_id: int, device_id: int, pin: int, name: str = "label") -> PropertyRow:
    return PropertyRow(account_id, dash_id, device_id, V, pin, name, b"x\0y")


def template(account_id: int, template_id: str, **changed: Any) -> TemplateRow:
    return TemplateRow(account_id, template_id, 0, "Lamp", 1, 2, b'{"events":{}}')._replace(**changed)


def datastream(account_id: int, template_id: str, pin: int, **changed: Any) -> DatastreamRow:
    return DatastreamRow(account_id, template_id, V, pin, pin, pin, f"V{pin}", f"v{pin}", b"{}")._replace(**changed)


def event(account_id: int, dash_id: int, device_id: int, event_id: int, **changed: Any) -> EventRow:
    row = EventRow(account_id, dash_id, device_id, event_id, "hot", "warning", "too hot", event_id, 0)
    return row._replace(**changed)
