"""An account in memory: dashboards, widgets, devices (:mod:`vpin_state.device`), pins. No IO, no clock, no locks: one owner
changes it, in order.

Widgets keep no values: they are views of pins (:mod:`vpin_state.pins`). What is compiled from a dashboard's shape is
forgotten whenever it changes (:meth:`Dashboard.reshape`).

Whatever must be stored is marked dirty by the methods here; :mod:`vpin_state.collect` turns the marks into rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpin_store.rows import AccountRow

from vpin_state.dirty import Dirty
from vpin_state.pins import Bank

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.pins import Pin
    from vpin_state.rules import Eventor
    from vpin_state.session import Session
    from vpin_state.templates import Template
    from vpin_state.watching import Watch

JsonObject = dict[str, Any]

NO_PROJECT = -(1 << 31)
"""Id of the dashboard that holds an account's devices without a project: no app sees it."""


class Account:
    """One account. `dashboards` keeps the order of creation. `body` is what the profile has beside dashboards (apps)."""

    __slots__ = (
        "apps",
        "body",
        "dashboards",
        "dirty",
        "gone",
        "id",
        "idle_since",
        "last_event",
        "listed",
        "marks",
        "numbered",
        "on_dirty",
        "resets",
        "reshaped",
        "retired",
        "routes",
        "row",
        "seq",
        "shard",
        "templates",
        "timers",
        "watch",
    )

    def __init__(self, row: AccountRow, body: JsonObject, shard: int) -> None:
        self.id = row.id
        self.row = row
        self.body = body
        self.shard = shard
        self.dashboards: dict[int, Dashboard] = {}
        self.templates: dict[str, Template] = {}
        self.last_event = 0  # id of the newest event of this process
        self.apps: list[Session] = []  # logged-in app sessions, shared ones included
        self.routes: dict[bytes, tuple[Pin, Device]] = {}  # b"1-0\0vw\0001" of app writes on the fast way
        self.dirty = Dirty()
        self.marks = 0  # grows with every change of more than a pin's value
        self.on_dirty: list[Account] | None = None  # the owner's list of accounts to collect
        self.listed = False  # in that list
        self.reshaped: set[Account] | None = None  # the owner's set of accounts whose shape has changed
        self.seq = row.seq  # number of its newest write; see vpin_state.numbering
        self.numbered: dict[Pin, tuple[bytes | None, int, list[bytes] | None]] = {}  # pins as they were when numbered
        self.watch: Watch | None = None  # somebody watches it live
        self.timers = 0  # actions that are scheduled: they keep the account in memory
        self.idle_since = 0.0
        self.gone = False  # it is deleted: nothing of it is stored any more
        self.resets: dict[str, int] = {}  # tokens that let somebody set the password anew -> until when (ms)
        self.retired: tuple[int, ...] = ()  # marks of hashes of passwords that were replaced while it was in memory

    @property
    def projects(self) -> list[Dashboard]:
        """The dashboards that apps see."""
        return [dash for dash in self.dashboards.values() if dash.id != NO_PROJECT]

    def mark(self) -> Dirty:
        """The dirty marks, for writing a change that has to be committed before it is acknowledged."""
        self.marks += 1
        return self.mark_quietly()

    def mark_quietly(self) -> Dirty:
        """The dirty marks, for what nobody waits for: values, times."""
        if not self.listed and self.on_dirty is not None:
            self.listed = True
            self.on_dirty.append(self)
        return self.dirty

    def change(self, **fields: Any) -> None:
        """Replace columns of the account's row, e.g. ``change(energy=100)``."""
        self.mark().account = True
        self.row = self.row._replace(**fields)

    def changed(self) -> None:
        """`body` was changed."""
        self.mark().account = True

    def set_token(
        self, token: str, kind: str, dash_id: int = 0, device_id: int = 0, *, expires_at: int = 0, body: bytes = b""
    ) -> None:
        """Store a token that is none of a device's; it is good until `expires_at` (ms; 0: for ever)."""
        self.mark().tokens[token] = (kind, dash_id, device_id, expires_at, body)

    def drop_token(self, token: str) -> None:
        dirty = self.mark()
        dirty.tokens.pop(token, None)
        dirty.deleted_tokens.append(token)

    def forget_history(self, dash_id: int, *rest: int) -> None:
        """Delete the history of a dashboard, of a device of it, or of a pin: device, kind and number behind the dashboard."""
        dirty = self.mark()
        dirty.deleted_history.append((dash_id, *rest))
        prefix = (self.id, dash_id, *rest)
        dirty.points = [point for point in dirty.points if point.stream[: len(prefix)] != prefix]

    def delete(self) -> None:
        """Delete the account with everything of it. Its sessions are the caller's to close."""
        self.mark()
        self.gone = True

    def set_reset(self, token: str, expires_at: int) -> None:
        """Whoever has the token may set the password anew until `expires_at` (ms)."""
        self.resets[token] = expires_at
        self.mark().tokens[token] = ("reset", 0, 0, expires_at, b"")

    def drop_reset(self, token: str) -> None:
        del self.resets[token]
        self.drop_token(token)

    def retire_password(self, mark: int) -> None:
        """The password is replaced whose hash has this mark: a log-in that was verified with it comes too late."""
        self.retired = (*self.retired, mark)


