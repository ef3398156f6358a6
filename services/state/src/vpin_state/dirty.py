"""What an account has to store: the marks that the methods of the model set and :mod:`vpin_state.collect` turns into rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpin_store.rows import EventRow, PointRow

    from vpin_state.pins import Pin


class Dirty:
    """What an account has to store, by primary key: the newest state is read when the rows are collected."""

    __slots__ = (
        "account",
        "dashboards",
        "deleted_dashboards",
        "deleted_datastreams",
        "deleted_devices",
        "deleted_history",
        "deleted_properties",
        "deleted_templates",
        "deleted_tokens",
        "deleted_values",
        "deleted_widgets",
        "devices",
        "events",
        "jobs",
        "pins",
        "points",
        "properties",
        "templates",
        "tokens",
        "widgets",
    )

    def __init__(self) -> None:
        self.account = False
        self.dashboards: set[int] = set()
        self.widgets: set[tuple[int, int]] = set()  # dashboard, key
        self.devices: set[tuple[int, int]] = set()  # dashboard, device
        self.tokens: dict[str, tuple[str, int, int, int, bytes]] = {}  # token -> kind, dash, device, expires_at, body
        self.pins: list[Pin] = []
        self.points: list[PointRow] = []
        self.properties: set[tuple[int, int, int, int, str]] = set()  # dash, target, kind, number, name
        self.templates: set[str] = set()  # with all their datastreams
        self.events: list[EventRow] = []
        self.deleted_templates: list[str] = []
        self.deleted_datastreams: list[tuple[str, int, int]] = []  # template, kind, number
        self.deleted_dashboards: list[int] = []
        self.deleted_widgets: list[tuple[int, int]] = []
        self.deleted_devices: list[tuple[int, int]] = []
        self.deleted_tokens: list[str] = []
        self.deleted_values: list[tuple[int, int, int, int]] = []  # dash, target, kind, number (-1: all)
        self.deleted_properties: list[tuple[int, int, int, int, str]] = []
        self.deleted_history: list[tuple[int, ...]] = []  # dash, then device, kind and number as far as they matter
        self.jobs: list[tuple[str, bytes]] = []
