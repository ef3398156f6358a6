"""Notification jobs: what state hands to notify, at least once, through the durable queue ``vpin.notify``."""

from __future__ import annotations

import msgspec

LAST_ATTEMPT = 1_000_000
"""As `attempt` of a new job: it is tried once, since what is in it is worth nothing after a failure was told."""


class Answer(msgspec.Struct, array_like=True):
    """Who waits for the outcome of the first attempt: a session of a gateway, by a RESULT entry in its shard."""

    shard: int
    gateway: bytes
    session: int
    message_id: int
    ok: int = 200  # status on success
    failed: int = 15  # status when the provider refused or could not be reached


class Attachment(msgspec.Struct, array_like=True):
    name: str
    content_type: str
    data: bytes
    cid: str = ""  # Content-ID, where the HTML shows it as ``cid:…``


class Job(msgspec.Struct, array_like=True):
    """One message to one receiver list by one channel."""

    key: str  # idempotency: a job with a known key is not delivered again
    channel: str  # "mail", "sms", "push", "tweet", "webhook"
    to: list[str]
    subject: str = ""
    text: str = ""
    html: str = ""
    attachments: list[Attachment] = []
    account: int = 0
    details: dict[str, str] = {}  # channel's own fields, e.g. push: "priority", "sound"
    answer: Answer | None = None
    attempt: int = 0  # attempts made before this one
    created_at: float = 0.0  # epoch seconds


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Job).decode
