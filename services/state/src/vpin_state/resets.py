"""Command 81, a forgotten password, before the log-in (spec 02, 3.5).

Read and checked here, by any state process; carried out by the owner of the account (`handlers/passwords.py`), who answers
the connection. What takes processor time (the hash, the picture of the QR code, the mail) is done here, off the loop.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Protocol

from vpin_messages import jobs
from vpin_messages.entry import EntryAnswer, EntryRequest
from vpin_messages.slab import credential
from vpin_messages.tasks import Task
from vpin_protocol import Status, app_response, split_all
from vpin_store.passwords import hash_password

from vpin_state import mails, qr
from vpin_state.addresses import is_email

if TYPE_CHECKING:
    from vpin_bus import Outlet
    from vpin_store import Store
    from vpin_store.rows import AccountRow, TokenRow

    from vpin_state.settings import EntrySettings


class HandOver(Protocol):
    """Gives a task to the owner of an account; `connection` waits for its answer."""

    def __call__(self, account_id: int, task: Task, connection: int = 0) -> Outlet: ...


class Resets:
    """Answers command 81."""

    def __init__(self, store: Store, settings: EntrySettings, hand_over: HandOver) -> None:
        self._store = store
        self._settings = settings
        self._hand_over = hand_over

    async def answer(self, request: EntryRequest, gateway: bytes) -> EntryAnswer | None:
        """The answer; None: the account's owner answers. StoreUnavailable when the database is away."""
        match [field.decode(errors="replace") for field in split_all(request.body)]:
            case ["start", email, app_name, *_]:
                return await self._start(request, gateway, email.strip().lower(), app_name)
            case ["verify", token, *_]:
                found = await self._find(token)
                return _status(request, Status.OK if found else Status.NOT_ALLOWED)
            case ["reset", token, app_hash, *_]:
                return await self._reset(request, gateway, token, app_hash)
            case _:
                return _status(request, Status.ILLEGAL_COMMAND)

    async def _start(self, request: EntryRequest, gateway: bytes, email: str, app_name: str) -> EntryAnswer | None:
        account = await self._store.find_account(email, app_name) if is_email(email) else None
        if account is None:
            return _status(request, Status.ILLEGAL_COMMAND)
        token = secrets.token_urlsafe(24)
        mail = await asyncio.to_thread(self._mail, account, token)
        self._give(request, gateway, account.id, "reset.start", [token.encode(), jobs.encode(mail)])
        return None

    def _mail(self, account: AccountRow, token: str) -> jobs.Job:
        settings = self._settings
        picture = qr.jpeg(mails.reset_code(account.app_name, token, account.email))
        return mails.reset_link(
            account.email, account.app_name, settings.product_name, settings.restore_host, token, picture
        )

    async def _reset(self, request: EntryRequest, gateway: bytes, token: str, app_hash: str) -> EntryAnswer | None:
        row = await self._find(token)
        if row is None:
            return _status(request, Status.NOT_ALLOWED)
        account = await self._store.get_account(row.account_id)
        if account is None:
            return _status(request, Status.SERVER_ERROR)
        password_hash = await asyncio.to_thread(hash_password, app_hash)
        mail = await asyncio.to_thread(mails.password_changed, account.email, self._settings.product_name)
        retired = b"%d" % credential(account.password_hash)
        self._give(
            request,
            gateway,
            account.id,
            "reset.finish",
            [token.encode(), password_hash.encode(), retired, jobs.encode(mail)],
        )
        return None

    async def _find(self, token: str) -> TokenRow | None:
        row = (await self._store.tokens.find([token])).get(token)
        now = time.time_ns() // 1_000_000
        return row if row is not None and row.kind == "reset" and row.expires_at > now else None

    def _give(self, request: EntryRequest, gateway: bytes, account_id: int, name: str, fields: list[bytes]) -> None:
        self._hand_over(account_id, Task(name, fields, gateway, request.message_id), request.session)


def _status(request: EntryRequest, status: int) -> EntryAnswer:
    return EntryAnswer(frames=app_response(request.message_id, status))
