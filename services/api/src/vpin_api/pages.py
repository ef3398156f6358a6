"""Pages for a forgotten password (spec 04, 1.10), outside the OpenAPI document."""

from __future__ import annotations

import asyncio
import html
import re
import secrets
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from vpin_messages.slab import credential
from vpin_store.passwords import app_hash, hash_password
from vpin_store.rows import TokenRow

from vpin_api.v1.context import SESSION, Context, Ctx, now_ms
from vpin_api.v1.problems import Problem

router = APIRouter(include_in_schema=False)

_email = re.compile(r"[^@\s?]+@[^@\s?]+\.[^@\s?.]{2,}")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:24rem;margin:4rem auto;padding:0 1rem}"
    "input,button{font:inherit;width:100%;padding:.5rem;margin:.25rem 0;box-sizing:border-box}"
    "pre{font:13px/1.5 ui-monospace,monospace;padding:.75rem;background:#8881;overflow-x:auto}"
)
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
}
OUTDATED = "Your token was not found or it is outdated. Please try again."
WRONG = "Invalid request parameters."


def _text(body: str, status: int = 400) -> Response:
    return PlainTextResponse(body, status)


def page(title: str, content: str) -> Response:
    """A page by itself: no script, nothing from elsewhere."""
    head = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style>"
    )
    return HTMLResponse(f"{head}<h1>{title}</h1>{content}", headers=_HEADERS)


async def _form(request: Request) -> dict[str, str] | None:
    """Fields of a urlencoded form; None for any other body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


async def _find(context: Context, token: str) -> TokenRow | None:
    row = (await context.store.tokens.find([token])).get(token)
    return row if row is not None and row.kind == "reset" and row.expires_at > now_ms() else None


@router.post("/resetPassword")
async def reset_password(request: Request, context: Ctx) -> Response:
    """Mail a link to the page that takes a new password."""
    form = await _form(request)
    if form is None:
        return _text(WRONG)
    email = form.get("email", "").strip().lower()
    if not _email.fullmatch(email) or len(email) > 255:
        return _text(f"{email} email has not valid format.")
    account = await context.store.find_account(email, form.get("appName") or context.app_name)
    if account is None:
        return _text("Sorry, this account does not exist.")
    token = secrets.token_urlsafe(48)  # 64 characters
    try:
        await context.ask(account.id, "startReset", token=token, link=f"{context.public_url}/landing?token={token}")
    except Problem:
        return _text("Error sending reset email.")
    return _text("Email was sent.", 200)


@router.get("/landing")
async def landing(context: Ctx, token: str = "") -> Response:
    """The form for a new password."""
    if not token:
        return _text(WRONG)
    if await _find(context, token) is None:
        return _text(OUTDATED)
    form = (
        '<form method="post" action="/updatePassword"><input type="hidden" name="plain" value="1">'
        f'<input type="hidden" name="token" value="{html.escape(token)}">'
        '<label>New password<input type="password" name="password" minlength="8" required autocomplete="new-password">'
        "</label><button>Change the password</button></form>"
    )
    return page("Choose a new password", form)


@router.get("/restore")
async def restore(token: str = "", email: str = "", app: Annotated[str, "name of the app"] = "blynk") -> Response:
    """A page that opens the app, or leads to the form for those who have none."""
    if not token or not email:
        return _text(WRONG)
    scheme = app.lower() if re.fullmatch("[A-Za-z][A-Za-z0-9]{0,30}", app) else "blynk"
    link = f"{scheme}://restore?token={quote(token)}&email={quote(email, safe='')}"
    content = (
        f'<p><a href="{html.escape(link)}">Open the app</a></p>'
        f'<p><a href="/landing?token={html.escape(quote(token))}">Choose a new password here</a></p>'
    )
    return page("Restore your password", content)


@router.post("/updatePassword")
async def update_password(request: Request, context: Ctx) -> Response:
    """`password` is what an app sends in place of one, or with `plain` (our own form) the password itself."""
    form = await _form(request)
    if form is None:
        return _text(WRONG)
    token, password = form.get("token", ""), form.get("password", "")
    row = await _find(context, token) if token else None
    if row is None or not password:
        return _text("Invalid token. Please repeat all steps.")
    account = await context.store.get_account(row.account_id)
    if account is None:
        return _text("", 404)
    if form.get("plain") and len(password) < 8:
        return _text("The password is too short: it needs 8 characters.")
    given = app_hash(account.email, password) if form.get("plain") else password
    stored = await asyncio.to_thread(hash_password, given)
    try:
        await context.ask(account.id, "finishReset", token=token)
    except Problem as problem:
        return _text(
            "Invalid token. Please repeat all steps." if problem.status == 409 else problem.detail,
            problem.status if problem.status == 503 else 400,
        )
    await context.store.set_password(account.id, stored)
    await context.store.tokens.delete(account.id, SESSION)
    await context.ask(account.id, "endApps", retired=credential(account.password_hash))
    return _text("Password was successfully reset.", 200)
