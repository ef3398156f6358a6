"""What the pin API tells of a project, and its notifications (spec 04, 1.4, 1.6, 1.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from vpin_messages.jobs import Job
from vpin_messages.requests import PinReply

from vpin_state import clocks, mail_counts
from vpin_state.copies import bare_project
from vpin_state.handlers.notifications import PHONES, find_widget, push_text
from vpin_state.handlers.pins import NOT_ACTIVE, OK
from vpin_state.json_rules import View
from vpin_state.model import NO_PROJECT
from vpin_state.profile import dashboard_json
from vpin_state.registry import operation

if TYPE_CHECKING:
    from vpin_messages.requests import PinRequest

    from vpin_state.device import Device
    from vpin_state.effects import Effects

_json = msgspec.json.Encoder().encode


@operation("project")
def project(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """The project with the values of its widgets, without anything secret."""
    if device.dash.id == NO_PROJECT:
        return NOT_ACTIVE
    return PinReply(200, _json(dashboard_json(device.dash, fx.now, View.PUBLIC)))


@operation("cloneLink")
def clone_link(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """A new code under which the project is kept as it is now, as the link that apps read from a QR code."""
    code, dash = fx.new_token(), device.dash
    dash.account.set_token(code, "clone", dash.id, body=_json(bare_project(dash)))
    link = f"blynk://token/clone/{code}?server={fx.config.server_host}&port={fx.config.https_port}"
    return PinReply(200, link.encode())


@operation("rtc")
def rtc(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """Seconds since 1970 of the wall clock in the zone of the RTC widget, in a list."""
    widget = find_widget(device.dash, "RTC")
    if widget is None:
        return PinReply(400, b"Requested rtc not exists in app.")
    return PinReply(200, _json([clocks.local_seconds(fx.now, clocks.zone(widget.json.get("tzName")))]))


@operation("notify")
def notify(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """A push (its text is `name`) to the phones of the project."""
    if not device.dash.active:
        return NOT_ACTIVE
    widget = find_widget(device.dash, "NOTIFICATION")
    if widget is None:
        return PinReply(400, b"No notification widget.")
    if not any(widget.json.get(key) for key in PHONES):
        return PinReply(400, b"Notification widget not initialized.")
    push_text(fx, device.dash, request.name)
    return OK


@operation("email")
def email(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """A mail; `values` are receiver, subject and text."""
    dash = device.dash
    if not dash.active:
        return NOT_ACTIVE
    if find_widget(dash, "EMAIL") is None:
        return PinReply(400, b"No email widget.")
    to, subject, text = request.values
    if not to or not subject:
        return PinReply(400, b"Email body is wrong. Missing or empty fields 'to', 'subj'.")
    if mail_counts.too_many(fx, dash.account):
        return PinReply(429, b"Too many requests.")
    mail_counts.count(fx, dash.account)
    job = Job(fx.new_token(), "mail", [to], subject, text, account=dash.account.id, created_at=fx.now / 1000)
    fx.notify(job)
    return OK
