"""Deleting a whole account."""

from __future__ import annotations

import pytest
from vpin_store import Store
from vpin_store.history import Step
from vpin_store.rows import (
    AnswerRow,
    CampaignRow,
    Changes,
    DeletionRow,
    PointRow,
    StreamKey,
    TokenRow,
)
from vpin_store.schema import TABLES
from vpin_store.statements import OF_ACCOUNTS

from .samples import V, account, dashboard, datastream, device, event, prop, template, token, value, widget

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000_000
OWNER = b"owner of all 123"
HISTORY = {"stream", "deletion"}
"""Tables with an account's id that are no rows of the account itself."""


async def fill(store: Store, account_id: int) -> None:
    """Something in every table that has accounts' rows."""
    key = StreamKey(account_id, 1, 0, V, 1)
    points = [PointRow(key, NOW - 60_000 * n, float(n), keep=True, shard=0) for n in range(3)]
    await store.claim(0, OWNER)
    await store.commit(
        Changes(
            accounts=[account(account_id, f"{account_id}@example.com")],
            dashboards=[dashboard(account_id, 1)],
            widgets=[widget(account_id, 1, 1)],
            devices=[device(account_id, 1, 0)],
            tokens=[
                token(f"board{account_id}", account_id),
                TokenRow(f"session{account_id}", "session", account_id, 0, 0, NOW, b""),
                TokenRow(f"zip{account_id}", "download", account_id, 1, 0, NOW, b"{}"),
            ],
            values=[value(account_id, 1, 0, 1)],
            properties=[prop(account_id, 1, 0, 1)],
            templates=[template(account_id, "TMPL")],
            datastreams=[datastream(account_id, "TMPL", 1)],
            events=[event(account_id, 1, 0, 7)],
            points=points,
            at=NOW,
        )
    )
    await store.history.roll_up(OWNER, [0])
    await store.answers.keep(AnswerRow(account_id, "k", b"d", 201, b"{}", NOW), 0)
    await store.firmware.start_campaign(CampaignRow(f"image{account_id}", account_id, "", "1", 1, "root"))


async def left(store: Store, account_id: int) -> dict[str, int]:
    """How many rows of the account each table has."""
    found = {}
    for table in (*OF_ACCOUNTS, *(table for table in TABLES if table.name == "stream")):
        sql = f"SELECT count(*) FROM {table.name} WHERE account_id = $1"
        found[table.name] = (await store._driver.fetch(sql, account_id))[0][0]  # pyright: ignore[reportPrivateUsage]
    return found


def test_no_table_of_accounts_is_forgotten() -> None:
    of_accounts = {table.name for table in TABLES if any(column.name == "account_id" for column in table.columns)}
    assert of_accounts == {table.name for table in OF_ACCOUNTS} | HISTORY


async def test_with_an_account_goes_everything_of_it_and_nothing_else(store: Store) -> None:
    await fill(store, 1)
    await fill(store, 2)
    key = StreamKey(1, 1, 0, V, 1)
    assert all((await left(store, 1)).values())
    assert await store.history.rollups(key, Step.MINUTE, 0, NOW * 2, 9)
    before = await left(store, 2), await store.load_accounts([2])
    await store.commit(Changes(deleted_accounts=[1], at=NOW))
    assert not any((await left(store, 1)).values())
    assert await store.load_accounts([1]) == {}
    assert await store.history.rollups(key, Step.MINUTE, 0, NOW * 2, 9) == []
    assert await store.history.points(key, 0, NOW * 2, 9) == []
    assert [row.account_id for row in await store.firmware.campaigns()] == [2]
    assert (await left(store, 2), await store.load_accounts([2])) == before
    assert await store.history.rollups(key._replace(account_id=2), Step.MINUTE, 0, NOW * 2, 9)


async def test_points_that_were_on_their_way_count_for_nobody(store: Store) -> None:
    await fill(store, 1)
    key = StreamKey(1, 1, 0, V, 1)
    await store.commit(Changes(points=[PointRow(key, NOW, 9.0)], at=NOW))
    await store.commit(Changes(deleted_accounts=[1], at=NOW))
    await store.history.roll_up(OWNER, [0])
    await store.history.tidy(NOW + 3_600_000, 30)
    assert await store.history.streams([]) == []
    for step in Step:
        assert (await store._driver.fetch(f"SELECT count(*) FROM {step.table}"))[0][0] == 0  # pyright: ignore[reportPrivateUsage]


async def test_its_id_never_comes_again(store: Store) -> None:
    ids = [await store.create_account(account(email=f"{n}@example.com")) for n in range(3)]
    assert ids[2] is not None
    await store.commit(Changes(deleted_accounts=[ids[2]]))
    await store.commit(Changes(accounts=[account(ids[2] + 1, "import@example.com")]))  # its id is in the way
    made = await store.create_account(account(email="2@example.com"))
    assert made is not None
    assert made > ids[2] + 1
    await store.commit(Changes(deleted_accounts=[made, ids[2] + 1]))
    assert (await store.reserve_accounts(1))[0] > made


async def test_a_wish_is_kept_until_it_is_finished(store: Store) -> None:
    await fill(store, 1)
    await store.deletions.ask(1, 5)
    await store.deletions.ask(1, 6)
    await store.commit(Changes(deleted_accounts=[1], at=NOW))
    assert await store.deletions.asked() == [DeletionRow(1, 5)]
    await store.commit(Changes(tokens=[TokenRow("late", "session", 1, 0, 0, NOW, b"")]))  # a log-in that was under way
    await store.deletions.finish(1, NOW)
    assert await store.deletions.asked() == []
    assert not any((await left(store, 1)).values())
