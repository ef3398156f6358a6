"""Events that boards log and resolve (spec 01, 8.3)."""

from __future__ import annotations

import json

import pytest
from vpin_protocol import Command
from vpin_state import events, registry, templates
from vpin_state.device_numbers import number_of
from vpin_state.watching import Watch, rfc3339

HOT = {"name": "Too hot", "severity": "warning", "description": "over 90 °C"}


@pytest.fixture
def hot(world):
    """The world, with a template that knows the events `hot` and `cold`."""
    body = {"events": {"hot": HOT, "cold": HOT | {"name": "Too cold"}}}
    templates.create(world.account, "TMPL1", "pump", body, world.fx.now)
    templates.attach(world.device, "TMPL1")
    return world


def ask(world, command, *parts):
    """The status that answers."""
    world.send(world.board, command, *parts)
    answers = world.sent_to(world.board)
    world.clear()
    return answers[0][2] if answers else None


def rows(world):
    """(code, description, resolved at) of all events, as they are committed."""
    world.store()
    return [(row.code, row.description, row.resolved_at) for row in world.events.values()]


def test_an_event_is_logged_with_its_description_or_that_of_the_template(hot):
    assert ask(hot, Command.LOG_EVENT, "hot", "95 °C") == 200
    assert ask(hot, Command.LOG_EVENT, "cold") == 200
    assert rows(hot) == [("hot", "95 °C", 0), ("cold", "over 90 °C", 0)]


@pytest.mark.parametrize("parts", [("none",), ("",), ("hot", "x" * 301)])
def test_what_can_not_be_logged(hot, parts):
    assert ask(hot, Command.LOG_EVENT, *parts) == 2
    assert rows(hot) == []


def test_without_a_template_there_are_no_events(world):
    assert ask(world, Command.LOG_EVENT, "hot") == 2
    assert ask(world, Command.EVENT_CLEAR, "hot") == 2


def test_the_same_event_comes_at_most_once_a_second(hot):
    assert ask(hot, Command.LOG_EVENT, "hot", "x" * 300) == 200
    hot.fx.now += 999
    assert ask(hot, Command.LOG_EVENT, "hot") == 1
    assert ask(hot, Command.LOG_EVENT, "cold") == 200
    hot.fx.now += 1
    assert ask(hot, Command.LOG_EVENT, "hot") == 200


def test_a_device_logs_at_most_100_events_a_day(hot):
    for _ in range(100):
        assert ask(hot, Command.LOG_EVENT, "hot") == 200
        hot.fx.now += 1000
    assert ask(hot, Command.LOG_EVENT, "cold") == 1
    hot.fx.now += 86_400_000
    assert ask(hot, Command.LOG_EVENT, "cold") == 200


def test_the_newest_open_event_is_resolved(hot):
    for _ in range(3):
        ask(hot, Command.LOG_EVENT, "hot")
        hot.fx.now += 1000
    now = hot.fx.now
    assert ask(hot, Command.EVENT_CLEAR, "hot") == 200
    assert [resolved for *_, resolved in rows(hot)] == [0, 0, now]
    assert ask(hot, Command.EVENT_CLEAR, "hot") == 200
    assert [resolved for *_, resolved in rows(hot)] == [0, now, now]


def test_all_open_events_of_a_code_are_resolved_also_those_of_before(hot):
    for code in ("hot", "cold"):
        ask(hot, Command.LOG_EVENT, code)
        hot.fx.now += 1000
    hot.store()
    hot.device.logged = None  # as after a change of owner
    ask(hot, Command.LOG_EVENT, "hot")
    assert ask(hot, Command.EVENT_CLEAR, "hot", "all") == 200
    assert [(code, bool(resolved)) for code, _, resolved in rows(hot)] == [
        ("hot", True),
        ("cold", False),
        ("hot", True),
    ]


def test_an_event_that_is_resolved_at_once_is_committed_once(hot):
    ask(hot, Command.LOG_EVENT, "hot")
    (event,) = hot.account.dirty.events
    hot.account.dirty.events.append(event)  # not committed when the answer of the database comes
    assert hot.events == {}
    hot.fx.now = 7
    events.resolve(hot.fx, hot.device, event)
    assert [row.resolved_at for row in hot.account.dirty.events] == [7]


def by_api(world, row):
    """The management API resolves an event that it has found open."""
    registry.load()
    told = {"id": number_of(world.device), "eventId": row.id, "at": row.at}
    told |= {"code": row.code, "severity": row.severity, "description": row.description}
    assert registry.account_operations["resolveEvent"](world.fx, world.account, told).status == 204


def test_what_the_api_has_resolved_stays_so(hot):
    for _ in range(2):
        ask(hot, Command.LOG_EVENT, "hot")
        hot.fx.now += 1000
    hot.store()
    _, second = hot.events.values()
    by_api(hot, second)
    resolved_at, hot.fx.now = hot.fx.now, hot.fx.now + 1000
    by_api(hot, second)
    assert ask(hot, Command.EVENT_CLEAR, "hot") == 200
    assert [resolved for *_, resolved in rows(hot)] == [hot.fx.now, resolved_at]


@pytest.mark.parametrize("way", ["board", "api"])
def test_readers_of_the_stream_are_shown_that_an_event_is_resolved(hot, way):
    ask(hot, Command.LOG_EVENT, "hot", "95 °C")
    hot.store()
    (row,) = hot.events.values()
    watch = hot.account.watch = Watch(hot.account)
    hot.fx.now += 1000
    if way == "board":
        assert ask(hot, Command.EVENT_CLEAR, "hot") == 200
    else:
        by_api(hot, row)
    (shown,) = watch.fresh
    told = json.loads(shown.data)
    assert (shown.kind, told["id"], told["description"]) == ("event", row.id, "95 °C")
    assert (told["at"], told["resolvedAt"]) == (rfc3339(row.at), rfc3339(row.at + 1000))


def test_nothing_to_resolve_is_fine(hot):
    assert ask(hot, Command.EVENT_CLEAR, "hot") == 200
    assert ask(hot, Command.EVENT_CLEAR, "none") == 2