class Dashboard:
    """One project. `settings` is its JSON without widgets, devices and isActive; tags are in it."""

    __slots__ = (
        "account",
        "active",
        "banks",
        "devices",
        "eventor",
        "eventor_is_stale",
        "id",
        "next_key",
        "position",
        "settings",
        "updated_at",
        "widgets",
    )

    def __init__(self, account: Account, id: int, settings: JsonObject, position: int = 0) -> None:  # noqa: A002
        self.account = account
        self.id = id
        self.position = position
        self.settings = settings
        self.active = False
        self.updated_at = 0
        self.widgets: list[Widget] = []  # in stored order
        self.devices: dict[int, Device] = {}
        self.banks: dict[int, Bank] = {}  # by target id: devices and tags
        self.next_key = 1  # of the next widget
        self.eventor: Eventor | None = None  # of vpin_state.rules, which looks at it anew when it is stale
        self.eventor_is_stale = True

    def bank(self, target: int) -> Bank:
        """The pins of a target, made when there are none yet."""
        bank = self.banks.get(target)
        if bank is None:
            bank = self.banks[target] = Bank(self, target)
        return bank

    def changed(self) -> None:
        """Settings, activity or update time were changed."""
        self.account.mark().dashboards.add(self.id)

    def reshape(self) -> None:
        """Widgets, devices, tags or activity changed: forget what was compiled from them."""
        if self.account.reshaped is not None:
            self.account.reshaped.add(self.account)
        self.account.routes.clear()
        self.eventor_is_stale = True
        for bank in self.banks.values():
            bank.routes.clear()
            bank.fast.clear()

    def add_widget(self, json: JsonObject) -> Widget:
        """Append a widget (normalised JSON, values taken out) and mark it."""
        widget = Widget(self, self.next_key, json)
        self.next_key += 1
        self.widgets.append(widget)
        widget.changed()
        self.reshape()
        return widget

    def remove_widget(self, widget: Widget) -> None:
        self.widgets.remove(widget)
        dirty = self.account.mark()
        dirty.widgets.discard((self.id, widget.key))
        dirty.deleted_widgets.append((self.id, widget.key))
        self.reshape()

    def find_widget(self, id: int) -> Widget | None:  # noqa: A002
        """The first widget of that id, not those inside tile templates."""
        return next((w for w in self.widgets if w.id == id), None)

    def remove_device(self, device: Device) -> None:
        """Take the device and all its pins away. Its sessions are the caller's to close."""
        del self.devices[device.id]
        self.banks.pop(device.id, None)
        dirty = self.account.mark()
        dirty.devices.discard((self.id, device.id))
        dirty.deleted_devices.append((self.id, device.id))
        if device.token:
            dirty.tokens.pop(device.token, None)
            dirty.deleted_tokens.append(device.token)
        self.reshape()


class Widget:
    """One widget. `json` is normalised, without the values of its pins; change it, then call :meth:`changed`."""

    __slots__ = ("dash", "json", "key")

    def __init__(self, dash: Dashboard, key: int, json: JsonObject) -> None:
        self.dash = dash
        self.key = key
        self.json = json

    @property
    def id(self) -> int:
        return self.json["id"]

    @property
    def type(self) -> str:
        return self.json["type"]

    def changed(self) -> None:
        """The JSON was changed. If pins or types changed, `dash.reshape()` too."""
        self.dash.account.mark().widgets.add((self.dash.id, self.key))
