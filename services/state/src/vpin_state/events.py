"""Events of devices: recorded in the time line, told to those whom the template names (spec 08, 3; 04, 2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from vpin_messages.jobs import Job
from vpin_store.rows import EventRow

from vpin_state.handlers.notifications import push_text
from vpin_state.watching import show_event

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Device, JsonObject
    from vpin_state.templates import Template

PERIOD_MS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
UNLIMITED = {"count": 1, "per": "minute"}
"""Limit of the notifications of an event that names none."""

_json = msgspec.json.Encoder().encode


def log(fx: Effects, device: Device, code: str, description: str = "") -> bool:
    """Record an event that the device's template defines, and notify; False: there is no such event."""
    template = device.dash.account.templates.get(device.template_id)
    definition: JsonObject | None = template.body.get("events", {}).get(code) if template else None
    if template is None or definition is None:
        return False
    account, text = device.dash.account, description or definition.get("description", "")
    account.last_event = max(account.last_event + 1, fx.now * 1000)
    place = (account.id, device.dash.id, device.id, account.last_event)
    account.mark().events.append(EventRow(*place, code, definition["severity"], text, fx.now, 0))
    show_event(device, account.last_event, code, definition["severity"], text, fx.now)
    told = {"account": account.id, "dash": device.dash.id, "device": device.id, "code": code, "at": fx.now}
    fx.emit("event.logged", _json(told | {"severity": definition["severity"], "description": text}))
    if _may_notify(template, device, code, definition.get("limit") or UNLIMITED, fx.now):
        _notify(fx, device, definition, text)
    return True


def _may_notify(template: Template, device: Device, code: str, limit: JsonObject, now: int) -> bool:
    """Count a notification, if the event has not had its share of them in this period."""
    key = (code, device.dash.id, device.id)
    since = now - PERIOD_MS[limit["per"]]
    times = [at for at in template.notified.get(key, ()) if at > since]
    if allowed := len(times) < limit["count"]:
        times.append(now)
    template.notified[key] = times
    return allowed


def _notify(fx: Effects, device: Device, definition: JsonObject, text: str) -> None:
    account, receivers = device.dash.account, definition.get("notify", {})
    subject = f"{device.name}: {definition['name']}"
    for address in receivers.get("email", ()):
        to = account.row.email if address == "owner" else address
        job = Job(fx.new_token(), "mail", [to], subject, text or subject, account=account.id, created_at=fx.now / 1000)
        fx.notify(job)
    for phone in receivers.get("sms", ()):
        message = f"{subject} {text}".strip()[:160]
        fx.notify(Job(fx.new_token(), "sms", [phone], text=message, account=account.id, created_at=fx.now / 1000))
    if receivers.get("push"):
        push_text(fx, device.dash, f"{subject} {text}".strip()[:255])
