"""SMS through Vonage's SMS API (formerly Nexmo), or another gateway that takes the same request (spec 05, 1.3)."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import msgspec
from vpin_messages.jobs import Job
from vpin_runtime.settings import Settings

from vpin_notify.http import HttpClient
from vpin_notify.providers import Refused, Unavailable

BUSY = frozenset(("1", "5"))
"""Message statuses that pass: throttled, internal error. Any other than "0" is for good."""


MOST_REASON = 100
"""Characters of the gateway's words that are logged."""


class _Message(msgspec.Struct):
    status: str
    reason: str = msgspec.field(default="", name="error-text")


class _Answer(msgspec.Struct):
    messages: list[_Message]


_decode = msgspec.json.Decoder(_Answer).decode


class SmsProvider:
    """`settings.sms_…` name the gateway; without a key every message is refused."""

    concurrency = 4

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = HttpClient()

    async def deliver(self, job: Job) -> None:
        for at, number in enumerate(job.to):
            try:
                await self._send(number, job.text)
            except Unavailable as error:
                raise Unavailable(str(error), job.to[at:]) from error

    async def _send(self, number: str, text: str) -> None:
        settings = self._settings
        if not settings.sms_key:
            raise Refused("no SMS gateway is configured (VPIN_SMS_KEY, VPIN_SMS_SECRET)")
        fields = {
            "api_key": settings.sms_key,
            "api_secret": settings.sms_secret.get_secret_value(),
            "from": settings.sms_from,
            "to": number,
            "text": text,
        }
        answer = await self._http.post(f"{settings.sms_url}?{urlencode(fields, quote_via=quote, safe='')}")
        if answer.status == 429 or answer.status >= 500:
            raise Unavailable(f"the gateway answers {answer.status}")
        if answer.status != 200:
            raise Refused(f"the gateway answers {answer.status}")
        try:
            messages = _decode(answer.body).messages
        except msgspec.MsgspecError as error:
            raise Refused("the gateway's answer can't be read") from error
        if bad := [message for message in messages if message.status != "0"]:
            verdict = f"the gateway's verdict is {bad[0].status}: {bad[0].reason[:MOST_REASON]}"
            raise Unavailable(verdict) if messages[0].status in BUSY else Refused(verdict)

    async def close(self) -> None:
        await self._http.close()
