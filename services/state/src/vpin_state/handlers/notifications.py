"""Commands 12, 13, 14 and 18: a board asks for a tweet, a mail, a push message, an SMS (spec 01, 8.2; 05, 1).

The checks and the answers are here; notify delivers. Each connection may send one of a kind per interval. Its clock
starts when the checks before it have passed, even if the message is refused then.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from vpin_messages.jobs import Answer, Job
from vpin_messages.requests import PinReply
from vpin_messages.slab import credential
from vpin_protocol import Command, Status, split_all

from vpin_state import mail_counts
from vpin_state.addresses import is_email
from vpin_state.errors import Refused
from vpin_state.registry import HARDWARE, handles, operation

if TYPE_CHECKING:
    from vpin_messages.requests import PinRequest

    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard, Widget
    from vpin_state.session import Session

PUSH_MAX, TWEET_MAX, SMS_MAX = 255, 140, 160
PHONES = {"androidTokens": "android", "iOSTokens": "ios"}
"""Key of a NOTIFICATION widget with {uid: token} → `details["os"]` of a push job."""


@handles(Command.EMAIL, HARDWARE)
def email(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`to·subject·body` or `subject·body`; 200 once the mail server has taken it, 15 if it has not."""
    device = _device(session)
    account = device.dash.account
    widget = find_widget(device.dash, "EMAIL")
    if widget is None or not device.dash.active:
        raise Refused(Status.NOT_ALLOWED)
    if not body:
        raise Refused(Status.ILLEGAL_COMMAND)
    if mail_counts.too_many(fx, account):
        raise Refused(Status.QUOTA_LIMIT)
    fields = [field.decode(errors="replace") for field in split_all(body.rstrip(b"\0"))]
    if len(fields) < 2:
        raise Refused(Status.ILLEGAL_COMMAND)
    _not_too_soon(fx, session, "mail")
    named, subject, text = fields if len(fields) == 3 else (account.row.email, *fields[:2])
    to = _fill(fx, widget.json.get("to") or named, device)
    if not is_email(to):
        raise Refused(Status.ILLEGAL_COMMAND)
    mail_counts.count(fx, account)
    subject, text = _fill(fx, subject, device), _fill(fx, text, device)
    html = text if widget.json.get("contentType", "TEXT_HTML") == "TEXT_HTML" else ""
    _notify(fx, device.dash, "mail", [to], subject=subject, text="" if html else text, html=html, answered=True)


