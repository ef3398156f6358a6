"""The repository on both databases."""

from __future__ import annotations

import pytest
from vpin_store import Conflict, Store, in_use
from vpin_store.rows import AppliedRow, Changes, JobRow

from .samples import account, dashboard, device, prop, token, value, widget

pytestmark = pytest.mark.anyio


async def test_accounts_are_unique_by_email_and_app(store: Store) -> None:
    first = await store.create_account(account())
    assert first is not None
    assert await store.create_account(account(name="Other")) is None
    second = await store.create_account(account(app_name="blynkabc"))
    assert second is not None
    assert second > first
    found = await store.find_account("anna@example.com", "Blynk")
    assert found == account(first)
    assert await store.get_account(second) == account(second, app_name="blynkabc")
    assert await store.find_account("anna@example.com", "other") is None
    assert await store.get_account(second + 1) is None


async def test_a_new_account_steps_over_ids_that_were_committed(store: Store) -> None:
    await store.commit(Changes(accounts=[account(n, f"{n}@example.com") for n in range(1, 40)]))
    assert await store.create_account(account()) == 40


async def test_a_password_that_was_set_outlives_the_commits_of_who_has_the_account_in_memory(store: Store) -> None:
    await store.commit(Changes(accounts=[account(1)]))
    assert await store.set_password(1, "$argon2id$new")
    await store.commit(Changes(accounts=[account(1)._replace(energy=7)]))
    stored = await store.get_account(1)
    assert stored
    assert (stored.password_hash, stored.energy) == ("$argon2id$new", 7)


async def test_a_password_is_replaced_unless_it_is_another_one_by_now(store: Store) -> None:
    await store.commit(Changes(accounts=[account(1)._replace(password_hash="old")]))
    assert await store.replace_password(1, "old", "new")
    assert not await store.replace_password(1, "old", "newer")
    assert not await store.replace_password(2, "old", "new")
    stored = await store.get_account(1)
    assert stored
    assert stored.password_hash == "new"


async def test_reserved_ids_are_given_to_nobody_else(store: Store) -> None:
    assert await store.reserve_accounts(3) == [1, 2, 3]
    assert await store.create_account(account()) == 4
    await store.commit(Changes(accounts=[account(2, "bob@example.com"), account(9, "carl@example.com")]))
    assert await store.create_account(account(email="dora@example.com")) in (5, 10)
    assert not {9, 2} & set(await store.reserve_accounts(10))


async def test_an_account_whose_key_is_taken_is_a_conflict(store: Store) -> None:
    await store.commit(Changes(accounts=[account(1)]))
    with pytest.raises(Conflict):
        await store.commit(Changes(accounts=[account(3, "bob@example.com"), account(2)]))
    assert await store.get_account(3) is None


async def test_accounts_by_their_emails(store: Store) -> None:
    first, second, _ = [
        await store.create_account(account(email=email, app_name=app))
        for email, app in (("anna@example.com", "Blynk"), ("anna@example.com", "other"), ("bob@example.com", "Blynk"))
    ]
    found = await store.find_accounts(["anna@example.com", "nobody@example.com"])
    assert [row.id for row in found] == [first, second]


async def test_whether_another_process_has_the_database_open(store: Store, empty_url: str) -> None:
    await store.ping()
    assert await in_use(empty_url)
    await store.close()
    assert not await in_use(empty_url)


async def test_list_accounts_goes_on_after_an_id(store: Store) -> None:
    ids = [await store.create_account(account(email=f"{n}@example.com")) for n in range(5)]
    page = await store.list_accounts(3)
    assert [row.id for row in page] == ids[:3]
    assert [row.id for row in await store.list_accounts(3, after=page[-1].id)] == ids[3:]


async def test_set_password_and_super_admin(store: Store) -> None:
    account_id = await store.create_account(account())
    assert account_id is not None
    assert not await store.has_super_admin()
    assert await store.set_password(account_id, "new")
    assert not await store.set_password(account_id + 1, "new")
    row = await store.get_account(account_id)
    assert row is not None
    assert row.password_hash == "new"
    await store.commit(Changes(accounts=[row._replace(is_super_admin=True)]))
    assert await store.has_super_admin()
    loaded = await store.get_account(account_id)
    assert loaded is not None
    assert loaded.is_super_admin is True


async def test_how_many_accounts_are_new(store: Store) -> None:
    assert not await store.were_made_since(1, 0)
    for number, at in enumerate((100, 200, 300)):
        await store.create_account(account(0, email=f"{number}@example.com")._replace(created_at=at))
    assert await store.were_made_since(3, 99)
    assert not await store.were_made_since(4, 99)
    assert not await store.were_made_since(3, 100)
    assert await store.were_made_since(2, 100)


