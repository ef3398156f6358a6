"""``Idempotency-Key``: the same key and body give the first answer again, for 24 hours (spec 08, 1)."""

from __future__ import annotations

import asyncio
import hashlib
import weakref
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Request, Response
from pydantic import BaseModel
from vpin_store.rows import AnswerRow

from vpin_api.v1.context import Context, now_ms
from vpin_api.v1.problems import Problem

KEPT_MS = 24 * 3600 * 1000

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

    Only answers of success are kept: who got an error may try again under the same key.
    """
    if not key:
        return _response(status, await work())
    digest = hashlib.sha256(f"{request.method} {request.url.path}\0".encode() + await request.body()).digest()
    lock = _running.setdefault((account_id, key), asyncio.Lock())
    async with lock:
        now = now_ms()
        kept = await context.store.find_answer(account_id, key, now)
        if kept is None:
            response = _response(status, await work())
            answer = AnswerRow(account_id, key, digest, status, bytes(response.body), now + KEPT_MS)
            await context.store.keep_answer(answer, now)
            return response
    if kept.digest != digest:
        raise Problem(422, "This Idempotency-Key came with another request before.")
    return Response(kept.body, kept.status, media_type="application/json" if kept.body else None)


def _response(status: int, model: BaseModel | None) -> Response:
    if model is None:
        return Response(status_code=status)
    return Response(model.model_dump_json(by_alias=True), status, media_type="application/json")