@handles(Command.PUSH, HARDWARE)
def push(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """A text for the phones of the NOTIFICATION widget; 200 at once."""
    device = _device(session)
    text = _text(body, PUSH_MAX)
    if not device.dash.active:
        raise Refused(Status.NO_ACTIVE_DASHBOARD)
    widget = find_widget(device.dash, "NOTIFICATION")
    if widget is None or not any(widget.json.get(key) for key in PHONES):
        raise Refused(Status.NOTIFICATION_NOT_AUTHORIZED)
    _not_too_soon(fx, session, "push")
    text = text.replace("{DEVICE_NAME}", device.name)
    if len(text) > PUSH_MAX:
        raise Refused(Status.NOTIFICATION_INVALID_BODY)
    push_text(fx, device.dash, text)
    fx.reply(Status.OK)


@handles(Command.TWEET, HARDWARE)
def tweet(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """A text for the TWITTER widget's account; the provider's outcome is the answer."""
    device = _device(session)
    text = _text(body, TWEET_MAX)
    widget = find_widget(device.dash, "TWITTER")
    if widget is None or not device.dash.active or not widget.json.get("token") or not widget.json.get("secret"):
        raise Refused(Status.NOTIFICATION_NOT_AUTHORIZED)
    _not_too_soon(fx, session, "tweet")
    details = {"token": widget.json["token"], "secret": widget.json["secret"]}
    _notify(fx, device.dash, "tweet", [], text=text, details=details, answered=True)


@handles(Command.SMS, HARDWARE)
def sms(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """A text for the number of the SMS widget; 200 once the provider has it, 15 if it has not."""
    device = _device(session)
    text = _text(body, SMS_MAX)
    widget = find_widget(device.dash, "SMS")
    if widget is None or not device.dash.active or not widget.json.get("to"):
        raise Refused(Status.NOTIFICATION_NOT_AUTHORIZED)
    _not_too_soon(fx, session, "sms")
    _notify(fx, device.dash, "sms", [widget.json["to"]], text=text, answered=True)


# -- push, for whoever has something to push


def find_widget(dash: Dashboard, kind: str) -> Widget | None:
    """The first widget of a type on the dashboard itself."""
    return next((widget for widget in dash.widgets if widget.type == kind), None)


def push_text(fx: Effects, dash: Dashboard, text: str) -> None:
    """A push to every phone of the dashboard's NOTIFICATION widget, nothing without one; a job per phone system."""
    widget = find_widget(dash, "NOTIFICATION")
    if widget is None:
        return
    title = fx.config.push_title.replace("{PRODUCT_NAME}", fx.config.product_name)
    asker = next((device for device in dash.devices.values() if device.token), None)
    for key, os in PHONES.items():
        if phones := list((widget.json.get(key) or {}).values()):
            details = {"os": os, "priority": widget.json.get("priority") or "normal", "dash": str(dash.id)}
            details["title"] = title
            if asker is not None:  # under whose token notify may say that a phone is gone
                details |= {"device": str(asker.id), "credential": str(credential(asker.token))}
            _notify(fx, dash, "push", phones, text=text, details=details)


def notify_phones(fx: Effects, dash: Dashboard, text: str) -> None:
    """:func:`push_text` of a rule: nothing where the text is too long."""
    if len(text) <= PUSH_MAX:
        push_text(fx, dash, text)


def mail_text(fx: Effects, dash: Dashboard, subject: str, text: str) -> None:
    """A plain mail of a rule to the EMAIL widget's receiver, without one to the owner; nothing above the daily limit."""
    account = dash.account
    if mail_counts.too_many(fx, account):
        return
    widget = find_widget(dash, "EMAIL")
    to = (widget.json.get("to") if widget else None) or account.row.email
    if not is_email(to):
        return
    mail_counts.count(fx, account)
    _notify(fx, dash, "mail", [to], subject=subject, text=text)


def tweet_text(fx: Effects, dash: Dashboard, text: str) -> None:
    """A tweet of a rule; nothing without a widget that is set up, or where the text is too long."""
    widget = find_widget(dash, "TWITTER")
    if widget is not None and widget.json.get("token") and widget.json.get("secret") and len(text) <= TWEET_MAX:
        details = {"token": widget.json["token"], "secret": widget.json["secret"]}
        _notify(fx, dash, "tweet", [], text=text, details=details)


@operation("forgetPhone")
def forget_phone(fx: Effects, device: Device, request: PinRequest) -> PinReply:
    """The push service says that a phone (its token is `name`) is gone: every NOTIFICATION widget forgets it."""
    for dash in device.dash.account.dashboards.values():
        for widget in dash.widgets:
            for key in PHONES if widget.type == "NOTIFICATION" else ():
                phones = widget.json.get(key) or {}
                if request.name in phones.values():
                    widget.json = {**widget.json, key: {u: t for u, t in phones.items() if t != request.name}}
                    widget.changed()
    return PinReply(200)


# -- shared by the commands


def _device(session: Session) -> Device:
    assert session.device is not None
    return session.device


def _text(body: bytes, longest: int) -> str:
    """The text of a notification, of 1 to `longest` characters; else 13."""
    text = body.decode(errors="replace")
    if not 0 < len(text) <= longest:
        raise Refused(Status.NOTIFICATION_INVALID_BODY)
    return text


def _not_too_soon(fx: Effects, session: Session, kind: str) -> None:
    """One notification of a kind per interval and connection; sooner: 1. The clock starts even if sending fails."""
    times = session.notified_at = session.notified_at or {}
    if fx.now - times.get(kind, 0) < fx.config.notification_interval * 1000:
        raise Refused(Status.QUOTA_LIMIT)
    times[kind] = fx.now


def _fill(fx: Effects, text: str, device: Device) -> str:
    """Replace the placeholders of spec 05, 1.1.1."""
    owner = device.dash.account.row.email
    values = {
        "{DEVICE_NAME}": device.name,
        "{VENDOR_EMAIL}": fx.config.vendor_email,
        "{DEVICE_OWNER_EMAIL}": owner,
    }
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


def _notify(
    fx: Effects,
    dash: Dashboard,
    channel: str,
    to: list[str],
    *,
    subject: str = "",
    text: str = "",
    html: str = "",
    details: dict[str, str] | None = None,
    answered: bool = False,
) -> None:
    """Hand a job to notify; `answered`: the outcome of its first attempt answers the message being handled."""
    answer = None
    if answered:
        session = fx.session
        assert session is not None
        answer = Answer(dash.account.shard, session.instance.sender, session.id, fx.message_id)
    job = Job(secrets.token_hex(16), channel, to, subject, text, html, account=dash.account.id, details=details or {})
    job.answer = answer
    job.created_at = fx.now / 1000
    fx.notify(job)
