"""Commands 12, 13, 14 and 18: a board asks for a tweet, a mail, a push message, an SMS (spec 01, 8.2).

The checks and the answers are here; notify delivers. Each connection may send one of a kind per interval.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from vpin_messages.jobs import Answer, Job
from vpin_protocol import Command, Status, split_all

from vpin_state.errors import Refused
from vpin_state.registry import HARDWARE, handles

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard, Device, Widget
    from vpin_state.session import Session

PUSH_MAX, TWEET_MAX, SMS_MAX = 255, 140, 160
DAY_MS = 86_400_000

_address = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")


@handles(Command.EMAIL, HARDWARE)
def email(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`to·subject·body` or `subject·body`; 200 once the mail server has taken it, 15 if it has not."""
    device = _device(session)
    widget = _widget(device.dash, "EMAIL")
    if widget is None or not device.dash.active:
        raise Refused(Status.NOT_ALLOWED)
    if not body:
        raise Refused(Status.ILLEGAL_COMMAND)
    account = device.dash.account
    if account.mails_sent(fx.now // DAY_MS) >= fx.config.mails_per_day:
        raise Refused(Status.QUOTA_LIMIT)
    fields = [field.decode(errors="replace") for field in split_all(body)]
    if len(fields) < 2:
        raise Refused(Status.ILLEGAL_COMMAND)
    _not_too_soon(fx, session, "mail")
    to, subject, text = fields[:3] if len(fields) >= 3 else ("", *fields)
    to = widget.json.get("to") or to or account.row.email
    receivers = [address.strip() for address in to.split(",")]
    if not all(_address.fullmatch(address) for address in receivers):
        raise Refused(Status.ILLEGAL_COMMAND)
    account.count_mail(fx.now // DAY_MS)
    subject, text = _fill(subject, device), _fill(text, device)
    html = text if widget.json.get("contentType", "TEXT_HTML") == "TEXT_HTML" else ""
    fx.notify(
        _job(fx, session, "mail", receivers, subject=subject, text="" if html else text, html=html, answered=True)
    )


@handles(Command.PUSH, HARDWARE)
def push(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """A text for the phones of the NOTIFICATION widget; 200 at once."""
    device = _device(session)
    text = body.decode(errors="replace")
    if not 0 < len(text) <= PUSH_MAX:
        raise Refused(Status.NOTIFICATION_INVALID_BODY)
    if not device.dash.active:
        raise Refused(Status.NO_ACTIVE_DASHBOARD)
    widget = _widget(device.dash, "NOTIFICATION")
    phones = push_tokens(widget) if widget else []
    if widget is None or not phones:
        raise Refused(Status.NOTIFICATION_NOT_AUTHORIZED)
    _not_too_soon(fx, session, "push")
    details = {"priority": widget.json.get("priority", "normal"), "dash": str(device.dash.id)}
    fx.notify(_job(fx, session, "push", phones, text=_fill(text, device), details=details))
    fx.reply(Status.OK)


@handles(Command.TWEET, HARDWARE)
def tweet(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """A text for the TWITTER widget's account; the provider's outcome is the answer."""
    device = _device(session)
    text = body.decode(errors="replace")
    if not 0 < len(text) <= TWEET_MAX:
        raise Refused(Status.NOTIFICATION_INVALID_BODY)
    widget = _widget(device.dash, "TWITTER")
    if widget is None or not device.dash.active or not widget.json.get("token") or not widget.json.get("secret"):
        raise Refused(Status.NOTIFICATION_NOT_AUTHORIZED)
    _not_too_soon(fx, session, "tweet")
    details = {"token": widget.json["token"], "secret": widget.json["secret"]}
    fx.notify(_job(fx, session, "tweet", [], text=text, details=details, answered=True))


@handles(Command.SMS, HARDWARE)
def sms(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """A text for the number of the SMS widget; the provider's outcome is the answer."""
    device = _device(session)
    text = body.decode(errors="replace")
    if not 0 < len(text) <= SMS_MAX:
        raise Refused(Status.NOTIFICATION_INVALID_BODY)
    widget = _widget(device.dash, "SMS")
    if widget is None or not device.dash.active or not widget.json.get("to"):
        raise Refused(Status.NOTIFICATION_NOT_AUTHORIZED)
    _not_too_soon(fx, session, "sms")
    fx.notify(_job(fx, session, "sms", [widget.json["to"]], text=_fill(text, device), answered=True))


def push_tokens(widget: Widget) -> list[str]:
    """The phones' tokens that a NOTIFICATION widget keeps."""
    return [*widget.json.get("androidTokens", {}).values(), *widget.json.get("iOSTokens", {}).values()]


def _device(session: Session) -> Device:
    assert session.device is not None
    return session.device


def _widget(dash: Dashboard, kind: str) -> Widget | None:
    return next((widget for widget in dash.widgets if widget.type == kind), None)


def _not_too_soon(fx: Effects, session: Session, kind: str) -> None:
    """One notification of a kind per interval and connection; sooner: 1. The clock starts even if sending fails."""
    times = session.notified_at = session.notified_at or {}
    if fx.now - times.get(kind, 0) < fx.config.notification_interval * 1000:
        raise Refused(Status.QUOTA_LIMIT)
    times[kind] = fx.now


def _fill(text: str, device: Device) -> str:
    """Replace the placeholders of spec 01, 8.2."""
    owner = device.dash.account.row.email
    values = {"{DEVICE_NAME}": device.name or "New Device", "{VENDOR_EMAIL}": owner, "{DEVICE_OWNER_EMAIL}": owner}
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


def _job(
    fx: Effects,
    session: Session,
    channel: str,
    to: list[str],
    *,
    subject: str = "",
    text: str = "",
    html: str = "",
    details: dict[str, str] | None = None,
    answered: bool = False,
) -> Job:
    account = session.account
    answer = None
    if answered:
        answer = Answer(account.shard, session.instance.sender, session.id, fx.message_id)
    key = secrets.token_hex(16)
    return Job(
        key,
        channel,
        to,
        subject,
        text,
        html,
        account=account.id,
        details=details or {},
        answer=answer,
        created_at=fx.now / 1000,
    )