async def test_tokens_that_exist_are_found(store: Store) -> None:
    rows = [token("a" * 32, 1), token("b" * 32, 2, kind="share", body=b'{"x":1}')]
    await store.commit(Changes(tokens=rows))
    assert await store.tokens.find(["a" * 32, "b" * 32, "c", "\0\ud800"]) == {row.token: row for row in rows}
    assert await store.tokens.find([]) == {}


async def test_a_token_is_claimed_by_who_comes_first(store: Store) -> None:
    first, second = token("claimed x", 1), token("claimed x", 2, body=b'{"x":1}')
    assert await store.tokens.claim(first) == first
    assert await store.tokens.claim(second) == first
    assert await store.tokens.claim(first) == first
    odd = token("claimed \0\ud800\\", 3, body=b'{"x":1}')
    assert await store.tokens.claim(odd) == odd


async def test_users_of_an_app_and_one_dashboard(store: Store) -> None:
    ids = [await store.create_account(account(email=f"{n}@example.com", app_name="blynkabc")) for n in range(3)]
    await store.create_account(account())
    assert await store.users_of("blynkabc") == ids
    assert await store.users_of("\0") == []
    row = dashboard(1, -7)
    await store.commit(Changes(dashboards=[row, dashboard(1, 2)]))
    assert await store.get_dashboard(1, -7) == row
    assert await store.get_dashboard(2, -7) is None


async def test_load_accounts_gives_all_rows_in_order(store: Store) -> None:
    changes = Changes(
        accounts=[account(1), account(2, "b@example.com"), account(3, "c@example.com")],
        dashboards=[dashboard(1, 7, position=1), dashboard(1, 9), dashboard(2, 7)],
        widgets=[widget(1, 7, 2, position=1), widget(1, 7, 1, position=2), widget(2, 7, 1)],
        devices=[device(1, 7, 1), device(1, 7, 0, position=1), device(3, 1, 0)],
        tokens=[token("t1", 1), token("t2", 2)],
        values=[value(1, 7, 0, 5, b"a\0b"), value(2, 7, 0, 1, value=None, lines=b"\x91\xc4\x01a")],
        properties=[prop(1, 7, 0, 5)],
    )
    await store.commit(changes)
    loaded = await store.load_accounts([1, 2, 99])
    assert sorted(loaded) == [1, 2]
    first = loaded[1]
    assert first.account == account(1)
    assert first.dashboards == [dashboard(1, 9), dashboard(1, 7, position=1)]
    assert [row.key for row in first.widgets] == [2, 1]
    assert [row.id for row in first.devices] == [1, 0]
    assert first.tokens == [token("t1", 1)]
    assert first.values == [value(1, 7, 0, 5, b"a\0b")]
    assert first.properties == [prop(1, 7, 0, 5)]
    assert loaded[2].values == [value(2, 7, 0, 1, value=None, lines=b"\x91\xc4\x01a")]
    assert await store.load_accounts([]) == {}


async def test_deleting_a_dashboard_deletes_what_is_on_it(store: Store) -> None:
    def rows_of(dash_id: int) -> Changes:
        return Changes(
            dashboards=[dashboard(1, dash_id)],
            widgets=[widget(1, dash_id, 1)],
            devices=[device(1, dash_id, 0)],
            values=[value(1, dash_id, 0, 1)],
            properties=[prop(1, dash_id, 0, 1)],
        )

    await store.commit(Changes(accounts=[account(1)], tokens=[token("t", 1)]))
    await store.commit(rows_of(7))
    await store.commit(rows_of(8))
    await store.commit(Changes(deleted_dashboards=[(1, 7)], deleted_tokens=["t"]))
    left = (await store.load_accounts([1]))[1]
    assert {row.dash_id for row in [*left.widgets, *left.devices, *left.values, *left.properties]} == {8}
    assert [row.id for row in left.dashboards] == [8]
    assert left.tokens == []


async def test_deleting_a_device_deletes_its_values(store: Store) -> None:
    await store.commit(
        Changes(
            accounts=[account(1)],
            devices=[device(1, 7, 0), device(1, 7, 1)],
            values=[value(1, 7, 0, 1), value(1, 7, 1, 1), value(1, 7, 100_000, 1)],
            properties=[prop(1, 7, 0, 1), prop(1, 7, 1, 1)],
        )
    )
    await store.commit(Changes(deleted_devices=[(1, 7, 0)]))
    left = (await store.load_accounts([1]))[1]
    assert [row.id for row in left.devices] == [1]
    assert [row.device_id for row in left.values] == [1, 100_000]
    assert [row.device_id for row in left.properties] == [1]


