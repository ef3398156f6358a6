"""A greeted client of MQTT: its packets become frames for the owner of its account, whose responses allow the answers.

Acknowledgements and PINGRESP wait for the owner (:mod:`vpin_sessions.mqtt.answers`), and so follow what they are about.
What is answered at once concerns nobody but the gateway: subscriptions, PUBREL.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import structlog
from vpin_messages.slab import SETTLE, Up
from vpin_protocol import HARDWARE_HEADER, Command, Status
from vpin_protocol.mqtt import (
    MQTT_5,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Publish,
    Pubrel,
    ReasonCode,
    Subscribe,
    Unsubscribe,
    Will,
    encode,
)

from vpin_sessions.login import ANSWER_WITHIN
from vpin_sessions.mqtt import metrics
from vpin_sessions.mqtt.answers import Answers, Encoder
from vpin_sessions.mqtt.connection import RECEIVE_MAXIMUM, MqttConnection
from vpin_sessions.mqtt.dialects import LEGACY, Dialect

if TYPE_CHECKING:
    from vpin_sessions.gateway import Gateway

NO_ID = 0xFFFF
"""Message id of what is published with QoS 0 (spec 01, 9)."""
MOST_ANSWERS = 1000
"""That a client may wait for; then it is read no more until there are fewer."""

_UNFIT = (Status.ILLEGAL_COMMAND, Status.ILLEGAL_COMMAND_BODY)

log = structlog.get_logger(__name__)


class MqttSession(MqttConnection):
    """A client of a port that speaks MQTT."""

    __slots__ = ("_answers", "_dialect", "_unacknowledged", "_unreleased", "_version", "_will")

    def __init__(self, gateway: Gateway, number: int, address: str) -> None:
        super().__init__(gateway, number, address)
        self._dialect: Dialect = LEGACY
        self._version = 0
        self._will: Will | None = None
        self._answers = Answers()
        self._unacknowledged = 0  # messages of QoS 1
        self._unreleased: set[int] = set()  # ids of messages of QoS 2 that are applied, until PUBREL

    def welcome(self, client: Connect) -> None:
        self._version, self._will = client.version, client.will
        metrics.sessions.labels(self._dialect.name, metrics.versions[self._version]).inc()

    def is_full(self) -> bool:
        return len(self._answers) >= MOST_ANSWERS

    # what the client says

    def take(self, packet: Packet) -> None:
        match packet:
            case Publish():
                self._publish(packet)
            case Pubrel():
                self._release(packet.packet_id)
            case Pingreq():
                self._ask(b"", Command.PING, _pingresp, 0, ReasonCode.SUCCESS)
            case Subscribe():
                granted = [self._dialect.granted(subscription.filter) for subscription in packet.subscriptions]
                self.send(encode.suback(self._version, packet.packet_id, granted))
            case Unsubscribe():
                reasons = [ReasonCode.NO_SUBSCRIPTION_EXISTED] * len(packet.filters)
                self.send(encode.unsuback(self._version, packet.packet_id, reasons))
            case Disconnect():
                if packet.reason is ReasonCode.SUCCESS:
                    self._will = None
                self.leave()
            case _:  # acknowledges what was never sent to it
                pass

    def _publish(self, packet: Publish) -> None:
        """A write, for QoS 1 and 2 with the fence of its acknowledgement behind it."""
        frame = self._dialect.frame(packet.topic, packet.packet_id or NO_ID, packet.payload)
        if frame is None:
            metrics.dropped.labels("topic").inc()
        if not packet.qos:
            if frame is not None:
                self.tell(Up.FRAMES, frame)
            return
        again = packet.qos == 2 and packet.packet_id in self._unreleased
        if not again and self._sends_too_many():
            self.end(ReasonCode.RECEIVE_MAXIMUM_EXCEEDED)
            return
        if packet.qos == 1:
            self._unacknowledged += 1
        else:
            self._unreleased.add(packet.packet_id)
        answer = encode.puback if packet.qos == 1 else encode.pubrec
        if frame is None:
            self._ask(b"", Command.PING, answer, packet.packet_id, ReasonCode.TOPIC_NAME_INVALID)
        else:
            self._ask(b"" if again else frame, SETTLE, answer, packet.packet_id, ReasonCode.SUCCESS)

    def _sends_too_many(self) -> bool:
        """Messages without waiting for their acknowledgements. MQTT 3.1.1 has no limit but one that nobody needs."""
        if self._version >= MQTT_5:
            return self._unacknowledged + len(self._unreleased) >= RECEIVE_MAXIMUM
        return len(self._unreleased) >= MOST_ANSWERS

    def _release(self, packet_id: int) -> None:
        known = packet_id in self._unreleased
        self._unreleased.discard(packet_id)
        reason = ReasonCode.SUCCESS if known else ReasonCode.PACKET_IDENTIFIER_NOT_FOUND
        self.send(encode.pubcomp(self._version, packet_id, reason))

    def _ask(self, write: bytes, command: int, answer: Encoder, packet_id: int, reason: ReasonCode) -> None:
        """Send a write, and behind it the fence that allows an answer."""
        fence = self._answers.add(answer, packet_id, reason, self.gateway.clock() + ANSWER_WITHIN)
        self.tell(Up.FRAMES, write + HARDWARE_HEADER.pack(command, fence, 0))
        if self.due == inf:
            self.expect_by(self._answers.due)

    # what the owner says

    def hear(self, message_id: int, status: int) -> None:
        if status == Status.OK:
            self._allow(message_id)
        else:
            metrics.dropped.labels("payload").inc()
            unfit = status in _UNFIT
            reason = ReasonCode.PAYLOAD_FORMAT_INVALID if unfit else ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR
            self._answers.refuse(message_id, reason)

    def _allow(self, fence: int) -> None:
        for answer in self._answers.reached(fence):
            if answer.encode is encode.puback:
                self._unacknowledged -= 1
            elif answer.reason and self._version >= MQTT_5:  # of a PUBREC: no PUBREL follows
                self._unreleased.discard(answer.packet_id)
            self.send(answer.encode(self._version, answer.packet_id, answer.reason))
        self.expect_by(self._answers.due)
        self.go_on()

    # the end

    def connection_lost(self, exc: Exception | None) -> None:
        if self.greeted:
            metrics.sessions.labels(self._dialect.name, metrics.versions[self._version]).dec()
            if self._will is not None and not self.gateway.stopping:
                self._execute(self._will)
        super().connection_lost(exc)

    def _execute(self, will: Will) -> None:
        """As if the client had published it last (spec 09, 3)."""
        frame = self._dialect.frame(will.topic, NO_ID, will.payload)
        if frame is not None:
            self.tell(Up.FRAMES, frame)
            return
        metrics.dropped.labels("will").inc()
        log.info(
            "a will is dropped: its session has no such topic", client_id=self.client.client_id if self.client else ""
        )


def _pingresp(_version: int, _packet_id: int, _reason: ReasonCode) -> bytes:
    return encode.pingresp()
