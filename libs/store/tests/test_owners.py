"""Only the process that claimed a shard last may commit changes of its accounts."""

from __future__ import annotations

import pytest
from vpin_store import Fenced, Store
from vpin_store.rows import AppliedRow, Changes

OLD, NEW = b"o" * 16, b"n" * 16


def changes_by(owner: bytes, number: int) -> Changes:
    return Changes(applied=[AppliedRow(3, b"g" * 16, number)], shards=[3], owner=owner)


@pytest.mark.anyio
async def test_a_claim_shuts_out_the_owner_before(store: Store) -> None:
    assert not await store.claim(3, OLD)
    assert await store.claim(3, OLD)
    await store.commit(changes_by(OLD, 1))
    assert not await store.claim(3, NEW)
    with pytest.raises(Fenced):
        await store.commit(changes_by(OLD, 2))
    await store.commit(changes_by(NEW, 3))
    assert await store.applied(3) == {b"g" * 16: 3}


@pytest.mark.anyio
async def test_a_shard_that_nobody_claimed_takes_no_commit(store: Store) -> None:
    with pytest.raises(Fenced):
        await store.commit(changes_by(OLD, 1))
