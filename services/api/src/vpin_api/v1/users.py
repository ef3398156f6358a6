"""Sessions and users (spec 08, 2)."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from typing import Annotated, Literal
from zoneinfo import available_timezones

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, Field
from vpin_messages.slab import credential
from vpin_store.passwords import app_hash, hash_password, strengthen, verify_password
from vpin_store.rows import AccountRow, Changes

from vpin_api.v1.context import SESSION, Context, Ctx, Signed, Who, now_ms, session_row, unauthorized
from vpin_api.v1.once import IdempotencyKey, once
from vpin_api.v1.problems import Problem, documented
from vpin_api.v1.types import Instant, Model

HOUR_MS = 3_600_000
_NOBODY = hash_password(secrets.token_hex())
"""Verified in place of the password of an unknown user, so that both take the same time."""
_email = re.compile(r"[^@\s?]+@[^@\s?]+\.[^@\s?.]{2,}")

router = APIRouter(tags=["account"], responses=documented(413, 503))


def _check_email(text: str) -> str:
    text = text.strip().lower()
    if not _email.fullmatch(text):
        raise ValueError("no e-mail address")
    return text


def _check_zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError("no time zone of the IANA database")
    return text


def check_text(text: str) -> str:
    """What no database can hold is refused."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("no valid Unicode") from None
    return text


Email = Annotated[str, Field(max_length=255, examples=["anna@example.com"]), AfterValidator(_check_email)]
NewPassword = Annotated[
    str, Field(min_length=8, max_length=1000, examples=["correct horse"]), AfterValidator(check_text)
]
Password = Annotated[str, Field(max_length=1000, examples=["correct horse"])]


class Registration(Model):
    """Who wants an account."""

    email: Email
    password: NewPassword


class NewUser(Model):
    """The account that was made."""

    id: int = Field(examples=[7])
    email: str = Field(examples=["anna@example.com"])
    created_at: Instant


class User(NewUser):
    """An account."""

    name: str = Field(examples=["Anna"])
    tz: str = Field(description="IANA name of a time zone", examples=["Europe/Berlin"])
    role: Literal["user", "admin"]


class Credentials(Model):
    """E-mail and password, as they were typed."""

    email: Annotated[str, Field(max_length=255, examples=["anna@example.com"])]
    password: Password


class Session(Model):
    """The token goes into `Authorization: Bearer …`; it is prolonged as long as it is used."""

    token: str = Field(examples=["Jx0aB8…"])
    expires_at: Instant
    user: User


class MePatch(Model):
    """JSON merge patch: what is left out stays."""

    name: Annotated[str, Field(max_length=100, examples=["Anna"]), AfterValidator(check_text)] = ""
    tz: Annotated[str, Field(examples=["Europe/Berlin"]), AfterValidator(_check_zone)] = "UTC"


class PasswordChange(Model):
    """The present password, and the one from now on."""

    current: Password
    new: NewPassword


def to_user(row: AccountRow) -> User:
    return User(
        id=row.id,
        email=row.email,
        name=row.name,
        tz=row.time_zone or "UTC",
        role="admin" if row.is_super_admin else "user",
        created_at=row.created_at,  # type: ignore[arg-type]  ms become a time
    )


@router.post(
    "/users",
    status_code=201,
    summary="Make an account",
    response_model=NewUser,
    responses=documented(403, 409, 422, 429),
)
async def register(
    request: Request, context: Ctx, body: Registration, idempotency_key: IdempotencyKey = None
) -> Response:
    """Needs no session. It may log in by app, console and this API."""
    return await once(request, context, 0, idempotency_key, 201, lambda: _register(context, body))


async def _register(context: Context, body: Registration) -> NewUser:
    if not context.registrations_per_hour:
        raise Problem(403, "Registration is switched off.")
    now = now_ms()
    if await context.store.were_made_since(context.registrations_per_hour, now - HOUR_MS):
        raise Problem(429, "Too many registrations.", headers={"retry-after": "60"})
    taken = Problem(409, "This e-mail address has an account already.")
    if await context.store.find_account(body.email, context.app_name) is not None:
        raise taken
    password = await asyncio.to_thread(lambda: hash_password(app_hash(body.email, body.password)))
    name, energy = body.email, context.initial_energy
    row = AccountRow(
        0, body.email, context.app_name, name, password, False, False, energy, now, 0, "", b"{}", timed=False
    )
    account_id = await context.store.create_account(row)
    if account_id is None:
        raise taken
    return NewUser(id=account_id, email=body.email, created_at=now)  # type: ignore[arg-type]  ms become a time


