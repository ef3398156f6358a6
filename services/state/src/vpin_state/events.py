"""Events of devices: recorded in the time line, told to those whom the template names (spec 08, 3; 04, 2.2 and 2.4).

A template's own events are logged by boards and by HTTP; `online` and `offline` are built in, every device with a template
has them, and a template may say more of them. While a device is away for less than the template's `ignoreSeconds`, neither
is logged: a return within leaves no trace.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec
from vpin_messages.jobs import Job
from vpin_protocol import Status
from vpin_store.rows import EventRow

from vpin_state import event_counts
from vpin_state.errors import Refused
from vpin_state.handlers.notifications import PHONES, find_widget, push_text
from vpin_state.watching import show_event

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard, JsonObject
    from vpin_state.templates import Template

PERIOD_MS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
UNLIMITED = {"count": 1, "per": "minute"}
"""Limit of the notifications of an event that names none."""
BUILT_IN: dict[str, JsonObject] = {
    "online": {"name": "Online", "severity": "info"},
    "offline": {"name": "Offline", "severity": "warning"},
}
AWAY = "offlineEvent"
"""Key in a device's body: when (ms) its absence becomes an event. It survives a change of owner."""
REMEMBERED = 100
"""Last events of a device that are kept in memory: the same is not logged twice in a second, and they may be resolved before
they are committed."""

_json = msgspec.json.Encoder().encode


def defines(device: Device, code: str) -> bool:
    """Whether the device may log an event of that code itself."""
    template = _template(device)
    return template is not None and code in template.body.get("events", {}) and code not in BUILT_IN


def log(fx: Effects, device: Device, code: str, description: str = "") -> bool:
    """Record an event that the device's template defines, and notify; False: there is no such event.

    Refused(1) for too many of the device in a day, or the same twice in a second.
    """
    template = _template(device)
    if template is None or not defines(device, code):
        return False
    if _is_over(fx, device):
        raise Refused(Status.QUOTA_LIMIT)
    if any(row.code == code and fx.now - row.at < fx.config.event_interval_ms for row in device.logged or ()):
        raise Refused(Status.QUOTA_LIMIT)
    _record(fx, device, code, template.body["events"][code], description)
    return True


def resolve(fx: Effects, device: Device, row: EventRow) -> None:
    """An event is resolved now, unless it was; one that is not committed yet is committed once, as resolved."""
    known = next((other for other in device.logged or () if other.id == row.id), row)
    if known.resolved_at:
        return
    row = known._replace(resolved_at=fx.now)
    waiting = device.dash.account.mark().events
    waiting[:] = [*(other for other in waiting if other[:4] != row[:4]), row]
    if device.logged is not None:
        device.logged = deque((row if other.id == row.id else other for other in device.logged), maxlen=REMEMBERED)
    show_event(device, row)


def came_online(fx: Effects, device: Device) -> None:
    """The first connection of a device is there."""
    if device.body.pop(AWAY, None) is not None:
        device.touched()
        return
    _log_built_in(fx, device, "online")


def went_offline(fx: Effects, device: Device) -> None:
    """Its last connection is gone."""
    template = _template(device)
    if template is None:
        return
    seconds = template.body.get("events", {}).get("offline", {}).get("ignoreSeconds", 0)
    if not seconds:
        _log_built_in(fx, device, "offline")
        return
    device.body[AWAY] = fx.now + seconds * 1000
    device.touched()
    wait_for_return(fx, device)


def wait_for_return(fx: Effects, device: Device) -> None:
    """A device is away, and that is no event yet: log it when it stays so."""
    at: int = device.body[AWAY]

    def stayed_away(fx: Effects) -> None:
        if device.body.get(AWAY) == at and device.dash.devices.get(device.id) is device and not device.online:
            del device.body[AWAY]
            device.touched()
            _log_built_in(fx, device, "offline")

    fx.schedule(at, device.dash.account, stayed_away)


def _log_built_in(fx: Effects, device: Device, code: str) -> None:
    """One beyond the day's limit is dropped."""
    template = _template(device)
    if template is not None and not _is_over(fx, device):
        definition = template.body.get("events", {}).get(code) or BUILT_IN[code]
        _record(fx, device, code, definition, "")


def _template(device: Device) -> Template | None:
    return device.dash.account.templates.get(device.template_id) if device.template_id else None


def _is_over(fx: Effects, device: Device) -> bool:
    """Whether the device has logged as many events as it may in a day."""
    most = fx.config.events_per_day
    return 0 < most <= event_counts.logged(device, fx.now)


def _record(fx: Effects, device: Device, code: str, definition: JsonObject, description: str) -> None:
    account, text = device.dash.account, description or definition.get("description", "")
    account.last_event = max(account.last_event + 1, fx.now * 1000)
    place = (account.id, device.dash.id, device.id, account.last_event)
    row = EventRow(*place, code, definition["severity"], text, fx.now, 0)
    account.mark_quietly().events.append(row)
    if device.logged is None:
        device.logged = deque(maxlen=REMEMBERED)
    device.logged.append(row)
    show_event(device, row)
    told = {"account": account.id, "dash": device.dash.id, "device": device.id, "code": code, "at": fx.now}
    fx.emit("event.logged", _json(told | {"severity": row.severity, "description": text}))
    tells = _may_notify(fx, device, code, definition.get("limit") or UNLIMITED)
    event_counts.count(device, fx.now, code if tells else None)
    if tells:
        _notify(fx, device, definition, text)


def _may_notify(fx: Effects, device: Device, code: str, limit: JsonObject) -> bool:
    """Whether the event has not had its share of notifications in this period, and the last one is some time ago."""
    times = event_counts.told(device, code, fx.now - PERIOD_MS[limit["per"]])
    too_soon = bool(times) and fx.now - times[-1] < fx.config.notification_interval * 1000
    return len(times) < limit["count"] and not too_soon


def _notify(fx: Effects, device: Device, definition: JsonObject, text: str) -> None:
    account, receivers = device.dash.account, definition.get("notify", {})
    subject = f"{device.name}: {definition['name']}"
    common = {"account": account.id, "created_at": fx.now / 1000}
    for address in receivers.get("email", ()):
        to = account.row.email if address == "owner" else address
        fx.notify(Job(fx.new_token(), "mail", [to], subject, text or subject, **common))
    for phone in receivers.get("sms", ()):
        message = f"{subject} {text}".strip()[:160]
        fx.notify(Job(fx.new_token(), "sms", [phone], text=message, **common))
    for url in receivers.get("apprise", ()):
        fx.notify(Job(fx.new_token(), "apprise", [url], subject, text or subject, **common))
    if receivers.get("push") and (dash := _dash_with_phones(device)) is not None:
        push_text(fx, dash, f"{subject} {text}".strip()[:255])


def _dash_with_phones(device: Device) -> Dashboard | None:
    """The device's dashboard, or, since not every device has one that apps see, the owner's first with a phone."""
    for dash in (device.dash, *device.dash.account.dashboards.values()):
        widget = find_widget(dash, "NOTIFICATION")
        if widget is not None and any(widget.json.get(key) for key in PHONES):
            return dash
    return None
