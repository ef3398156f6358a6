"""``Idempotency-Key``: the same key and body give the first answer again, for 24 hours (spec 08, 1).

Requests and answers may hold passwords and session tokens. So an answer is kept encrypted with what only who asks again can
give, the key and the request, and of the key a hash is kept: the database tells neither.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import weakref
from collections.abc import Awaitable, Callable
from typing import Annotated

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Header, Request, Response
from pydantic import BaseModel
from vpin_store.rows import AnswerRow

from vpin_api.v1.context import Context, now_ms
from vpin_api.v1.problems import Problem

KEPT_MS = 24 * 3600 * 1000
NONCE = 12  # bytes

IdempotencyKey = Annotated[
    str | None,
    Header(max_length=255, description="The same key and body within 24 hours give the first answer again."),
]

_running: weakref.WeakValueDictionary[tuple[int, str], asyncio.Lock] = weakref.WeakValueDictionary()


async def once(
    request: Request,
    context: Context,
    account_id: int,
    key: str | None,
    status: int,
    work: Callable[[], Awaitable[BaseModel | None]],
) -> Response:
    """The answer with that status and what `work` gives; without a key `work` is done each time.

    Only answers of success are kept: who got an error may try again under the same key. Account 0 is who has no session
    yet: there a key with another request is another key, since clients do not know each other's.
    """
    if not key:
        return _response(status, await work())
    asked = f"{request.method} {request.url.path}\0".encode() + await request.body()
    name = _derived(key, b"name", b"" if account_id else asked).hex()
    lock = _running.setdefault((account_id, name), asyncio.Lock())
    async with lock:
        now = now_ms()
        kept = await context.store.answers.find(account_id, name, now)
        if kept is None:
            response = _response(status, await work())
            sealed = _seal(_derived(key, b"answer", asked), bytes(response.body))
            answer = AnswerRow(account_id, name, _derived(key, b"digest", asked), status, sealed, now + KEPT_MS)
            await context.store.answers.keep(answer, now)
            return response
    if not hmac.compare_digest(kept.digest, _derived(key, b"digest", asked)):
        raise Problem(422, "This Idempotency-Key came with another request before.")
    body = AESGCM(_derived(key, b"answer", asked)).decrypt(kept.body[:NONCE], kept.body[NONCE:], None)
    return Response(body, kept.status, media_type="application/json" if body else None)


def _derived(key: str, purpose: bytes, asked: bytes) -> bytes:
    """32 bytes that nobody without the key can know."""
    return hmac.digest(key.encode(), purpose + b"\0" + asked, "sha256")


def _seal(secret: bytes, body: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + AESGCM(secret).encrypt(nonce, body, None)


def _response(status: int, model: BaseModel | None) -> Response:
    if model is None:
        return Response(status_code=status)
    return Response(model.model_dump_json(by_alias=True), status, media_type="application/json")
