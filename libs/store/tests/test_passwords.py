"""Password hashes and the memory of those verified."""

from __future__ import annotations

import time

import pytest
from argon2.exceptions import InvalidHashError
from vpin_store.passwords import VerifiedCache, app_hash, hash_password, verify_password


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
