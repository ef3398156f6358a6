"""Templates, events, first answers and tokens by kind, on both databases."""

from __future__ import annotations

import pytest
from vpin_store import Store
from vpin_store.rows import AnswerRow, Changes

from .samples import account, dashboard, datastream, device, event, template, token

pytestmark = pytest.mark.anyio

DEVICE = (1, 1, 0)


async def test_templates_come_with_their_account_and_go_with_their_datastreams(store: Store) -> None:
    streams = [datastream(1, "TMPL1", 2), datastream(1, "TMPL1", 1), datastream(1, "TMPL2", 1)]
    kinds = [template(1, "TMPL2", position=1), template(1, "TMPL1"), template(2, "TMPL1")]
    await store.commit(Changes(accounts=[account(1, time_zone="Europe/Berlin")], templates=kinds, datastreams=streams))
    rows = (await store.load_accounts([1]))[1]
    assert rows.account.time_zone == "Europe/Berlin"
    assert [row.id for row in rows.templates] == ["TMPL1", "TMPL2"]
    assert [(row.template_id, row.pin) for row in rows.datastreams] == [("TMPL1", 1), ("TMPL1", 2), ("TMPL2", 1)]
    await store.commit(Changes(deleted_templates=[(1, "TMPL1")], deleted_datastreams=[(1, "TMPL2", ord("v"), 1)]))
    rows = (await store.load_accounts([1]))[1]
    assert [row.id for row in rows.templates] == ["TMPL2"]
    assert rows.datastreams == []


async def test_events_of_a_device_are_listed_newest_first(store: Store) -> None:
    events = [event(*DEVICE, n, severity="info" if n % 2 else "critical") for n in range(10, 20)]
    await store.commit(Changes(events=[*events, event(1, 1, 1, 15)]))
    found = await store.events.find(DEVICE, 12, 18, "", 17, 3)
    assert [row.id for row in found] == [16, 15, 14]
    assert [row.id for row in await store.events.find(DEVICE, 0, 99, "info", 99, 99)] == [19, 17, 15, 13, 11]
    assert await store.events.get(DEVICE, 12) == event(*DEVICE, 12, severity="critical")
    assert await store.events.get(DEVICE, 99) is None


async def test_events_go_with_their_device_and_dashboard(store: Store) -> None:
    await store.commit(
        Changes(
            accounts=[account(1)],
            dashboards=[dashboard(1, 1), dashboard(1, 2)],
            devices=[device(1, 1, 0), device(1, 1, 1), device(1, 2, 0)],
            events=[event(1, 1, 0, 1), event(1, 1, 1, 2), event(1, 2, 0, 3)],
        )
    )
    await store.commit(Changes(deleted_devices=[(1, 1, 0)], deleted_dashboards=[(1, 2)]))
    left = [await store.events.find((1, *key), 0, 99, "", 99, 9) for key in ((1, 0), (1, 1), (2, 0))]
    assert [len(events) for events in left] == [0, 1, 0]


async def test_a_first_answer_is_kept_until_it_is_out_of_date(store: Store) -> None:
    answer = AnswerRow(1, "key\0", b"digest", 201, b"{}", 100)
    await store.answers.keep(answer, now=0)
    assert await store.answers.find(1, "key\0", now=99) == answer
    assert await store.answers.find(1, "key\0", now=100) is None
    assert await store.answers.find(2, "key\0", now=0) is None
    await store.answers.keep(AnswerRow(1, "other", b"", 200, b"", 200), now=100)
    assert await store.answers.find(1, "key\0", now=0) is None


async def test_a_token_is_prolonged_if_it_is_still_there(store: Store) -> None:
    await store.commit(Changes(tokens=[token("there", 1, kind="session", expires_at=5)]))
    for name, expires_at in (("there", 9), ("there", 7), ("gone", 9)):
        await store.tokens.prolong(name, expires_at)
    assert {name: row.expires_at for name, row in (await store.tokens.find(["there", "gone"])).items()} == {"there": 9}


async def test_tokens_of_a_kind_are_deleted_but_one(store: Store) -> None:
    now = 1_795_322_283_721  # ms: more than 32 bits hold
    sessions = [token(name, 1, kind="session", expires_at=now + n) for n, name in enumerate("abc", 1)]
    await store.commit(Changes(tokens=[*sessions, token("device", 1), token("other", 2, kind="session")]))
    await store.tokens.delete(1, "session", expired_at=now + 2)
    assert set(await store.tokens.find(list("abc"))) == {"b", "c"}
    await store.tokens.delete(1, "session", keep="b")
    assert set(await store.tokens.find([*"abc", "device", "other"])) == {"b", "device", "other"}
