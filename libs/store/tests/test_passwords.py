"""Password hashes and the memory of those verified."""

from __future__ import annotations

import time

import pytest
from argon2.exceptions import InvalidHashError
from vpin_store.passwords import (
    VerifiedCache,
    app_hash,
    hash_password,
    hash_password_quickly,
    is_hash,
    is_quick,
    strengthen,
    verify_password,
)


@pytest.mark.parametrize(
    ("email", "password", "expected"),
    [
        ("admin@blynk.cc", "admin", "84inR6aLx6tZGaQyLrZSEVYCxWW8L88MG+gOn2cncgM="),
        ("User@Example.com", "p@ss wörd", "ixV/Vgon87PSyW4UpB5diUNJzOW/Qm1jWj/NqYbaBv4="),
    ],
)
def test_app_hash(email: str, password: str, expected: str) -> None:
    assert app_hash(email, password) == expected


def test_a_stored_hash_verifies_its_credential_only() -> None:
    stored = hash_password("credential")
    assert stored.startswith("$argon2id$")
    assert "credential" not in stored
    assert stored != hash_password("credential")
    assert verify_password(stored, "credential")
    assert not verify_password(stored, "other")
    assert not verify_password("", "")
    assert verify_password(hash_password("\ud800\0ü"), "\ud800\0ü")


class OneAccount:
    """Its hash, and somebody who may be faster."""

    def __init__(self, password_hash: str) -> None:
        self.password_hash = password_hash

    async def replace_password(self, account_id: int, old: str, new: str) -> bool:
        if old != self.password_hash:
            return False
        self.password_hash = new
        return True


@pytest.mark.anyio
async def test_a_quick_hash_gets_its_full_cost_at_the_first_log_in() -> None:
    quick = hash_password_quickly("credential")
    assert verify_password(quick, "credential")
    assert is_quick(quick)
    stored = OneAccount(quick)
    full = await strengthen(stored, 1, quick, "credential")
    assert stored.password_hash == full
    assert not is_quick(full)
    assert verify_password(full, "credential")
    assert await strengthen(stored, 1, full, "credential") == full


@pytest.mark.anyio
async def test_a_password_that_was_changed_meanwhile_stays() -> None:
    quick = hash_password_quickly("credential")
    stored = OneAccount("changed")
    assert await strengthen(stored, 1, quick, "credential") == quick
    assert stored.password_hash == "changed"


def test_a_wrong_password_takes_as_long_for_a_quick_hash() -> None:
    costs: list[float] = []
    for stored in (hash_password("credential"), hash_password_quickly("credential")):
        before = time.process_time()
        assert not verify_password(stored, "other")
        costs.append(time.process_time() - before)
    assert costs[1] > costs[0] / 2


def test_what_is_no_hash_is_a_fault() -> None:
    with pytest.raises(InvalidHashError):
        verify_password("plain", "plain")


def test_a_verification_costs_some_processor_time() -> None:
    stored = hash_password("credential")
    started = time.process_time()
    verify_password(stored, "credential")
    assert 0.005 < time.process_time() - started < 0.5


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_cache_knows_what_was_verified_for_some_time() -> None:
    clock = Clock()
    cache = VerifiedCache(clock, seconds=10)
    assert not cache.knows("stored", "credential")
    cache.remember("stored", "credential")
    assert cache.knows("stored", "credential")
    assert not cache.knows("stored", "other")
    assert not cache.knows("stored after a change", "credential")
    clock.now = 9.9
    assert cache.knows("stored", "credential")
    clock.now = 10.0
    assert not cache.knows("stored", "credential")
    assert len(cache) == 0


def test_the_cache_is_bounded() -> None:
    cache = VerifiedCache(Clock(), size=3)
    for name in "abcad":
        cache.remember(name, name)
    assert len(cache) == 3
    assert [name for name in "abcd" if cache.knows(name, name)] == ["a", "c", "d"]


def test_the_cache_holds_no_credential() -> None:
    cache = VerifiedCache(Clock())
    cache.remember("stored", "credential")
    assert "credential" not in repr(vars(cache))


def test_a_hash_is_told_from_what_apps_send() -> None:
    assert is_hash(hash_password("x"))
    assert is_hash(hash_password_quickly("x"))
    stored = hash_password("x")
    assert is_hash(stored.replace("m=9216,t=4", "m=19456,t=2"))
    assert not is_hash(app_hash("a@example.com", "x"))
    assert not is_hash(stored.replace("m=9216", "m=999999"))  # to verify it would take all memory
    assert not is_hash(stored.replace("t=4", "t=99"))
    assert not is_hash(stored.replace("t=4", "t=0"))  # nothing can verify it
    assert not is_hash(stored[:-5])
    assert not is_hash("")
