"""Push messages to phones: by FCM HTTP v1, or by a server that takes the form of before (spec 05, 1.2.4).

One request per phone. A phone that the service no longer knows is told to `gone`, which lets its account forget it.
Details of a job: os ("android" or "ios"), priority ("normal" or "high"), dash, title.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from vpin_messages.jobs import Job
from vpin_runtime.settings import Settings

from vpin_notify.google import GoogleAccount
from vpin_notify.http import Answer, HttpClient
from vpin_notify.providers import Refused, Unavailable

FCM = "https://fcm.googleapis.com"
OLD_FCM = FCM + "/fcm/send"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
LATER = frozenset((401, 429))
"""Answers after which another attempt helps, besides those from 500 on."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode

Gone = Callable[[Job, str], None]


class _Gone(Exception):  # noqa: N818  a verdict
    """The service does not know this phone."""


class _Form(Protocol):
    """How a push service is spoken to."""

    async def request(self, job: Job, phone: str) -> tuple[str, bytes, dict[str, str]]:
        """(URL, body, headers) of the request for one phone."""
        ...

    def judge(self, answer: Answer) -> None:
        """Return when the service has taken it; _Gone, Refused, Unavailable."""
        ...


class PushProvider:
    """`settings.push_…` name the service; without credentials or key every message is refused."""

    concurrency = 8

    def __init__(self, settings: Settings, gone: Gone) -> None:
        self._gone = gone
        self._http = HttpClient()
        self._form: _Form | None = None
        if settings.push_credentials is not None:
            self._form = FirebaseForm(settings, self._http)
        elif settings.push_key.get_secret_value():
            self._form = OldForm(settings)

    async def deliver(self, job: Job) -> None:
        if self._form is None:
            raise Refused("no push service is configured (VPIN_PUSH_CREDENTIALS)")
        again: list[str] = []
        failure: Refused | Unavailable | None = None
        for phone in job.to:
            try:
                url, body, headers = await self._form.request(job, phone)
                self._form.judge(await self._http.post(url, body, headers))
            except _Gone:
                self._gone(job, phone)
            except Unavailable as error:
                again.append(phone)
                failure = error
            except Refused as error:
                failure = failure or error
        if again:
            raise Unavailable(str(failure), again)
        if failure is not None:
            raise failure

    async def close(self) -> None:
        await self._http.close()


class FirebaseForm:
    """FCM HTTP v1: a message as JSON, a token of a service account."""

    def __init__(self, settings: Settings, http: HttpClient) -> None:
        assert settings.push_credentials is not None
        self._account = GoogleAccount(settings.push_credentials, SCOPE, http)
        self._server = FCM if settings.push_url in ("", OLD_FCM) else settings.push_url

    async def request(self, job: Job, phone: str) -> tuple[str, bytes, dict[str, str]]:
        token = await self._account.token()
        url = f"{self._server}/v1/projects/{self._account.project}/messages:send"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=utf-8"}
        return url, _encode({"message": self._message(job, phone)}), headers

    def _message(self, job: Job, phone: str) -> dict[str, Any]:
        details, high = job.details, job.details.get("priority") == "high"
        dash = details.get("dash", "")
        if details.get("os") != "ios":
            data = {"message": job.text, "dashId": dash}
            return {"token": phone, "android": {"priority": "HIGH" if high else "NORMAL"}, "data": data}
        apns = {"headers": {"apns-priority": "10" if high else "5"}, "payload": {"aps": {"sound": "default"}}}
        notification = {"title": details.get("title", ""), "body": job.text}
        return {"token": phone, "notification": notification, "data": {"dashId": dash}, "apns": apns}

    def judge(self, answer: Answer) -> None:
        if answer.status == 200:
            return
        if answer.status == 401:
            self._account.forget()
        if answer.status == 404 and b"UNREGISTERED" in answer.body:
            raise _Gone
        _judge_status(answer.status)


class OldForm:
    """The form that Blynk server 0.41 spoke to FCM (and GCM before): a key in a header."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.push_url or OLD_FCM
        self._key = settings.push_key

    async def request(self, job: Job, phone: str) -> tuple[str, bytes, dict[str, str]]:
        key = f"key={self._key.get_secret_value()}"
        return (
            self._url,
            _encode(self._message(job, phone)),
            {
                "Authorization": key,
                "Content-Type": "application/json; charset=utf-8",
            },
        )

    def _message(self, job: Job, phone: str) -> dict[str, Any]:
        details, dash = job.details, int(job.details.get("dash", 0))
        message: dict[str, Any] = {"to": phone, "priority": details.get("priority", "normal")}
        if details.get("os") != "ios":
            return {**message, "data": {"message": job.text, "dashId": dash}}
        notification = {"body": job.text, "dashId": dash, "sound": "default", "title": details.get("title", "")}
        return {**message, "notification": notification}

    def judge(self, answer: Answer) -> None:
        if answer.status != 200:
            _judge_status(answer.status)
        try:
            found = _decode(answer.body)
        except msgspec.MsgspecError as error:
            raise Refused("the push service's answer can't be read") from error
        errors = [str(result.get("error")) for result in found.get("results", []) if isinstance(result, dict)]
        if found.get("failure") and any("NotRegistered" in error for error in errors):
            raise _Gone
        if found.get("failure"):
            raise Refused("the push service refuses the message")


def _judge_status(status: int) -> None:
    verdict = f"the push service answers {status}"
    raise Unavailable(verdict) if status in LATER or status >= 500 else Refused(verdict)
