"""Who may open the administration (spec 06, 14.1 and 15): the TLS port, the address rule, the administrator's password."""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import secrets
import time
from collections.abc import Awaitable, Callable

import structlog
from vpin_messages.requests import PinReply
from vpin_runtime.failures import Failures
from vpin_store.passwords import app_hash, hash_password, verify_password
from vpin_store.rows import AccountRow

from vpin_api.answers import NOT_FOUND, Scope

SLOW_SECONDS = 1.0
"""What each attempt waits at an account with too many failures: it is never locked."""
NOT_FROM_THERE = PinReply(403)
NO_PASSWORD = PinReply(401)
WRONG_PASSWORD = PinReply(403, b"Authentication failed.")
TOO_OFTEN = PinReply(429, b"Too many failed attempts.")

log = structlog.get_logger("vpin.api")

Find = Callable[[str], Awaitable[AccountRow | None]]


class Entrance:
    """The paths below `root` are open on the TLS port to clients at `addresses` (spec 06, 14.1)."""

    def __init__(self, root: str, addresses: str) -> None:
        self.root = root
        self._addresses: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in filter(None, (part.strip().lower() for part in addresses.split(","))):
            if "/" in entry:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            else:
                self._addresses.add(entry)

    def leads(self, path: str) -> bool:
        """Whether the path is the administration's: every path that starts with the root."""
        return path.startswith(self.root)

    def refusal(self, scope: Scope) -> PinReply | None:
        """What answers a request that may not come in: as if nothing was there, or 403."""
        if scope["scheme"] != "https":
            return NOT_FOUND
        address: str = scope["client"][0] if scope.get("client") else ""
        if self._admits(address):
            return None
        log.warning("api.admin_refused", address=address)
        return NOT_FROM_THERE

    def _admits(self, address: str) -> bool:
        if address in self._addresses:
            return True
        try:
            client = ipaddress.ip_address(address)
        except ValueError:
            return False
        client = getattr(client, "ipv4_mapped", None) or client
        return str(client) in self._addresses or any(client in network for network in self._networks)


class Administrators:
    """Checks the password of a super administrator, one at a time: guessing gets one core at most.

    Unknown accounts, accounts of others and wrong passwords take the same time. After ten failures in a minute an address
    is turned away, and each attempt at an account waits.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._failures = Failures()
        self._checking = asyncio.Lock()
        self._nobody = hash_password(secrets.token_hex())

    async def check(self, authorization: str | None, address: str) -> str | PinReply:
        """The administrator's e-mail; else what answers the request. Raises StoreUnavailable."""
        given = _credentials(authorization)
        if given is None:
            return NO_PASSWORD
        email, password = given
        of_address, of_account = [f"address {address}"], [f"account {email}"]
        if self._failures.wait(of_address, time.monotonic()):
            return TOO_OFTEN
        if self._failures.wait(of_account, time.monotonic()):
            await asyncio.sleep(SLOW_SECONDS)
        account = await self._find(email)
        known = account is not None and account.is_super_admin and bool(account.password_hash)
        stored = account.password_hash if account is not None and known else self._nobody
        async with self._checking:
            right = await asyncio.to_thread(lambda: verify_password(stored, app_hash(email, password)))
        if right and known:
            return email
        self._failures.add([*of_address, *of_account], time.monotonic())
        log.warning("api.admin_failed", address=address)
        return WRONG_PASSWORD


def _credentials(authorization: str | None) -> tuple[str, str] | None:
    """(e-mail in lower case, password) of a Basic header; None for any other and for one that can't be read."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        email, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (email.strip().lower(), password) if colon else None
