"""What all routers share: the store, the way to the owners, who asks."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from math import ceil
from typing import Annotated, Any, NoReturn

import msgspec
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from vpin_messages.requests import PinReply
from vpin_runtime.failures import Failures
from vpin_store import Store, StoreUnavailable
from vpin_store.rows import TokenRow

from vpin_api.administration import Administrators
from vpin_api.owner import Owners
from vpin_api.rates import Rates
from vpin_api.streams import Streams
from vpin_api.v1.problems import Problem

SESSION = "session"  # kind of token
SESSION_MS = 30 * 24 * 3600 * 1000
SLIDE_MS = 3600 * 1000  # a session that was prolonged less long ago is left alone

_encode = msgspec.json.Encoder().encode


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Context:
    """Of one application; `app_name` is the app whose accounts log in here."""

    store: Store
    owners: Owners
    streams: Streams
    administrators: Administrators
    registrations_per_hour: int
    initial_energy: int
    public_url: str = ""  # of this server, for links in mails
    app_name: str = "Blynk"
    failures: Failures = field(default_factory=Failures)
    rates: Rates = field(default_factory=Rates)

    async def ask(self, account_id: int, operation: str, **arguments: Any) -> Any:
        """What the owner of the account answers (JSON, None for nothing). Its refusal is a Problem."""
        return (await self.call(account_id, operation, arguments))[1]

    async def call(self, account_id: int, operation: str, arguments: dict[str, Any]) -> tuple[int, Any]:
        """The same with the status of success."""
        reply = await self.owners.ask_account(account_id, operation, _encode(arguments))
        if reply.status >= 400:
            _refuse(reply)
        return reply.status, msgspec.json.decode(reply.body) if reply.body else None


def _refuse(reply: PinReply) -> NoReturn:
    if reply.status == 503:
        raise Problem(503, "The server is busy.", headers={"retry-after": "1"})
    if reply.status >= 500 or not reply.body:
        raise Problem(reply.status, "Something went wrong here." if reply.status >= 500 else "")
    told: dict[str, str] = msgspec.json.decode(reply.body)
    errors: list[tuple[list[str | int], str]] = [(["body", told["loc"]], told["detail"])] if told["loc"] else []
    raise Problem(reply.status, told["detail"], errors=errors)


def get_context(request: Request) -> Context:
    return request.app.state.context


Ctx = Annotated[Context, Depends(get_context)]

_bearer = HTTPBearer(auto_error=False, scheme_name="session", description="`token` of `POST /api/v1/sessions`")


@dataclass(frozen=True)
class Signed:
    """Who asks, and by which session."""

    account_id: int
    session: str  # the token as it is stored


async def get_signed(
    context: Ctx, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Signed:
    """The session of the request, prolonged; else 401."""
    if credentials is None:
        raise unauthorized()
    stored = hashed(credentials.credentials)
    if (rate := context.rates.session) is not None and (seconds := rate.wait(stored)):
        raise Problem(429, "Too many requests of this session.", headers={"retry-after": str(ceil(seconds))})
    row = await _prolonged(context, stored)
    if row is None:
        raise unauthorized()
    return Signed(row.account_id, stored)


async def is_open(context: Context, session: str) -> bool:
    """Whether a session still holds, for requests without end; prolonged, too. Yes while the database is away."""
    try:
        return await _prolonged(context, session) is not None
    except StoreUnavailable:
        return True


async def _prolonged(context: Context, stored: str) -> TokenRow | None:
    """The session's row, if it is one that is not out of date."""
    now = now_ms()
    row = (await context.store.tokens.find([stored])).get(stored)
    if row is None or row.kind != SESSION or row.expires_at <= now:
        return None
    if row.expires_at < now + SESSION_MS - SLIDE_MS:
        await context.store.tokens.prolong(stored, now + SESSION_MS)
    return row


Who = Annotated[Signed, Depends(get_signed)]


def unauthorized(detail: str = "Log in first: POST /api/v1/sessions.") -> Problem:
    return Problem(401, detail, headers={"www-authenticate": "Bearer"})


def hashed(token: str) -> str:
    """A session token as it is stored. It has 256 random bits: no salt, no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def session_row(token: str, account_id: int, now: int) -> TokenRow:
    return TokenRow(hashed(token), SESSION, account_id, 0, 0, now + SESSION_MS, b"")
