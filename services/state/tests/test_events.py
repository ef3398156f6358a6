"""Events that are built in, limits of events and of their notifications, metadata that boards are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from state_world import World
from vpin_messages.entry import Opening
from vpin_messages.requests import PinRequest
from vpin_protocol import Command
from vpin_state import event_counts, registry, templates
from vpin_state.collect import collect
from vpin_state.config import Config
from vpin_state.handlers import presence
from vpin_state.profile import device_json
from vpin_state.watching import Watch
from vpin_store.rows import Changes

OPENING = Opening(1, 29, "10.0.0.1")


@pytest.fixture
def pump(world: World) -> World:
    """The world's device is offline, and has a template."""
    templates.create(world.account, "TMPL1", "pump", {}, world.fx.now)
    templates.attach(world.device, "TMPL1")
    world.device.sessions.clear()
    return world


def define(world: World, code: str, **fields: object) -> None:
    template = world.account.templates["TMPL1"]
    event = {"code": code, "name": code, "severity": "info", "description": ""} | fields
    template.body = template.body | {"events": template.body.get("events", {}) | {code: event}}


def come(world: World) -> None:
    world.device.sessions.append(world.board)
    world.fx.begin(world.board, 1)
    presence.device_connected(world.fx, world.board, OPENING)


def go(world: World) -> None:
    world.device.sessions.clear()
    world.fx.begin(None, 0)
    presence.device_gone(world.fx, world.device)


def wait(world: World, seconds: int) -> None:
    """Time goes by, and what is scheduled happens."""
    world.fx.now += seconds * 1000
    due: list[Callable[[Any], None]] = [action for at, _, action in world.fx.scheduled if at <= world.fx.now]
    world.fx.scheduled = [one for one in world.fx.scheduled if one[0] > world.fx.now]
    for action in due:
        world.fx.begin(None, 0)
        action(world.fx)


def logged(world: World) -> list[str]:
    return [row.code for row in world.device.logged or ()]


def test_coming_and_going_are_events_of_a_device_with_a_template(pump: World) -> None:
    come(pump)
    go(pump)
    come(pump)
    assert logged(pump) == ["online", "offline", "online"]
    pump.store()
    assert [row.severity for row in pump.events.values()] == ["info", "warning", "info"]


def test_without_a_template_they_are_not(world: World) -> None:
    world.device.sessions.clear()
    come(world)
    go(world)
    assert logged(world) == []


def test_a_return_in_time_leaves_no_trace(pump: World) -> None:
    define(pump, "offline", ignoreSeconds=30)
    come(pump)
    go(pump)
    wait(pump, 29)
    come(pump)
    wait(pump, 60)
    assert logged(pump) == ["online"]
    go(pump)
    wait(pump, 10)
    come(pump)
    go(pump)
    wait(pump, 29)
    assert logged(pump) == ["online"]
    wait(pump, 1)
    assert logged(pump) == ["online", "offline"]
    come(pump)
    assert logged(pump) == ["online", "offline", "online"]


def test_an_absence_that_a_new_owner_inherits_is_told_at_its_time(pump: World) -> None:
    define(pump, "offline", ignoreSeconds=30)
    come(pump)
    go(pump)
    pump.fx.scheduled.clear()  # the process that has had the account is gone
    presence.settle_left_behind(pump.fx, pump.account, None, [])  # type: ignore[arg-type]  # nobody waits for an answer
    wait(pump, 30)
    assert logged(pump) == ["online", "offline"]


def test_a_template_says_more_of_them(pump: World) -> None:
    define(pump, "offline", severity="critical", description="help", notify={"email": ["owner"]})
    come(pump)
    go(pump)
    pump.store()
    row = list(pump.events.values())[-1]
    assert (row.severity, row.description) == ("critical", "help")
    assert [job.to for job in pump.fx.jobs] == [["a@example.com"]]


def test_a_board_can_not_log_what_is_built_in(pump: World) -> None:
    define(pump, "offline")
    pump.device.sessions.append(pump.board)
    assert pump.ask(pump.board, Command.LOG_EVENT, "offline") == 2


def test_only_so_many_events_a_day(pump: World) -> None:
    define(pump, "hot")
    for _ in range(100):
        assert log(pump, "hot") == 200
        pump.fx.now += 1000
    assert log(pump, "hot") == 429
    come(pump)
    assert logged(pump)[-1] == "hot"
    pump.fx.now += 86_400_000
    assert log(pump, "hot") == 200


def test_the_same_event_not_twice_in_a_second(pump: World) -> None:
    define(pump, "hot")
    define(pump, "cold")
    assert [log(pump, "hot"), log(pump, "hot"), log(pump, "cold")] == [200, 429, 200]


