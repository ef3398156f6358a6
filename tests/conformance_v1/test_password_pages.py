"""A forgotten password from the page, or from the app, to the log-in with the new one (spec 02, 3.5; 04, 1.10)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Self

import httpx
import pytest
from infra.vpin import EmbeddedRun
from vpin_protocol import Command

from conformance_v1.apps import SameApp
from conformance_v1.clients import PASSWORD, Api
from conformance_v1.sinks import Mail, Sinks
from conformance_v1.stored import Stored

Mails = Callable[[int], list[Mail]]

pytestmark = pytest.mark.integration

OK, ILLEGAL, NOT_ALLOWED, NOT_AUTHENTICATED = 200, 2, 6, 5
OUTDATED = (400, "Your token was not found or it is outdated. Please try again.")
INVALID = (400, "Invalid token. Please repeat all steps.")
DONE = (200, "Password was successfully reset.")
PAGE_MAIL = "Password reset request for the"
APP_MAIL = "Password restoration for your"
CHANGED = "Your new password on"


class Forgetful(SameApp):
    """An app that is not logged in."""

    def __init__(self, server: str, api: Api) -> None:
        super().__init__(server, api)
        self._server, self._api = server, api

    def __enter__(self) -> Self:
        self._open()
        return self

    def reset(self, *fields: str) -> int | None:
        return self.call(Command.RESET_PASSWORD, *fields).status

    def log_in(self, password: str) -> int | None:
        """The answer to a log-in on a connection of its own."""
        with Forgetful(self._server, self._api) as app:
            return app.call(Command.LOGIN, app.email, app.hash_of(password)).status

    def hash_of(self, password: str) -> str:
        """What the app sends in place of a password."""
        self.set_password(password)
        return self._hash


@pytest.fixture
def app(api: Api, server: EmbeddedRun) -> Iterator[Forgetful]:
    with Forgetful(server.tls, api) as app:
        yield app


@pytest.fixture
def mails(sinks: Sinks, api: Api) -> Mails:
    """The mails that the account got, once there are so many."""
    return lambda count: sinks.mails_of(api.email, count)


def page(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.text


def token_in(mail: Mail) -> str:
    found = re.search(r"token=([\w-]+)", mail.text)
    assert found, mail
    return found[1]


def test_a_password_is_reset_by_page(base: str, api: Api, app: Forgetful, server: EmbeddedRun, mails: Mails) -> None:
    with SameApp(server.tls, api) as session:
        asked = httpx.post(f"{base}/resetPassword", data={"email": f" {api.email.upper()} "})
        assert page(asked) == (200, "Email was sent.")
        (mail,) = mails(1)
        assert mail.subject.startswith(PAGE_MAIL)
        token = token_in(mail)
        assert len(token) == 64
        assert f"/landing?token={token}" in mail.text
        assert app.reset("start", api.email, "Blynk") == NOT_ALLOWED, "one is pending"
        assert page(httpx.post(f"{base}/resetPassword", data={"email": api.email})) == (
            400,
            "Error sending reset email.",
        )
        form = httpx.get(f"{base}/landing", params={"token": token})
        assert form.status_code == 200
        assert token in form.text
        short = httpx.post(f"{base}/updatePassword", data={"token": token, "password": "short", "plain": "1"})
        assert short.status_code == 400
        assert app.log_in(PASSWORD) == OK
        new = {"token": token, "password": "a new password", "plain": "1"}
        assert page(httpx.post(f"{base}/updatePassword", data=new)) == DONE
        assert session.closed(), "apps have to log in anew"
    assert app.log_in(PASSWORD) == NOT_AUTHENTICATED
    assert app.log_in("a new password") == OK
    assert mails(2)[1].subject.startswith(CHANGED)
    assert page(httpx.post(f"{base}/updatePassword", data=new)) == INVALID, "a token is used once"
    assert page(httpx.get(f"{base}/landing", params={"token": token})) == OUTDATED
    assert app.reset("verify", token) == NOT_ALLOWED
    assert app.reset("start", api.email, "Blynk") == OK, "nothing is pending any more"


def test_the_app_takes_the_token_of_the_page(base: str, api: Api, app: Forgetful, mails: Mails) -> None:
    httpx.post(f"{base}/resetPassword", data={"email": api.email, "appName": "Blynk"})
    token = token_in(mails(1)[0])
    assert app.reset("verify", token) == OK
    assert app.reset("reset", token, app.hash_of("new password")) == OK
    assert app.log_in("new password") == OK
    assert page(httpx.get(f"{base}/landing", params={"token": token})) == OUTDATED


def test_the_page_takes_the_token_of_the_app(base: str, api: Api, app: Forgetful, mails: Mails) -> None:
    """The link in the app's mail works in a browser (spec 02, 12.4); what apps send in place of a password is taken, too."""
    assert app.reset("start", api.email, "Blynk") == OK
    (mail,) = mails(1)
    assert mail.subject.startswith(APP_MAIL)
    token = token_in(mail)
    assert len(token) == 32
    link = httpx.get(f"{base}/restore", params={"token": token, "email": api.email})
    assert link.status_code == 200
    assert f"blynk://restore?token={token}" in link.text
    assert f"/landing?token={token}" in link.text
    new = {"token": token, "password": app.hash_of("new password")}
    assert page(httpx.post(f"{base}/updatePassword", data=new)) == DONE
    assert app.log_in("new password") == OK
    assert app.reset("reset", token, "x") == NOT_ALLOWED


def test_a_token_is_good_for_45_minutes(base: str, api: Api, app: Forgetful, mails: Mails, stored: Stored) -> None:
    assert app.reset("start", api.email, "Blynk") == OK
    token = token_in(mails(1)[0])
    ((expires_at,),) = stored.rows("SELECT expires_at FROM token WHERE token = $1", token)
    assert 44 * 60 < expires_at / 1000 - time.time() <= 45 * 60
    assert app.reset("verify", token) == OK
    stored.rows("UPDATE token SET expires_at = $2 WHERE token = $1 RETURNING token", token, int(time.time() * 1000))
    assert app.reset("verify", token) == NOT_ALLOWED
    assert app.reset("reset", token, app.hash_of("new password")) == NOT_ALLOWED
    assert page(httpx.get(f"{base}/landing", params={"token": token})) == OUTDATED
    late = {"token": token, "password": app.hash_of("new password")}
    assert page(httpx.post(f"{base}/updatePassword", data=late)) == INVALID
    assert app.log_in(PASSWORD) == OK


def test_bad_requests_for_pages(base: str, api: Api) -> None:
    post, get = f"{base}/resetPassword", httpx.get
    assert page(httpx.post(post, data={"email": "nobody"})) == (400, "nobody email has not valid format.")
    assert page(httpx.post(post, data={"email": "nobody@example.com"})) == (400, "Sorry, this account does not exist.")
    assert page(httpx.post(post, data={"email": api.email, "appName": "Other"})) == (
        400,
        "Sorry, this account does not exist.",
    )
    assert httpx.post(post, json={"email": api.email}).status_code == 400
    assert page(get(f"{base}/landing")) == (400, "Invalid request parameters.")
    assert page(get(f"{base}/landing", params={"token": "x" * 64})) == OUTDATED
    assert page(get(f"{base}/restore", params={"token": "x" * 64})) == (400, "Invalid request parameters.")
    assert page(httpx.post(f"{base}/updatePassword", data={"token": "x" * 64, "password": "hash"})) == INVALID
    assert page(httpx.post(f"{base}/updatePassword", data={"password": "hash"})) == INVALID
