"""What an app may ask before it is logged in: register, log-in, log-in to a shared dashboard, get-server (spec 02, 3).

The reset of a password is in :mod:`vpin_state.resets`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from vpin_messages import entry, slab
from vpin_messages.entry import EntryAnswer, EntryRequest, Grant, Opening
from vpin_messages.slab import Side
from vpin_messages.tasks import Task
from vpin_protocol import Command, Status, app_frame, app_response, split_all, split_first
from vpin_runtime.failures import Failures
from vpin_store.passwords import VerifiedCache, hash_password, strengthen, verify_password
from vpin_store.rows import AccountRow

from vpin_state import mails, metrics
from vpin_state.addresses import is_email
from vpin_state.load import build_account
from vpin_state.resets import HandOver, Resets
from vpin_state.seeding import seed_of

if TYPE_CHECKING:
    from vpin_messages.jobs import Job
    from vpin_store import Store

    from vpin_state.settings import EntrySettings

DEFAULT_APP = "Blynk"
APP_NAME_MAX = 100
SLOW_SECONDS = 1.0
HOUR_MS = 3_600_000


class AppEntry:
    """Answers the requests of apps, one at a time per connection."""

    def __init__(self, store: Store, settings: EntrySettings, hand_over: HandOver, post: Callable[[Job], None]) -> None:
        """`post` sends a notification that nobody waits for."""
        self._store = store
        self._settings = settings
        self._post = post
        self._hand_over = hand_over
        self._resets = Resets(store, settings, hand_over)
        self._verified = VerifiedCache(time.monotonic)
        self._failures = Failures()
        self._registering = 0  # registrations that are under way

    async def answer(self, request: EntryRequest, gateway: bytes) -> EntryAnswer | None:
        """The answer to one request; None: an owner answers. StoreUnavailable when the database is away."""
        if request.side == Side.WEB and request.command in (Command.SHARE_LOGIN, Command.RESET_PASSWORD):
            return EntryAnswer(close=True)
        match request.command:
            case Command.RESET_PASSWORD:
                return await self._resets.answer(request, gateway)
            case Command.REGISTER:
                return await self._register(request)
            case Command.LOGIN | Command.HARDWARE_LOGIN:
                return await self._log_in(request)
            case Command.SHARE_LOGIN:
                return await self._share_log_in(request)
            case Command.GET_SERVER:
                return self._get_server(request)
            case _:
                return EntryAnswer(close=True)

    def delay(self, request: EntryRequest) -> float:
        """Seconds that the answer has to wait: after many failed log-ins each one to the account takes a while, right or
        wrong, and nobody is locked out (spec 06, 19)."""
        if request.command not in (Command.LOGIN, Command.HARDWARE_LOGIN):
            return 0.0
        email = request.body.partition(b"\0")[0].decode(errors="replace").lower()
        return SLOW_SECONDS if self._failures.are_many(email, time.monotonic()) else 0.0

    async def _register(self, request: EntryRequest) -> EntryAnswer:
        """`email·hash·app`: 200, 2 malformed, 4 taken, 6 limit or a second one on this connection."""
        if request.side == Side.WEB or request.registered:
            return _status(request, Status.NOT_ALLOWED, close=True)
        fields = split_first(request.body, 3)
        if len(fields) < 3:
            return _status(request, Status.ILLEGAL_COMMAND)
        email, app_hash, app_name = (field.decode(errors="replace") for field in fields)
        email = email.strip().lower()
        if not is_email(email) or not app_hash or not app_name:
            return _status(request, Status.ILLEGAL_COMMAND)
        if await self._store.find_account(email, app_name) is not None:
            return _status(request, Status.ALREADY_REGISTERED)
        self._registering += 1
        try:
            if await self._too_many_registrations():
                return _status(request, Status.NOT_ALLOWED)
            return await self._make_account(request, email, app_hash, app_name)
        finally:
            self._registering -= 1

    async def _too_many_registrations(self) -> bool:
        """Whether the last hour has had its registrations, whoever took them; those that are under way here count."""
        left = self._settings.registrations_per_hour - (self._registering - 1)
        return left <= 0 or await self._store.were_made_since(left, time.time_ns() // 1_000_000 - HOUR_MS)

    async def _make_account(self, request: EntryRequest, email: str, app_hash: str, app_name: str) -> EntryAnswer:
        password_hash = await asyncio.to_thread(hash_password, app_hash)
        now = time.time_ns() // 1_000_000
        body = await self._first_body(app_name)
        energy, timed = self._settings.initial_energy, body != b"{}"  # a seed may have timers
        row = AccountRow(0, email, app_name, email, password_hash, False, False, energy, now, 0, "", body, timed=timed)
        account_id = await self._store.create_account(row)
        if account_id is None:
            return _status(request, Status.ALREADY_REGISTERED)
        self._verified.remember(password_hash, app_hash)
        metrics.logins.labels("registered").inc()
        if app_name == DEFAULT_APP and self._settings.sends_mail:
            self._post(msgspec.structs.replace(mails.welcome(email, self._settings.product_name), account=account_id))
        return EntryAnswer(frames=app_response(request.message_id, Status.OK), registered=True)

    async def _first_body(self, app_name: str) -> bytes:
        """What a new account's profile begins with: for users of an exported app a seed of its first project."""
        row = (await self._store.tokens.find([app_name])).get(app_name) if app_name != DEFAULT_APP else None
        rows = (await self._store.load_accounts([row.account_id])).get(row.account_id) if row else None
        if row is None or row.kind != "app" or rows is None:
            return b"{}"
        seed = seed_of(build_account(rows, 0), app_name, lambda: secrets.token_urlsafe(24))
        return msgspec.json.encode({"seed": seed}) if seed else b"{}"

    async def _log_in(self, request: EntryRequest) -> EntryAnswer:
        """`email·hash[·os·version[·app]]`: a grant, or 2 malformed, 3 unknown, 5 wrong password, 22 no password."""
        fields = [field.decode(errors="replace") for field in split_all(request.body)]
        if len(fields) < 2:
            return _status(request, Status.ILLEGAL_COMMAND)
        email, app_hash = fields[0].lower(), fields[1]
        if len(fields) >= 5 and fields[4] == "facebook":
            return _status(request, Status.NOT_ALLOWED)
        app_name = fields[4] if len(fields) >= 5 else DEFAULT_APP
        account = await self._store.find_account(email, app_name)
        if account is None:
            self._fail(email)
            return _status(request, Status.NOT_REGISTERED)
        if account.is_facebook_user and not account.password_hash:
            return _status(request, Status.FACEBOOK_USER)
        verified = await self._verify(account, app_hash, request.address)
        if not verified:
            self._fail(email)
            return _status(request, Status.NOT_AUTHENTICATED)
        metrics.logins.labels("ok").inc()
        os, version = (fields[2], fields[3]) if len(fields) >= 4 else ("", "")
        mark = slab.credential(verified)
        opening = Opening(request.message_id, request.command, request.address, os, version, password=mark)
        return EntryAnswer(grant=Grant(account.id, 0, 0, 0, entry.encode(opening)))

    async def _verify(self, account: AccountRow, app_hash: str, address: str) -> str:
        """The stored hash that a right password was verified with; "" for a wrong one."""
        if self._verified.knows(account.password_hash, app_hash):
            return account.password_hash
        if address and address == account.last_login_ip:  # most likely the user: read the account meanwhile
            self._hand_over(account.id, Task("expect", []))
        if not await asyncio.to_thread(verify_password, account.password_hash, app_hash):
            return ""
        stored = await strengthen(self._store, account.id, account.password_hash, app_hash)
        self._verified.remember(stored, app_hash)
        return stored

    def _fail(self, email: str) -> None:
        metrics.logins.labels("refused").inc()
        self._failures.add([email], time.monotonic())

    async def _share_log_in(self, request: EntryRequest) -> EntryAnswer:
        """`ownerEmail·token[·os·version[·uid]]`: a grant. Else 2; 6 for a wrong token or owner, and while it is not shared."""
        fields = [field.decode(errors="replace") for field in split_all(request.body)]
        if len(fields) < 2:
            return _status(request, Status.ILLEGAL_COMMAND)
        row = (await self._store.tokens.find([fields[1]])).get(fields[1])
        account = await self._store.get_account(row.account_id) if row and row.kind == "share" else None
        if row is None or account is None or account.email != fields[0].strip().lower():
            return _status(request, Status.NOT_ALLOWED)
        dash = await self._store.get_dashboard(row.account_id, row.dash_id)
        if dash is None or not _settings(dash.body).get("isShared"):
            return _status(request, Status.NOT_ALLOWED)
        os, version, uid = (*fields[2:5], "", "", "")[:3]
        opening = Opening(request.message_id, request.command, request.address, os, version, uid, shared=True)
        return EntryAnswer(
            grant=Grant(row.account_id, row.dash_id, 0, slab.credential(fields[1]), entry.encode(opening))
        )

    def _get_server(self, request: EntryRequest) -> EntryAnswer:
        """`email·app`: the host to use (spec 02, 3.4)."""
        fields = [field.decode(errors="replace") for field in split_all(request.body)]
        if len(fields) < 2 or not fields[1] or len(fields[1]) > APP_NAME_MAX:
            return _status(request, Status.ILLEGAL_COMMAND)
        if not is_email(fields[0].strip().lower()):
            return _status(request, Status.ILLEGAL_COMMAND_BODY)
        return EntryAnswer(
            frames=app_frame(Command.GET_SERVER, request.message_id, self._settings.server_host.encode())
        )


_settings = msgspec.json.Decoder(dict[str, Any]).decode


def _status(request: EntryRequest, status: int, *, close: bool = False) -> EntryAnswer:
    return EntryAnswer(frames=app_response(request.message_id, status), close=close)
