"""Operations of the management API and of the IoT API, without sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from state_world import World
from vpin_messages.jobs import LAST_ATTEMPT
from vpin_messages.requests import PinReply, PinRequest
from vpin_state import registry, templates
from vpin_state.collect import collect
from vpin_state.device import Device
from vpin_state.device_numbers import number_of
from vpin_state.errors import Declined
from vpin_state.handlers.manage_devices import device_of
from vpin_state.load import build_account
from vpin_state.model import NO_PROJECT, Dashboard
from vpin_store.rows import AccountRows, Changes

V = ord("v")
STREAM: dict[str, Any] = {
    "name": None,
    "alias": None,
    "valueType": "STRING",
    "min": None,
    "max": None,
    "defaultValue": None,
    "syncWithLatest": False,
    "waitForConfirmation": 0,
    "invalidateAfter": 0,
    "invalidateTo": "NOTHING",
    "enumValues": None,
    "enumFallback": None,
}


def manage(world: World, name: str, /, **arguments: Any) -> Any:
    """The JSON of what a management operation answers."""
    registry.load()
    reply = registry.account_operations[name](world.fx, world.account, arguments)
    assert reply.status < 300
    return json.loads(reply.body) if reply.body else None


def declined(world: World, name: str, /, **arguments: Any) -> int:
    with pytest.raises(Declined) as caught:
        manage(world, name, **arguments)
    return caught.value.status


def ask(world: World, name: str, device: Device | None = None, /, **fields: Any) -> PinReply:
    """What an operation of a pin API answers."""
    registry.load()
    payload = json.dumps(fields.pop("payload", {})).encode()
    request = PinRequest(name, payload=payload, **fields)
    return registry.operations[name](world.fx, device or world.device, request)


def template(world: World, **streams: dict[str, Any]) -> str:
    made = manage(world, "createTemplate", name="Kind")["id"]
    for pin, changed in streams.items():
        put_stream(world, made, pin, **changed)
    return made


def put_stream(world: World, template_id: str, pin: str, **changed: Any) -> Any:
    number = [pin[0].lower(), int(pin[1:])]
    return manage(world, "putDatastream", id=template_id, pin=number, stream=STREAM | changed)


def reloaded(world: World) -> Any:
    """The account as it comes back from the rows that it has to store."""
    changes = Changes()
    collect(world.account, changes)
    rows = AccountRows(world.account.row._replace(body=b"{}"))
    rows.templates, rows.datastreams = changes.templates, changes.datastreams
    rows.dashboards, rows.devices = changes.dashboards, changes.devices
    return build_account(rows, 0)


def placed(number: int, **changed: Any) -> dict[str, Any]:
    return STREAM | {"pinType": "VIRTUAL", "pin": number} | changed


def test_a_template_begins_with_the_datastreams_and_events_that_it_is_given(world: World) -> None:
    streams = [placed(3, name="Room Temperature"), placed(1), placed(1, pinType="DIGITAL")]
    made = manage(world, "createTemplate", name="Kind", datastreams=streams, events=[{"code": "hot", "name": "Hot"}])
    found = [(s["id"], s["pinType"], s["pin"], s["name"], s["alias"]) for s in made["datastreams"]]
    assert found == [
        (1, "VIRTUAL", 3, "Room Temperature", "room_temperature"),
        (2, "VIRTUAL", 1, "V1", "v1"),
        (3, "DIGITAL", 1, "D1", "d1"),
    ]
    assert made["events"] == [{"code": "hot", "name": "Hot"}]
    assert [s["id"] for s in reloaded(world).templates[made["id"]].streams] == [1, 2, 3]


def test_a_list_takes_the_place_of_the_list_that_there_is(world: World) -> None:
    made = manage(world, "createTemplate", name="Kind", datastreams=[placed(1), placed(2)], events=[{"code": "hot"}])
    changes = {"datastreams": [placed(2, unit="l"), placed(5)]}
    found = manage(world, "patchTemplate", id=made["id"], changes=changes)
    assert [(s["id"], s["pin"], s.get("unit")) for s in found["datastreams"]] == [(2, 2, "l"), (3, 5, None)]
    assert found["events"] == [{"code": "hot"}]
    assert world.account.dirty.deleted_datastreams == [(made["id"], ord("v"), 1)]
    assert manage(world, "patchTemplate", id=made["id"], changes={"events": []})["events"] == []
    assert len(reloaded(world).templates[made["id"]].streams) == 2


@pytest.mark.parametrize(
    "lists",
    [
        {"datastreams": [placed(1), placed(1, name="other")]},
        {"datastreams": [placed(1, name="x"), placed(2, name="x", alias="y")]},
        {"datastreams": [placed(1, name="x"), placed(2, name="X")]},
        {"events": [{"code": "hot"}, {"code": "hot"}]},
    ],
)
def test_lists_in_which_two_are_the_same_are_refused(world: World, lists: dict[str, Any]) -> None:
    assert declined(world, "createTemplate", name="Kind", **lists) == 422
    assert not world.account.templates
    made = template(world, V9={})
    assert declined(world, "patchTemplate", id=made, changes={"name": "new", **lists}) == 422
    assert [s["pin"] for s in world.account.templates[made].streams] == [9]


@pytest.mark.parametrize(
    ("dash", "device"), [(NO_PROJECT, 1), (0, 0), (1, 0), (1, 1_048_575), (-7, 3), (1, -1), (2**31 - 1, 2**31 - 1)]
)
def test_the_number_of_a_device_leads_back_to_it(world: World, dash: int, device: int) -> None:
    if dash not in world.account.dashboards:
        world.account.dashboards[dash] = Dashboard(world.account, dash, {})
    made = world.add_device(device, world.account.dashboards[dash])
    assert device_of(world.account, number_of(made)) is made
    assert number_of(made) >= 0


def test_numbers_of_devices_are_unique(world: World) -> None:
    for dash in (0, 2, -1):
        world.account.dashboards[dash] = Dashboard(world.account, dash, {})
    made = [world.add_device(n, d) for d in world.account.dashboards.values() for n in (0, 1, 2, -1, 1 << 20, 1 << 21)]
    hidden = world.account.dashboards[NO_PROJECT] = Dashboard(world.account, NO_PROJECT, {})
    made += [world.add_device(n, hidden) for n in (1, 2, 3)]
    assert len({number_of(device) for device in made}) == len(made)
    with pytest.raises(Declined):
        device_of(world.account, 12345)


def test_a_new_password_ends_apps_and_log_ins_that_come_too_late_but_no_guests(world: World) -> None:
    guest = world.app_session(shared=world.dash)
    manage(world, "endApps", retired=1234)
    assert (world.app.closing, guest.closing, world.board.closing) == (True, False, False)
    assert 1234 in world.account.retired


@pytest.mark.parametrize(("outcome", "pending"), [(200, True), (19, False)])
def test_a_reset_by_page_whose_mail_failed_may_be_started_again(world: World, outcome: int, pending: bool) -> None:
    manage(world, "startReset", token="first", link="http://h/landing?token=first")
    (job,), ((connection, then),) = world.fx.jobs, world.fx.outcomes
    assert (job.to, job.subject) == (["a@example.com"], "Password reset request for the vpin app.")
    assert "http://h/landing?token=first" in job.text
    assert "http://h/landing?token=first" in job.html
    assert job.attempt == LAST_ATTEMPT
    assert job.answer is not None
    assert (job.answer.gateway, job.answer.session) == connection[:2]
    assert declined(world, "startReset", token="second", link="") == 409
    then(world.fx, outcome)
    assert list(world.account.resets) == ["first"] * pending
    assert world.fx.told == []


def test_devices_without_a_project_are_hidden_from_apps(world: World) -> None:
    made = manage(world, "createDevice", name="bare")
    assert (made["id"], made["dashId"]) == (1, None)
    hidden = device_of(world.account, 1)
    assert [dash["id"] for dash in world.profile()["dashBoards"]] == [1]
    board = world.board_session(hidden)
    world.send(board, 20, "vw", 1, "x")
    assert world.sent_to(world.app) == []
    assert world.app_status(20, f"{NO_PROJECT}-1", "vw", 1, "x") == 2
    assert ask(world, "project", hidden).status == 400
    assert "pinsStorage" not in world.profile()


def test_templates_survive_in_rows(world: World) -> None:
    made = template(world, V1={"defaultValue": "on", "name": "Lamp"}, D2={"valueType": "INT", "max": 5})
    manage(world, "putEvent", id=made, event={"code": "hot", "name": "Hot", "severity": "info"})
    manage(world, "createDevice", name="x", templateId=made)
    again = reloaded(world)
    assert again.templates[made].streams == world.account.templates[made].streams
    assert again.templates[made].body == world.account.templates[made].body
    (device,) = again.dashboards[NO_PROJECT].devices.values()
    assert device.template_id == made


def test_a_write_is_fast_only_until_a_template_has_rules_for_it(world: World) -> None:
    world.send(world.board, 20, "vw", 1, "a")
    assert world.device.bank.fast
    made = template(world, V1={"valueType": "INT"})
    templates.attach(world.device, made)
    assert not world.device.bank.fast
    world.send(world.board, 20, "vw", 1, "no number")
    world.send(world.board, 20, "vw", 1, "5")
    assert not world.device.bank.fast
    assert world.device.bank.pin(V, 1).value == b"5"
    put_stream(world, made, "V1", valueType="STRING")
    world.send(world.board, 20, "vw", 1, "text")
    assert world.device.bank.pin(V, 1).value == b"text"


def test_a_board_that_tells_its_template_is_resent_its_state(world: World) -> None:
    made = template(world, V1={"syncWithLatest": True, "defaultValue": "on"})
    world.clear()
    world.send(world.board, 17, "ver", "1", "tmpl", made)
    assert world.sent_to(world.board) == [(0, 5, 200), (20, 1111, b"vw\x001\x00on")]
    world.send(world.board, 17, "ver", "1", "tmpl", made)
    assert world.sent_to(world.board) == [(0, 5, 200)]


def test_a_deleted_template_leaves_its_devices(world: World) -> None:
    made = template(world, V1={})
    templates.attach(world.device, made)
    assert declined(world, "deleteTemplate", id=made, force=False) == 409
    manage(world, "deleteTemplate", id=made, force=True)
    assert world.device.template_id == ""
    changes = Changes()
    collect(world.account, changes)
    assert changes.deleted_templates == [(1, made)]
    assert changes.templates == []


def test_names_and_aliases_are_unique(world: World) -> None:
    made = template(world, V1={"name": "Room Temperature"})
    with pytest.raises(Declined) as caught:
        put_stream(world, made, "V2", alias="room_temperature")
    assert (caught.value.status, caught.value.loc) == (422, "alias")


def test_several_values_are_written_or_none(world: World) -> None:
    templates.attach(world.device, template(world, V1={"valueType": "INT"}, V2={}))
    number = number_of(world.device)
    values = [["v", 2, ["x"]], ["v", 1, ["no number"]]]
    assert declined(world, "putValues", id=number, values=values) == 422
    assert not world.device.bank.pins.get((V, 2)) or world.device.bank.pin(V, 2).value is None
    manage(world, "putValues", id=number, values=[["v", 2, ["x"]], ["v", 1, ["5"]]])
    world.clear()
    found = manage(world, "listValues", id=number)
    assert [(one["pin"], one["value"]) for one in found] == [("V1", 5), ("V2", "x")]


def test_an_event_notifies_within_its_limit(world: World) -> None:
    made = template(world)
    templates.attach(world.device, made)
    event = {"code": "hot", "name": "Hot", "severity": "critical", "description": "31 °C"}
    notify = {"email": ["owner", "b@example.com"], "sms": ["+491"], "push": []}
    manage(world, "putEvent", id=made, event=event | {"notify": notify, "limit": {"count": 1, "per": "hour"}})
    for _ in range(2):
        assert ask(world, "iotEvent", name="hot", values=[""]).status == 200
        world.fx.now += 6000
    assert [(job.channel, job.to) for job in world.fx.jobs] == [
        ("mail", ["a@example.com"]),
        ("mail", ["b@example.com"]),
        ("sms", ["+491"]),
    ]
    first, second = world.account.dirty.events
    assert (first.code, first.description, first.severity) == ("hot", "31 °C", "critical")
    assert second.id > first.id
    assert ask(world, "iotEvent", name="cold", values=[""]).status == 400


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("isOnPlay", "true", b"Error setting widget property."),
        ("max", "abc", b"Error setting widget property."),
        ("label", "Lamp", b""),
    ],
)
def test_a_property_is_set_on_the_widgets_of_a_pin(world: World, name: str, value: str, text: bytes) -> None:
    world.ask(
        world.app,
        33,
        1,
        {"id": 1, "type": "BUTTON", "x": 0, "y": 0, "width": 1, "height": 1, "pinType": "VIRTUAL", "pin": 1},
    )
    assert ask(world, "property", pin_type="v", pin=2, name=name, values=[value]).body.startswith(b"No widget")
    reply = ask(world, "property", pin_type="v", pin=1, name=name, values=[value])
    assert reply.body == text
    if not text:
        assert world.sent_to(world.app) == [(19, 111, b"1-0\x001\x00label\x00Lamp")]
    world.dash.active = False
    assert ask(world, "property", pin_type="v", pin=-1, name=name, values=[value]).body == b"Project is not active."


def test_points_of_the_past_are_no_present_value(world: World) -> None:
    now = world.fx.now
    ask(world, "iotUpdate", payload={"pins": [["v", 1]], "values": [["now"]]})
    ask(world, "iotPoints", payload={"pins": [["v", 1]], "points": [[now - 1, ["old"]], [now - 10**11, ["older"]]]})
    assert world.device.bank.pin(V, 1).value == b"now"
    ask(world, "iotPoints", payload={"pins": [["v", 1]], "points": [[now + 5, ["new"]], [now + 10**11, ["far"]]]})
    assert world.device.bank.pin(V, 1).value == b"new"


def test_a_datastream_is_named_by_its_id(world: World) -> None:
    templates.attach(world.device, template(world, V7={"valueType": "DOUBLE", "decimals": 2}))
    assert ask(world, "iotUpdate", payload={"ids": [1], "values": [["21.456"]]}).status == 200
    assert json.loads(ask(world, "iotGet", payload={"ids": [1]}).body) == [["v7", "21.46", 21.46]]
    assert ask(world, "iotGet", payload={"ids": [2]}).body == b"Requested dataStream doesn't exist in the product Kind"
    assert ask(world, "iotUpdate", payload={"ids": [2], "values": [["1"]]}).body == b"No datastream setup for that pin."
    assert ask(world, "iotUpdate", payload={"ids": [1], "values": [["x"]]}).status == 400


def test_metadata_is_read_and_written_by_name_and_number(world: World) -> None:
    manage(world, "patchDevice", id=number_of(world.device), changes={"metadata": {"Room": "attic"}})
    assert json.loads(ask(world, "iotMeta", name="Room").body) == {"type": "Text", "value": "attic"}
    assert ask(world, "iotSetMeta", pin=2, values=["cellar"]).status == 200
    assert json.loads(ask(world, "iotMeta", pin=2).body)["value"] == "cellar"
    assert ask(world, "iotSetMeta", pin=1, values=[""]).body == b"Wrong value"
    assert ask(world, "iotSetMeta", pin=1, values=["new name"]).status == 200
    assert world.device.name == "new name"
    assert ask(world, "iotMeta", pin=99).body == b"MetaField doesn't exist."


def test_a_fresh_device_joins_its_template(world: World) -> None:
    made = template(world)
    assert ask(world, "iotProvision", name="TMPLnone").status == 400
    assert ask(world, "iotProvision", name=made, payload={"ver": "1.2", "build": "b"}).status == 200
    assert world.device.template_id == made
    assert world.device.body["hardwareInfo"]["version"] == "1.2"
