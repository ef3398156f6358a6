"""A device in memory, part of :mod:`vpin_state.model`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from vpin_protocol import HARDWARE_MAX_BODY

if TYPE_CHECKING:
    from vpin_store.rows import EventRow

    from vpin_state.model import Dashboard, JsonObject
    from vpin_state.session import Session

DEFAULT_BODY_LIMIT = 250
"""Longest body for a board that has not told its receive buffer (spec 01, 4.4)."""


class Device:
    """One device of a dashboard. `body` is its JSON apart from the columns here (boardType, vendor, hardwareInfo, …)."""

    __slots__ = (
        "bank",
        "body",
        "body_limit",
        "connect_time",
        "dash",
        "data_received_at",
        "data_saved_at",
        "disconnect_time",
        "first_connect_time",
        "id",
        "last_logged_ip",
        "logged",
        "name",
        "position",
        "prefix",
        "sessions",
        "template_id",
        "token",
    )

    def __init__(self, dash: Dashboard, id: int, name: str, token: str, body: JsonObject, position: int = 0) -> None:  # noqa: A002
        self.dash = dash
        self.id = id
        self.position = position
        self.name = name
        self.token = token
        self.template_id = ""
        self.body = body
        self.connect_time = self.first_connect_time = self.disconnect_time = 0
        self.data_received_at = self.data_saved_at = 0
        self.last_logged_ip = ""
        self.sessions: list[Session] = []
        self.logged: deque[EventRow] | None = None  # the last events that its board has logged
        self.bank = dash.bank(id)
        self.prefix = b"%d-%d\0" % (dash.id, id)  # in front of bodies to apps
        self.body_limit = DEFAULT_BODY_LIMIT
        self.tell_buffer()

    @property
    def online(self) -> bool:
        return bool(self.sessions)

    def tell_buffer(self) -> None:
        """Compute `body_limit` from the hardware info (spec 01, 4.4): buff-in less 5, or 250 when nothing was told.

        Never more than a frame carries, whatever a board says.
        """
        info = self.body.get("hardwareInfo")
        told = info.get("buffIn", DEFAULT_BODY_LIMIT) - 5 if info else DEFAULT_BODY_LIMIT
        self.body_limit = min(told, HARDWARE_MAX_BODY)

    def changed(self) -> None:
        self.dash.account.mark().devices.add((self.dash.id, self.id))

    def touched(self) -> None:
        """Only times or addresses were changed: store them some time."""
        self.dash.account.mark_quietly().devices.add((self.dash.id, self.id))

    def set_token(self, token: str) -> None:
        """Give the device a new token; the old one is worthless from now on."""
        dirty = self.dash.account.mark()
        if self.token:
            dirty.tokens.pop(self.token, None)
            dirty.deleted_tokens.append(self.token)
        self.token = token
        if token:
            dirty.tokens[token] = ("device", self.dash.id, self.id, 0, b"")
        self.changed()
