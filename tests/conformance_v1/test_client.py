"""What programs do with an account, by vpin-client: every model of it against the running server (spec 08)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from vpin_client import (
    AsyncClient,
    Client,
    ConflictError,
    DatastreamFields,
    EventFields,
    EventLogged,
    Hello,
    InvalidError,
    IotClient,
    NotFoundError,
    PinClient,
    StatusChanged,
    UnauthorizedError,
    ValueChanged,
)
from vpin_protocol import Command

from conformance_v1.clients import PASSWORD, Board, random_email

pytestmark = pytest.mark.integration

Connect = Callable[[str], Board]


@pytest.fixture
def client(base: str) -> Iterator[Client]:
    """An account, logged in."""
    with Client(base) as client:
        email = random_email()
        client.register(email, PASSWORD)
        client.log_in(email, PASSWORD)
        yield client


def greenhouse(client: Client) -> str:
    template = client.templates.create("Greenhouse", board_type="ESP32 Dev Board", description="with tomatoes").id
    temperature = DatastreamFields(name="Temperature", value_type="DOUBLE", min=-40, max=125, unit="°C", decimals=1)
    client.templates.put_datastream(template, "V1", temperature)
    client.templates.put_datastream(template, "V2", DatastreamFields(value_type="ENUM", enum_values=[0, 1]))
    client.templates.put_event(template, "too_hot", EventFields(name="Too hot", severity="critical"))
    return template


def test_an_account(base: str, client: Client) -> None:
    me = client.me()
    assert client.update_me(name="Anna", tz="Asia/Tokyo").tz == "Asia/Tokyo"
    with pytest.raises(ConflictError):
        client.register(me.email, PASSWORD)
    with Client(base, token=client.token) as other:
        assert other.me().name == "Anna"
        client.change_password(PASSWORD, "new password")
        client.log_out()
        with pytest.raises(UnauthorizedError):
            other.me()
    session = client.log_in(me.email, "new password")
    assert session.expires_at - datetime.now(UTC) > timedelta(days=29)
    assert session.user.id == me.id


def test_a_kind_of_device(client: Client) -> None:
    template = greenhouse(client)
    shown = client.templates.get(template)
    assert [(stream.pin_type, stream.pin, stream.alias) for stream in shown.datastreams] == [
        ("VIRTUAL", 1, "temperature"),
        ("VIRTUAL", 2, "v2"),
    ]
    assert (shown.datastreams[0].max, shown.datastreams[0].history) == (125, "rollups")
    assert [event.code for event in shown.events if event.severity == "critical"] == ["too_hot"]
    assert client.templates.update(template, name="Hothouse").description == "with tomatoes"
    assert [found.name for found in client.templates.all()] == ["Hothouse"]
    client.templates.delete_datastream(template, "V2")
    client.templates.delete_event(template, "too_hot")
    assert len(client.templates.datastreams(template)) == 1
    device = client.devices.create("one", template_id=template)
    with pytest.raises(ConflictError):
        client.templates.delete(template)
    client.templates.delete(template, force=True)
    assert client.devices.get(device.id).template_id is None


def test_devices_and_values(client: Client, board: Connect) -> None:
    device = client.devices.create("one", template_id=greenhouse(client), board_type="ESP32")
    assert client.devices.update(device.id, metadata={"room": "attic"}).metadata == {"room": "attic"}
    assert device.token
    connected = board(device.token)
    client.values.set(device.id, "V1", 21.5)
    client.values.set_many(device.id, {"V2": 1})
    assert connected.fence() == [["vw", "1", "21.5"], ["vw", "2", "1"]]
    connected.write(1, 300)
    found = client.values.get(device.id, "V1")
    assert (found.value, found.name, found.source) == (125, "Temperature", "device")
    with pytest.raises(InvalidError) as caught:
        client.values.set(device.id, "V1", "hot")
    assert caught.value.errors[0].loc[-1] == "V1"
    client.values.forget(device.id, "V1")
    assert [value.pin for value in client.values.all(device.id)] == ["V2"]
    token = client.devices.renew_token(device.id).token
    assert token != device.token
    assert connected.closed()
    client.devices.delete(device.id)
    with pytest.raises(NotFoundError):
        client.devices.get(device.id)


def test_the_same_key_makes_one_device(client: Client) -> None:
    first = client.devices.create("one", key="mine")
    assert client.devices.create("one", key="mine") == first
    assert [device.id for device in client.devices.all()] == [first.id]


def test_more_devices_than_a_page_has(client: Client) -> None:
    made = [client.devices.create(f"board {n}").id for n in range(12)]
    assert [device.id for device in client.devices.all()] == made


def test_events(client: Client, board: Connect) -> None:
    device = client.devices.create("one", template_id=greenhouse(client))
    connected = board(device.token or "")
    connected.send(Command.LOG_EVENT, "too_hot", "31 °C")
    connected.fence()
    (event,) = client.events.all(device.id, severity="critical")
    assert (event.code, event.description, event.resolved_at) == ("too_hot", "31 °C", None)
    client.events.resolve(device.id, event.id)
    (event,) = client.events.all(device.id, severity="critical", start=event.at)
    assert event.resolved_at is not None
    assert list(client.events.all(device.id, severity="critical", end=event.at)) == []


def test_history_that_is_empty(client: Client) -> None:
    device = client.devices.create("one")
    assert client.history.get(device.id, "V1", step="hour", aggregate="max").points == []
    assert list(client.history.csv(device.id, "V1")) == ["time,value"]
    client.history.delete(device.id, "V1")


def test_the_live_stream(client: Client, board: Connect) -> None:
    device = client.devices.create("one", template_id=greenhouse(client))
    seen: list[object] = []
    for event in client.stream([device.id]):
        seen.append(event)
        if isinstance(event, Hello):
            connected = board(device.token or "")
            connected.write(1, 5)
            connected.send(Command.LOG_EVENT, "too_hot")
        if isinstance(event, EventLogged) and event.code == "too_hot":
            break
    assert any(isinstance(event, StatusChanged) and event.status == "online" for event in seen)
    (value,) = (event for event in seen if isinstance(event, ValueChanged))
    assert (value.device_id, value.pin, value.value, value.source) == (device.id, "V1", 5, "device")
    assert value.seq == client.values.get(device.id, "V1").seq


def test_both_pin_apis_show_the_same(base: str, client: Client, board: Connect) -> None:
    device = client.devices.create("one")
    token = device.token or ""
    with PinClient(base, token) as pins, IotClient(base, token) as iot:
        pins.write("V1", 1, "x")
        assert iot.get("V1") == {"V1": [1, "x"]}
        iot.update({"V2": 2.5})
        assert pins.read("V2") == ["2.5"]
        assert iot.get_all() == {"v1": [1, "x"], "v2": 2.5}
        assert not pins.is_online()
        board(token)
        assert pins.is_online()
        assert iot.is_online()
        assert client.devices.get(device.id).status == "online"


def test_the_same_with_asyncio(base: str, client: Client) -> None:
    async def use() -> None:
        async with AsyncClient(base, token=client.token) as account:
            made = await asyncio.gather(*(account.devices.create(f"board {n}") for n in range(5)))
            await asyncio.gather(*(account.values.set(device.id, "V1", device.id) for device in made))
            read = await asyncio.gather(*(account.values.get(device.id, "V1") for device in made))
            assert [value.value for value in read] == [device.id for device in made]

    asyncio.run(use())
