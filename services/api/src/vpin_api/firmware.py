"""Firmware over the air, and the page of the administration (spec 04, 1.8; 06, 14.2 and 15).

The front lets only those come here who may open the administration at all (:mod:`vpin_api.administration`).
"""

from __future__ import annotations

import html
import re
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from vpin_messages.requests import PinReply, PinRequest
from vpin_store.rows import CampaignRow, FirmwareRow, TokenRow

from vpin_api.answers import INVALID_TOKEN, NOT_FOUND
from vpin_api.images import IMAGE_MAX, PREFIX
from vpin_api.pages import page
from vpin_api.uploads import suffix_of
from vpin_api.v1.context import Context, Ctx, now_ms

KEEP_MS = 30 * 24 * 3600 * 1000
"""Images that are offered no more are kept so long: boards may be loading them."""
NO_USER = PinReply(400, b"Requested user not found.")
NO_FORM = PinReply(400, b"The body is no multipart form.")
NO_FILE = PinReply(400, b"Can't find binary data in request.")
NO_BUILD = PinReply(400, b"The image does not tell its build: there is no NUL build NUL text NUL in it.")
WRONG_NAME = PinReply(400, b"The name of an image has letters, digits and . _ - only.")
TOO_LARGE = PinReply(413, b"The image is too large.")

_build = re.compile(rb"\0build\0([^\0]+)\0")
_name = re.compile(r"\w[\w.-]{0,99}", re.ASCII)


