"""Sans-IO codec of MQTT 3.1.1 and 5, the server's side. Whatever bytes arrive: packets or MqttError, nothing else.

    decoder = Decoder(limit=65536)
    for packet in decoder.feed(data): ...       # Connect, Publish, Subscribe, …
    transport.write(encode.connack(decoder.version, ReasonCode.SUCCESS))

What the codec leaves to the session: the length of client ids, whether an empty one is welcome, what filters are
granted (``filter_fault`` first), packet ids in use, subscription identifiers, the client's limits. Topic aliases and
extended authentication are refused here: a server offers them by properties that ours does not send.
"""

from vpin_protocol.mqtt import encode
from vpin_protocol.mqtt.decode import Decoder
from vpin_protocol.mqtt.packets import (
    MQTT_3_1_1,
    MQTT_5,
    NO_PROPERTIES,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)
from vpin_protocol.mqtt.reasons import MqttError, ReasonCode
from vpin_protocol.mqtt.topics import filter_fault, matches, topic_valid

__all__ = [
    "MQTT_3_1_1",
    "MQTT_5",
    "NO_PROPERTIES",
    "Connect",
    "Decoder",
    "Disconnect",
    "MqttError",
    "Packet",
    "Pingreq",
    "Properties",
    "Puback",
    "Pubcomp",
    "Publish",
    "Pubrec",
    "Pubrel",
    "ReasonCode",
    "Subscribe",
    "Subscription",
    "Unsubscribe",
    "Will",
    "encode",
    "filter_fault",
    "matches",
    "topic_valid",
]
