"""From a job to a mail: headers, parts, addresses. No IO."""

from __future__ import annotations

import hashlib
import re
import time
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from typing import NamedTuple

from vpin_messages.jobs import Attachment, Job

from vpin_notify.providers import Refused

MAX_ADDRESS = 255  # characters

_LOCAL = re.compile(r"""[^\s@"<>(),:;\\\[\]\x00-\x20\x7f.]+(\.[^\s@"<>(),:;\\\[\]\x00-\x20\x7f.]+)*""")
_DOMAIN = re.compile(r"[^\W_]([\w-]*[^\W_])?(\.[^\W_]([\w-]*[^\W_])?)*")
_CONTENT_TYPE = re.compile(r"([\w.+-]+)/([\w.+-]+)")
_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f]+")


class Mail(NamedTuple):
    """What goes over SMTP."""

    sender: str
    to: list[str]
    content: bytes  # 7 bit, or UTF-8 headers when `international`
    international: bool  # an address is not ASCII: needs SMTPUTF8


def build(job: Job, sender: str) -> Mail:
    """The mail of a job; Refused when an address is no address. `sender`: `a@b` or `Name <a@b>`."""
    name, address = parseaddr(sender)
    origin = _address(address, "the sender's address (VPIN_SMTP_FROM)", name)
    to = [_address(address, "a receiver's address") for address in dict.fromkeys(job.to)]
    if not to:
        raise Refused("there is no receiver")
    international = not all(address.addr_spec.isascii() for address in (origin, *to))
    message = EmailMessage(policy=SMTPUTF8 if international else SMTP.clone(cte_type="7bit"))
    message["From"] = origin
    message["To"] = to
    message["Subject"] = _LINE_BREAKS.sub(" ", job.subject)
    message["Date"] = format_datetime(_moment(job.created_at or time.time()))
    message["Message-ID"] = message_id(job.key, origin.domain)
    message["Auto-Submitted"] = "auto-generated"
    _fill(message, job)
    return Mail(origin.addr_spec, [address.addr_spec for address in to], message.as_bytes(), international)


def message_id(key: str, domain: str) -> str:
    """The same for every delivery of a job, so that a mail server or reader can tell that it has it already."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{_ascii(domain)}>"


def _fill(message: EmailMessage, job: Job) -> None:
    if job.text or not job.html:
        message.set_content(job.text)
        if job.html:
            message.add_alternative(job.html, subtype="html")
    else:
        message.set_content(job.html, subtype="html")
    page = message.get_body(("html",))
    for attachment in sorted(job.attachments, key=lambda a: not a.cid):
        main, sub = _content_type(attachment)
        name = _LINE_BREAKS.sub("_", attachment.name)
        if attachment.cid and isinstance(page, EmailMessage):
            cid = f"<{attachment.cid}>"
            page.add_related(attachment.data, main, sub, cid=cid, filename=name, disposition="inline")
        else:
            message.add_attachment(attachment.data, maintype=main, subtype=sub, filename=name)


def _address(text: str, what: str, name: str = "") -> Address:
    local, at, domain = text.rpartition("@")
    if (
        len(text) > MAX_ADDRESS
        or not at
        or len(local) > 64
        or not _LOCAL.fullmatch(local)
        or not _DOMAIN.fullmatch(domain)
    ):
        raise Refused(f"{what} is not valid")
    try:
        return Address(_LINE_BREAKS.sub(" ", name), local, _ascii(domain))
    except ValueError as error:  # from the standard library's parser, or a label too long for DNS
        raise Refused(f"{what} is not valid") from error


def _ascii(domain: str) -> str:
    return domain if domain.isascii() else domain.encode("idna").decode("ascii")


def _content_type(attachment: Attachment) -> tuple[str, str]:
    found = _CONTENT_TYPE.fullmatch(attachment.content_type)
    if found is None or found[1] in ("multipart", "message"):  # these have a structure that bytes do not
        return "application", "octet-stream"
    return found[1], found[2]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