@router.post(
    "/sessions", status_code=201, summary="Log in", response_model=Session, responses=documented(401, 422, 429)
)
async def log_in(request: Request, context: Ctx, body: Credentials, idempotency_key: IdempotencyKey = None) -> Response:
    """Needs no session. Ten failures in a minute, of an address or of an account, and it answers 429 for a while."""
    return await once(request, context, 0, idempotency_key, 201, lambda: _log_in(request, context, body))


async def _log_in(request: Request, context: Context, body: Credentials) -> Session:
    email = body.email.strip().lower()
    keys = [f"account {email}", f"address {request.client.host if request.client else ''}"]
    _not_too_often(context, keys)
    account = await context.store.find_account(email, context.app_name)
    stored = account.password_hash if account and account.password_hash else _NOBODY
    given = app_hash(email, body.password)
    if not await asyncio.to_thread(verify_password, stored, given) or account is None:
        context.failures.add(keys, time.monotonic())
        raise unauthorized("E-mail address or password is wrong.")
    stored = await strengthen(context.store, account.id, stored, given)
    token, now = secrets.token_urlsafe(32), now_ms()
    row = session_row(token, account.id, now)
    await context.store.commit(Changes(tokens=[row]))
    if not await _is_still_right(context, account.id, stored, given):
        await context.store.commit(Changes(deleted_tokens=[row.token]))
        raise unauthorized("E-mail address or password is wrong.")
    await context.store.tokens.delete(account.id, SESSION, expired_at=now)
    return Session(token=token, expires_at=row.expires_at, user=to_user(account))  # type: ignore[arg-type]  ms


async def _is_still_right(context: Context, account_id: int, stored: str, given: str) -> bool:
    """Whether a password that was verified with `stored` is the account's, now that its session would be ended by a change."""
    account = await context.store.get_account(account_id)
    if account is None:
        return False
    if account.password_hash == stored:
        return True
    return await asyncio.to_thread(verify_password, account.password_hash, given)


def _not_too_often(context: Context, keys: list[str]) -> None:
    seconds = context.failures.wait(keys, time.monotonic())
    if seconds:
        raise Problem(429, "Too many failed attempts.", headers={"retry-after": str(int(seconds) + 1)})


@router.delete("/sessions/current", status_code=204, summary="Log out", responses=documented(401))
async def log_out(context: Ctx, who: Who) -> None:
    """The token is worthless from now on."""
    await context.store.commit(Changes(deleted_tokens=[who.session]))
    context.streams.end_sessions(who.account_id, lambda session: session == who.session)


@router.get("/me", summary="Who am I?", responses=documented(401))
async def get_me(context: Ctx, who: Who) -> User:
    """The account of the session."""
    return to_user(await _account(context, who))


async def _account(context: Context, who: Signed) -> AccountRow:
    row = await context.store.get_account(who.account_id)
    if row is None:
        raise unauthorized("The account is gone.")
    return row


@router.patch("/me", summary="Change name or time zone", responses=documented(401, 422))
async def patch_me(context: Ctx, who: Who, body: MePatch) -> User:
    """The address and the role stay."""
    names = {"name": "name", "tz": "time_zone"}
    changes = {names[key]: value for key, value in body.model_dump(exclude_unset=True).items()}
    if changes:
        await context.ask(who.account_id, "patchMe", changes=changes)
    return to_user(await _account(context, who))


@router.put("/me/password", status_code=204, summary="Change the password", responses=documented(401, 422, 429))
async def put_password(context: Ctx, who: Who, body: PasswordChange) -> None:
    """Ends all other sessions of the account, those of apps included."""
    account = await _account(context, who)
    keys = [f"account {account.email}"]
    _not_too_often(context, keys)
    given = app_hash(account.email, body.current)
    if not await asyncio.to_thread(verify_password, account.password_hash, given):
        context.failures.add(keys, time.monotonic())
        raise Problem(422, "The current password is wrong.", errors=[(["body", "current"], "wrong password")])
    password = await asyncio.to_thread(lambda: hash_password(app_hash(account.email, body.new)))
    await context.store.set_password(account.id, password)
    await context.store.tokens.delete(account.id, SESSION, keep=who.session)
    context.streams.end_sessions(account.id, lambda session: session != who.session)
    await context.ask(account.id, "endApps", retired=credential(account.password_hash))
