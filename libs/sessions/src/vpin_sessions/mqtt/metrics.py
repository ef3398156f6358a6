"""What is counted of clients that speak MQTT (spec 09, 9), beside what a gateway counts of all (`vpin_gateway_…`)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge
from vpin_protocol.mqtt import (
    MQTT_3_1_1,
    MQTT_5,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Unsubscribe,
)

_RECEIVED = Counter("vpin_mqtt_packets_in_total", "Packets received, by type", ["type"])
_SENT = Counter("vpin_mqtt_packets_out_total", "Packets sent, by type", ["type"])
_TYPES = (Connect, Publish, Puback, Pubrec, Pubrel, Pubcomp, Subscribe, Unsubscribe, Pingreq, Disconnect)
_NAMES = {
    2: "connack",
    4: "puback",
    5: "pubrec",
    7: "pubcomp",
    9: "suback",
    11: "unsuback",
    13: "pingresp",
    14: "disconnect",
}

sessions = Gauge("vpin_mqtt_sessions", "Sessions that are logged in", ["kind", "version"])
versions = {MQTT_3_1_1: "3.1.1", MQTT_5: "5"}
ended = Counter("vpin_mqtt_ended_total", "Connections refused or closed by the server, by reason", ["reason"])
dropped = Counter("vpin_mqtt_dropped_total", "Messages that nothing was made of, by reason", ["reason"])
received: dict[type[Packet], Counter] = {type_: _RECEIVED.labels(type_.__name__.lower()) for type_ in _TYPES}
sent: dict[int, Counter] = {number: _SENT.labels(name) for number, name in _NAMES.items()}
"""By the number of the packet's type: the upper half of its first byte."""
