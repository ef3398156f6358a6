"""The packets that a client sends, as they are decoded: immutable, fields in the order of the wire.

The fields of MQTT 5 have its defaults in MQTT 3.1.1: no properties, reason 0, no subscription options but the QoS.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from vpin_protocol.mqtt.reasons import ReasonCode

MQTT_3_1_1 = 4
"""The version of MQTT 3.1.1; MQTT 3.1 is read as it."""
MQTT_5 = 5


class Properties(NamedTuple):
    """The properties of a packet of MQTT 5 (section 2.2.2), in the order of their identifiers; None: not given."""

    payload_format_indicator: bool | None = None
    message_expiry_interval: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    subscription_identifiers: tuple[int, ...] = ()
    session_expiry_interval: int | None = None
    assigned_client_identifier: str | None = None
    server_keep_alive: int | None = None
    authentication_method: str | None = None
    authentication_data: bytes | None = None
    request_problem_information: bool | None = None
    will_delay_interval: int | None = None
    request_response_information: bool | None = None
    response_information: str | None = None
    server_reference: str | None = None
    reason_string: str | None = None
    receive_maximum: int | None = None
    topic_alias_maximum: int | None = None
    topic_alias: int | None = None
    maximum_qos: bool | None = None
    retain_available: bool | None = None
    user_properties: tuple[tuple[str, str], ...] = ()
    maximum_packet_size: int | None = None
    wildcard_subscription_available: bool | None = None
    subscription_identifiers_available: bool | None = None
    shared_subscription_available: bool | None = None

    def __repr__(self) -> str:
        given = (f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True) if value not in (None, ()))
        return f"Properties({', '.join(given)})"


NO_PROPERTIES = Properties()


class Will(NamedTuple):
    """What is to be published when the connection ends without DISCONNECT. The topic has no wildcards."""

    qos: int
    retain: bool
    properties: Properties
    topic: str
    payload: bytes


class Connect(NamedTuple):
    """``version`` is 4 or 5. ``client_id`` may be empty; nothing is known of its length. ``keep_alive`` in seconds."""

    version: int
    clean_start: bool
    keep_alive: int
    properties: Properties
    client_id: str
    will: Will | None
    username: str | None
    password: bytes | None


class Publish(NamedTuple):
    """The topic is not empty and has no wildcards. ``packet_id`` is 0 with QoS 0, else 1…65535."""

    dup: bool
    qos: int
    retain: bool
    topic: str
    packet_id: int
    properties: Properties
    payload: bytes


class Puback(NamedTuple):
    packet_id: int
    reason: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES


class Pubrec(NamedTuple):
    packet_id: int
    reason: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES


class Pubrel(NamedTuple):
    packet_id: int
    reason: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES


class Pubcomp(NamedTuple):
    packet_id: int
    reason: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES


class Subscription(NamedTuple):
    """The filter is proper UTF-8 and no more: ``topics.filter_fault`` tells what SUBACK has to say of it."""

    filter: str
    qos: int
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0
    """0: send retained messages; 1: only for a new subscription; 2: none."""


class Subscribe(NamedTuple):
    """One subscription at least."""

    packet_id: int
    properties: Properties
    subscriptions: tuple[Subscription, ...]


class Unsubscribe(NamedTuple):
    """One filter at least; filters are as unchecked as a Subscription's."""

    packet_id: int
    properties: Properties
    filters: tuple[str, ...]


class Pingreq(NamedTuple):
    pass


class Disconnect(NamedTuple):
    """The last packet of a stream: what follows it is ignored."""

    reason: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES


Packet: TypeAlias = (
    Connect | Publish | Puback | Pubrec | Pubrel | Pubcomp | Subscribe | Unsubscribe | Pingreq | Disconnect
)
