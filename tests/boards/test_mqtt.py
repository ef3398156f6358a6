"""Eclipse Paho, unmodified, as a board of Blynk server 0.41 that speaks MQTT, in both versions."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator

import pytest
from boards.app import App
from boards.conftest import address
from infra.vpin import EmbeddedRun
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

pytestmark = pytest.mark.integration

VERSIONS = {"3.1.1": MQTTv311, "5": MQTTv5}


class Paho:
    """Events by name, as they come."""

    def __init__(self, server: EmbeddedRun, version: str, user: str, password: str, will: str = "") -> None:
        events: queue.Queue[tuple[str, object]] = queue.Queue()
        self.events = events  # the client does not know its wrapper, so that both go, with their sockets, at once
        self.client = client = Client(
            CallbackAPIVersion.VERSION2, protocol=VERSIONS[version], reconnect_on_failure=False
        )
        client.username_pw_set(user, password)
        if will:
            client.will_set("hardware", will)
        client.on_connect = lambda client, data, flags, reason, properties: events.put(("connected", str(reason)))
        client.on_publish = lambda client, data, number, reason, properties: events.put(("published", reason.value))
        client.on_disconnect = lambda client, data, flags, reason, properties: events.put(("closed", str(reason)))
        client.connect(*address(server.environment["VPIN_MQTT"]), keepalive=0)
        client.loop_start()

    def expect(self, name: str, what: object, seconds: float = 10) -> None:
        assert self.events.get(timeout=seconds) == (name, what)


@pytest.fixture
def paho() -> Iterator[Callable[..., Paho]]:
    made: list[Paho] = []

    def make(*arguments: object, **options: str) -> Paho:
        made.append(Paho(*arguments, **options))  # pyright: ignore[reportArgumentType]
        return made[-1]

    yield make
    for one in made:
        one.client.disconnect()
        one.client.loop_stop()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_board_by_mqtt(embedded_server: EmbeddedRun, app: App, paho: Callable[..., Paho], version: str):
    token = app.register()
    board = paho(embedded_server, version, app.email.upper(), token, will="vw 9 0")
    board.expect("connected", "Success")
    for qos in (0, 1, 2):
        board.client.publish("hardware", f"vw 1 4{qos}", qos=qos)
        app.expect_write(1, f"4{qos}")
        board.expect("published", 0)
    stranger = paho(embedded_server, version, app.email, "x" * 32)
    stranger.expect("connected", "Bad user name or password")
    newer = paho(embedded_server, version, app.email, token)
    newer.expect("connected", "Success")
    app.expect_write(9, "0")
    board.expect("closed", "Session taken over" if version == "5" else "Unspecified error")
