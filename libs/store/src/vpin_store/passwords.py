"""Passwords: what an app sends in place of one, how that is stored, and what was verified just now.

Sync functions take long: call them in a thread pool (argon2 lets other threads run).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from base64 import b64encode
from collections.abc import Callable
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

# argon2id with 9 MiB, four passes, one lane: of the settings that OWASP holds to be equally strong one that spends its time
# on the hash. 19 MiB and two passes take 32 ms on the reference machine, 13 of them for the kernel to map the memory anew;
# this takes 22, and many log-ins at a time, on a small machine too, have half the memory.
_HASHER = PasswordHasher(time_cost=4, memory_cost=9 * 1024, parallelism=1)
# For thousands of accounts at a time (an import): 2 ms. It lasts until the account's first log-in (docs/adr/0005).
_QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=5 * 1024, parallelism=1)
_MOST_KIB, _MOST_PASSES = 19 * 1024, 5
"""What a hash from elsewhere may ask for."""

_HASH = re.compile(r"\$argon2id\$v=19\$m=(\d{1,6}),t=(\d{1,2}),p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}")


def app_hash(email: str, password: str) -> str:
    """What an app sends for a password (spec 02, section 4)."""
    salt = hashlib.sha256(_bytes(email.lower())).digest()
    return b64encode(hashlib.sha256(_bytes(password) + salt).digest()).decode()


def hash_password(app_hash: str) -> str:
    """What is stored of the text that the app sends."""
    return _HASHER.hash(_bytes(app_hash))


def hash_password_quickly(app_hash: str) -> str:
    """The same at a tenth of the cost, for imports; :func:`strengthen` replaces it at the first log-in."""
    return _QUICK_HASHER.hash(_bytes(app_hash))


def verify_password(password_hash: str, app_hash: str) -> bool:
    """`app_hash` is the one that `password_hash` was made of. An empty `password_hash`: no password, never true.

    A no takes as long for a quick hash as for any other, so nobody can tell them apart or guess faster.
    argon2.exceptions.InvalidHashError: `password_hash` was not made by functions of this module.
    """
    if not password_hash:
        return False
    try:
        return _HASHER.verify(password_hash, _bytes(app_hash))
    except VerifyMismatchError:
        if is_quick(password_hash):
            _HASHER.hash(_bytes(app_hash))
        return False


def is_hash(text: str) -> bool:
    """It may be what :func:`hash_password` made, and costs little more to verify; what an app sends never looks so."""
    found = _HASH.fullmatch(text)
    return bool(found) and 8 <= int(found[1]) <= _MOST_KIB and 1 <= int(found[2]) <= _MOST_PASSES


def is_quick(password_hash: str) -> bool:
    """It does not have the cost that hashes have by now."""
    return bool(password_hash) and _HASHER.check_needs_rehash(password_hash)


class Passwords(Protocol):
    """What :func:`strengthen` needs of a store."""

    async def replace_password(self, account_id: int, old: str, new: str) -> bool: ...


async def strengthen(passwords: Passwords, account_id: int, password_hash: str, app_hash: str) -> str:
    """The hash that the account has after `app_hash` was found right: a quick one is replaced by one of full cost,
    unless the password was changed meanwhile."""
    if not is_quick(password_hash):
        return password_hash
    full = await asyncio.to_thread(hash_password, app_hash)
    return full if await passwords.replace_password(account_id, password_hash, full) else password_hash


class VerifiedCache:
    """Credentials verified within the last `seconds`, so that a reconnect storm costs no argon2.

    Kept as a keyed hash (the key lives and dies with this object) per stored password hash: after a change of the
    password the old one is unknown. At most `size`, oldest out. `clock` gives seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float], *, seconds: float = 300.0, size: int = 10_000) -> None:
        self._clock = clock
        self._seconds = seconds
        self._size = size
        self._key = secrets.token_bytes(32)
        self._verified: dict[str, tuple[bytes, float]] = {}  # by password hash, oldest first

    def __len__(self) -> int:
        return len(self._verified)

    def remember(self, password_hash: str, app_hash: str) -> None:
        """After :func:`verify_password` said yes."""
        self._verified.pop(password_hash, None)
        if len(self._verified) >= self._size:
            del self._verified[next(iter(self._verified))]
        self._verified[password_hash] = (self._digest(app_hash), self._clock() + self._seconds)

    def knows(self, password_hash: str, app_hash: str) -> bool:
        """True: verified not long ago. False: ask :func:`verify_password`."""
        known = self._verified.get(password_hash)
        if known is None:
            return False
        digest, until = known
        if self._clock() >= until:
            del self._verified[password_hash]
            return False
        return hmac.compare_digest(digest, self._digest(app_hash))

    def _digest(self, app_hash: str) -> bytes:
        return hmac.digest(self._key, _bytes(app_hash), "sha256")


def _bytes(text: str) -> bytes:
    """UTF-8, also of what a client sent that is none."""
    return text.encode("utf-8", "surrogatepass")