async def test_single_rows_are_deleted_by_key(store: Store) -> None:
    v = ord("v")
    await store.commit(
        Changes(
            accounts=[account(1)],
            widgets=[widget(1, 7, 1), widget(1, 7, 2)],
            values=[value(1, 7, device_id, pin) for device_id in (0, 1) for pin in (1, 2)],
            properties=[prop(1, 7, 0, 1, "label"), prop(1, 7, 0, 1, "a\\b\0")],
        )
    )
    await store.commit(
        Changes(
            deleted_widgets=[(1, 7, 1)],
            deleted_values=[(1, 7, 0, v, 2), (1, 7, 1, v, -1)],
            deleted_properties=[(1, 7, 0, v, 1, "a\\b\0")],
        )
    )
    left = (await store.load_accounts([1]))[1]
    assert [row.key for row in left.widgets] == [2]
    assert [(row.device_id, row.pin) for row in left.values] == [(0, 1)]
    assert [row.name for row in left.properties] == ["label"]


async def test_deletions_run_before_upserts(store: Store) -> None:
    await store.commit(Changes(accounts=[account(1)], dashboards=[dashboard(1, 7)], values=[value(1, 7, 0, 1)]))
    await store.commit(Changes(deleted_dashboards=[(1, 7)], dashboards=[dashboard(1, 7)], values=[value(1, 7, 0, 2)]))
    left = (await store.load_accounts([1]))[1]
    assert left.dashboards == [dashboard(1, 7)]
    assert [row.pin for row in left.values] == [2]


async def test_the_last_of_equal_keys_counts(store: Store) -> None:
    await store.commit(
        Changes(
            accounts=[account(1), account(1, name="Last")],
            values=[value(1, 7, 0, 1, b"first"), value(1, 7, 0, 2), value(1, 7, 0, 1, b"last")],
            applied=[AppliedRow(0, b"s" * 16, 1), AppliedRow(0, b"s" * 16, 2)],
        )
    )
    loaded = (await store.load_accounts([1]))[1]
    assert loaded.account.name == "Last"
    assert [row.value for row in loaded.values] == [b"last", b"1"]
    assert await store.applied(0) == {b"s" * 16: 2}


async def test_a_failed_commit_leaves_nothing(store: Store) -> None:
    bad = dashboard(1, 7)._replace(position=None)  # type: ignore[arg-type]  on purpose
    with pytest.raises(Exception, match=r"(?i)null"):
        await store.commit(Changes(accounts=[account(1)], dashboards=[bad], values=[value(1, 7, 0, 1)]))
    assert await store.load_accounts([1]) == {}
    await store.commit(Changes(accounts=[account(1)]))
    assert sorted(await store.load_accounts([1])) == [1]


async def test_applied_and_jobs_by_shard(store: Store) -> None:
    await store.commit(
        Changes(
            applied=[AppliedRow(0, b"a" * 16, 5), AppliedRow(1, b"a" * 16, 2**40), AppliedRow(0, b"\0" * 16, 1)],
            jobs=[JobRow("k1", 0, b"\x00\xff"), JobRow("k2", 1, b"b"), JobRow("k3", 2, b"c")],
        )
    )
    assert await store.applied(0) == {b"a" * 16: 5, b"\0" * 16: 1}
    assert await store.jobs([0, 2]) == [JobRow("k1", 0, b"\x00\xff"), JobRow("k3", 2, b"c")]
    await store.commit(Changes(deleted_applied=[(0, b"a" * 16)], deleted_jobs=["k1"]))
    assert await store.applied(0) == {b"\0" * 16: 1}
    assert [job.key for job in await store.jobs([0, 1, 2])] == ["k2", "k3"]


async def test_what_clients_put_into_names_and_json(store: Store) -> None:
    """NUL and lone surrogates, which PostgreSQL refuses in text and in jsonb."""
    body = rb'{"value":"a\u0000b","label":"\ud800","x":"\\","n":1e3,"name":"' + "ü€😀".encode() + b'"}'
    rows = Changes(
        accounts=[account(1, name="a\0b\\u0000\\", body=body)],
        dashboards=[dashboard(1, 7, body=body)],
        widgets=[widget(1, 7, 1, body=body)],
        devices=[device(1, 7, 0, name="\ud800\\\\ü😀", body=body)],
        tokens=[token("t", 1, body=body)],
    )
    await store.commit(rows)
    loaded = (await store.load_accounts([1]))[1]
    assert [loaded.account] == rows.accounts
    assert loaded.dashboards == rows.dashboards
    assert loaded.widgets == rows.widgets
    assert loaded.devices == rows.devices
    assert loaded.tokens == rows.tokens


async def test_ready_tells_whether_the_database_answers(store: Store) -> None:
    assert store.ready
    assert await store.ping()
    await store.commit(Changes())
    await store.close()
    assert not store.ready