def test_notifications_of_an_event_keep_a_distance(pump: World) -> None:
    define(pump, "hot", notify={"email": ["owner"]}, limit={"count": 10, "per": "minute"})
    for seconds in (0, 4, 1, 5):
        pump.fx.now += seconds * 1000
        assert log(pump, "hot") == 200
        pump.fx.now += 1000 if not seconds else 0
    assert len(pump.fx.jobs) == 3


@pytest.mark.parametrize(("per", "ms"), [("minute", 60_000), ("hour", 3_600_000), ("day", 86_400_000)])
def test_a_limit_holds_for_its_period(pump: World, per: str, ms: int) -> None:
    define(pump, "hot", notify={"email": ["owner"]}, limit={"count": 2, "per": per})
    begin = pump.fx.now
    for after in (0, ms // 10, ms - 1, ms + 1000, ms + ms // 10):
        pump.fx.now = begin + after
        assert log(pump, "hot") == 200
    assert len(pump.fx.jobs) == 4, "two, none in the rest of the period, and each again when it is over for it"


def change_owner(world: World) -> None:
    """The account is stored, and read by another process."""
    changes = Changes()
    collect(world.account, changes)
    (row,) = [row for row in changes.devices if row.id == 0]
    world.device.body, world.device.logged = json.loads(row.body), None


def test_limits_hold_over_a_change_of_the_owner(pump: World) -> None:
    define(pump, "hot", notify={"email": ["owner"]}, limit={"count": 2, "per": "day"})
    for _ in range(100):
        assert log(pump, "hot") == 200
        pump.fx.now += 6000
        change_owner(pump)
    assert len(pump.fx.jobs) == 2
    assert log(pump, "hot") == 429
    pump.fx.now += 86_400_000 - 600_000
    assert [log(pump, "hot"), len(pump.fx.jobs)] == [200, 3]


def test_an_app_that_changes_the_device_neither_sees_the_counts_nor_ends_them(pump: World) -> None:
    define(pump, "hot", notify={"email": ["owner"]}, limit={"count": 1, "per": "day"})
    assert [log(pump, "hot"), len(pump.fx.jobs)] == [200, 1]
    pump.fx.jobs.clear()
    device = json.dumps({"id": 0, "name": "new", "boardType": "ESP8266", "eventCounts": {}})
    assert pump.ask(pump.app, Command.UPDATE_DEVICE, "1", device) == 200
    pump.fx.now += 60_000
    assert [log(pump, "hot"), len(pump.fx.jobs)] == [200, 0]
    assert "eventCounts" not in json.dumps(device_json(pump.device))


def test_what_is_counted_does_not_grow(pump: World) -> None:
    pump.fx.config = Config(events_per_day=0)
    for code in range(300):
        define(pump, f"hot{code}")
        assert log(pump, f"hot{code}") == 200
        pump.fx.now += 1_000_000
    counts = pump.device.body[event_counts.KEY]
    assert (len(counts["logged"]), len(counts["told"])) == (87, 87)


def test_each_kind_of_receiver_has_its_job(pump: World) -> None:
    notify = {"email": ["owner", "b@x.org"], "sms": ["+49"], "apprise": ["ntfy://topic"], "push": ["owner"]}
    define(pump, "hot", notify=notify)
    phones = {"id": 9, "type": "NOTIFICATION", "x": 0, "y": 0, "width": 1, "height": 1, "androidTokens": {"u": "phone"}}
    pump.dash.add_widget(phones)
    assert log(pump, "hot") == 200
    told = [(job.channel, job.to) for job in pump.fx.jobs]
    assert told == [
        ("mail", ["a@example.com"]),
        ("mail", ["b@x.org"]),
        ("sms", ["+49"]),
        ("apprise", ["ntfy://topic"]),
        ("push", ["phone"]),
    ]


def test_an_event_is_shown_live(pump: World) -> None:
    watch = pump.account.watch = Watch(pump.account)
    come(pump)
    assert [shown.kind for shown in watch.fresh] == ["status", "event"]
    assert json.loads(watch.fresh[1].data)["code"] == "online"


def test_a_board_is_told_of_its_metadata(world: World) -> None:
    world.device.body["metadata"] = {"room": "attic", "floor": "3"}
    registry.load()
    reply = registry.operations["iotSetMeta"](
        world.fx, world.device, PinRequest("iotSetMeta", name="room", values=["x"])
    )
    assert reply.status == 200
    a = {"id": (1 + 1 << 20) | 0, "changes": {"metadata": {"floor": None, "side": "north", "room": "x"}}}
    assert registry.account_operations["patchDevice"](world.fx, world.account, a).status == 200
    told = [body for command, _, body in world.sent_to(world.board) if command == Command.INTERNAL]
    assert told == [b"meta\0room\0x", b"meta\0side\0north"]


def log(world: World, code: str) -> int:
    registry.load()
    request = PinRequest("iotEvent", name=code, values=[""])
    return registry.operations["iotEvent"](world.fx, world.device, request).status