class Refusal(Exception):  # noqa: N818  it is an answer
    """Answer the request with a text."""

    def __init__(self, reply: PinReply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def install(app: FastAPI, root: str, version: str) -> None:
    """Serve what is below the root of the administration."""

    async def on_refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return _answer(error.reply)

    async def home() -> Response:
        return page(f"vpin {version}", _home(root))

    async def nothing() -> Response:
        return _answer(NOT_FOUND)

    router = APIRouter(prefix=root, tags=["firmware"])
    described: dict[str, Any] = {"response_class": Response, "openapi_extra": {"security": [{"administrator": []}]}}
    ok = {"description": "Done."}
    router.get("/ota/start", summary="Let a device load an image", responses={200: ok, **_ERRORS}, **described)(start)
    router.get("/ota/stop", summary="Offer no image any more", responses={200: ok, **_ERRORS}, **described)(stop)
    described["openapi_extra"] = {**described["openapi_extra"], "requestBody": _FORM}
    made = {"description": "The path of the image.", **_TEXT}
    router.post("/ota/start", summary="Upload an image", responses={200: made, **_ERRORS}, **described)(upload)
    router.get("", include_in_schema=False)(home)
    router.api_route("{rest:path}", methods=_METHODS, include_in_schema=False)(nothing)
    app.include_router(router)
    app.add_exception_handler(Refusal, on_refusal)


async def get_administrator(request: Request, context: Ctx) -> str:
    """The e-mail of the super administrator who asks."""
    address = request.client.host if request.client else ""
    found = await context.administrators.check(request.headers.get("authorization"), address)
    if isinstance(found, PinReply):
        raise Refusal(found)
    return found


Administrator = Annotated[str, Depends(get_administrator)]
Token = Annotated[str, Query(description="of the device", max_length=100)]


async def start(
    context: Ctx,
    admin: Administrator,
    token: Token = "",
    file_name: Annotated[str, Query(alias="fileName", max_length=100)] = "firmware_ota.bin",
) -> Response:
    """Its board is told to load `/static/ota/{fileName}` now; the image need not be there yet."""
    device = await _device(context, token)
    if not _name.fullmatch(file_name):
        raise Refusal(WRONG_NAME)
    await _order(context, device, PinRequest("ota", name=file_name))
    return Response()


async def upload(
    request: Request,
    context: Ctx,
    admin: Administrator,
    token: Token = "",
    user: Annotated[str, Query(description="e-mail of an account", max_length=255)] = "",
    app_name: Annotated[
        str, Query(alias="appName", description="the app that the account belongs to", max_length=100)
    ] = "",
    project: Annotated[str, Query(description="only boards of projects of this name", max_length=255)] = "",
) -> Response:
    """With `token` its board is told to load the image now. With `user` it is offered to each board of that account that
    reports another build, with neither to every board of this server; that goes on until it is stopped."""
    device = await _device(context, token) if token else None
    account_id = 0
    if device is None and user:
        account = await context.store.find_account(user.strip().lower(), app_name or context.app_name)
        if account is None:
            raise Refusal(NO_USER)
        account_id = account.id
    name, content = await _file(request)
    found = _build.search(content)
    if found is None and device is None:
        raise Refusal(NO_BUILD)
    build, now = found[1].decode(errors="replace") if found else "", now_ms()
    name = secrets.token_hex(16) + suffix_of(name)
    await context.store.firmware.keep(FirmwareRow(name, build, now, content), now - KEEP_MS)
    if device is not None:
        await _order(context, device, PinRequest("ota", name=name, values=[admin]))
    else:
        campaign = CampaignRow(name, account_id, project.strip() if user else "", build, now, admin)
        await context.store.firmware.start_campaign(campaign)
        await context.owners.tell_campaigns()
    return PlainTextResponse(PREFIX + name)


async def stop(context: Ctx, admin: Administrator) -> Response:
    """Boards that have been told already go on."""
    await context.store.firmware.stop_campaigns()
    await context.owners.tell_campaigns()
    return Response()


async def _device(context: Context, token: str) -> TokenRow:
    row = (await context.store.tokens.find([token])).get(token) if token else None
    if row is None or row.kind != "device" or 0 < row.expires_at <= now_ms():
        raise Refusal(INVALID_TOKEN)
    return row


async def _order(context: Context, device: TokenRow, request: PinRequest) -> None:
    reply = await context.owners.ask(device, request)
    if reply.status != 200:
        raise Refusal(reply)


async def _file(request: Request) -> tuple[str, bytes]:
    """Name and content of the file in the form, whatever its field is called."""
    kind = request.headers.get("content-type", "").lower()
    if not kind.startswith("multipart/form-data") or "boundary=" not in kind:
        raise Refusal(NO_FORM)
    try:
        async with request.form(max_files=1, max_fields=20) as form:
            file = next((value for value in form.values() if isinstance(value, UploadFile)), None)
            if file is None:
                raise Refusal(NO_FILE)
            if (file.size or 0) > IMAGE_MAX:
                raise Refusal(TOO_LARGE)
            return file.filename or "", await file.read()
    except HTTPException as error:
        raise Refusal(TOO_LARGE if error.status_code == 413 else NO_FORM) from error


def _answer(reply: PinReply) -> Response:
    headers = {"retry-after": "60" if reply.status == 429 else "1"} if reply.status in (429, 503) else {}
    if reply.status == 401:
        headers["www-authenticate"] = 'Basic realm="vpin", charset="UTF-8"'
    if not reply.body:
        return Response(status_code=reply.status, headers=headers)
    return PlainTextResponse(reply.body, reply.status, headers)


_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_TEXT: dict[str, Any] = {"content": {"text/plain": {"schema": {"type": "string"}}}}
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The text says what is wrong.", **_TEXT},
    401: {"description": "E-mail and password of a super administrator are needed."},
    403: {"description": "They are wrong, or the administration is closed to this address.", **_TEXT},
    404: {"description": "The administration is on the TLS port only."},
    413: {"description": "The image is too large.", **_TEXT},
    422: {"description": "A parameter does not fit.", "content": {"application/problem+json": {}}},
    429: {"description": "Too many failed attempts.", **_TEXT},
    503: {"description": "The server is busy: come again in a second.", **_TEXT},
}
_FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["upfile"],
                "properties": {"upfile": {"type": "string", "format": "binary", "description": "the image"}},
            }
        }
    },
}


def _home(root: str) -> str:
    """What an administrator finds here: there is no log-in, since there is nothing behind it yet."""
    ota = html.escape(f"curl -u ADMIN -F upfile=@firmware.bin 'https://THIS-SERVER{root}/ota/start?token=TOKEN'")
    return f"""
<p>This is a vpin server. Boards, apps and integrations use this port and the plain one.</p>
<ul><li><a href="/docs">The HTTP API</a>, to be tried in the browser</li>
<li><a href="/openapi.json">The same as an OpenAPI document</a></li>
<li><a href="/api/v1/health">Is everything well?</a></li></ul>
<p>It is administered by its command line, on the machine or in the container where it runs:</p>
<pre>vpin user list                   who has an account
vpin user add anna@example.org   make one
vpin user passwd anna@example.org
vpin user delete anna@example.org
vpin backup /srv/backups/        all that there is, into one file
vpin config                      the settings in force, and where they come from
vpin doctor                      look for what is wrong</pre>
<p>Firmware for boards is uploaded with the password of an administrator:</p>
<pre>{ota}</pre>"""
