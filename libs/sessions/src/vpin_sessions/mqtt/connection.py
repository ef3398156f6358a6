"""The connection of a client that speaks MQTT 3.1.1 or 5 (spec 09, 2): CONNECT, log-in, quota, keep-alive, end.

Its states, beside those of every :class:`vpin_sessions.session.Session`:

* *expected*: no CONNECT yet;
* *asked*: user name and password are at the entry. If that lets it in, the owner of the account has the last word. Nothing
  more is read meanwhile;
* *greeted*: CONNACK is sent; packets are handled one by one, in order, as quota and answers allow.

What the packets of a greeted client mean: :mod:`vpin_sessions.mqtt.session`.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any

from vpin_messages.entry import EntryAnswer, EntryRequest
from vpin_protocol import HARDWARE_HEADER, Command, Status
from vpin_protocol.mqtt import (
    Connect,
    Decoder,
    MqttError,
    Packet,
    Pingreq,
    Properties,
    Publish,
    ReasonCode,
    Subscribe,
    Unsubscribe,
    encode,
)

from vpin_sessions.kind import MQTT
from vpin_sessions.login import ANSWER_WITHIN
from vpin_sessions.mqtt import metrics
from vpin_sessions.session import Session

if TYPE_CHECKING:
    from vpin_sessions.gateway import Gateway

CONNECT_WITHIN = 10.0
"""Seconds from the accept of a connection to the end of its CONNECT."""
LONGEST_CLIENT_ID = 64
"""Characters."""
RECEIVE_MAXIMUM = 100
"""Messages of QoS 1 and 2 that a client of MQTT 5 may send before the first is acknowledged."""
PATIENCE = 1.5
"""Times the keep-alive that a client may be silent."""
DEAD_AFTER = 60
"""Seconds after which TCP looks for a client without keep-alive."""
LOGIN_ID = 0xFFFF
"""Message id of a log-in: apps are told of it (spec 01, 9)."""

_COUNTED = (Publish, Pingreq, Subscribe, Unsubscribe)
_REFUSED: dict[int, ReasonCode] = {
    Status.INVALID_TOKEN: ReasonCode.BAD_USER_NAME_OR_PASSWORD,
    Status.QUOTA_LIMIT: ReasonCode.CONNECTION_RATE_EXCEEDED,
}


class MqttConnection(Session):
    """Make it when its connection is accepted: then its time begins."""

    __slots__ = ("_asked", "_decoder", "_queue", "_throttle", "client", "greeted")

    def __init__(self, gateway: Gateway, number: int, address: str) -> None:
        super().__init__(gateway, MQTT, number, address)
        self.login = None
        self.limit = inf
        self.due = self._heard + CONNECT_WITHIN
        self.client: Connect | None = None  # without its secret
        self.greeted = False
        self._asked = False  # who it is, and not answered yet
        self._decoder = Decoder(gateway.longest_packet)
        self._queue: deque[Packet | MqttError] = deque()  # what is not handled yet
        self._throttle: asyncio.TimerHandle | None = None  # runs until the quota allows the next packet

    # what a session makes of it

    @abstractmethod
    def take(self, packet: Packet) -> None:
        """Handle a packet of the greeted client."""

    @abstractmethod
    def hear(self, message_id: int, status: int) -> None:
        """The owner has answered."""

    @abstractmethod
    def is_full(self) -> bool:
        """Whether no packet may be taken before the owner has answered."""

    @abstractmethod
    def welcome(self, client: Connect) -> None:
        """The client is logged in; CONNACK comes next."""

    # the stream

    def write_by(self, emit: Callable[[bytes], None]) -> None:
        self.emit = emit
        self.write = self._read_frames

    def feed(self, data: bytes) -> None:
        try:
            self._queue += self._decoder.feed(data)
        except MqttError as fault:
            self._queue += fault.packets
            self._queue.append(fault)
        self.go_on()

    def go_on(self) -> None:
        """Handle what has come, as far as may be now."""
        queue = self._queue
        while queue and not (self.closing or self._asked or self.is_full()):
            packet = queue[0]
            if isinstance(packet, MqttError):
                self.end(packet.reason)
                break
            passes = self._passes(packet)
            if not passes and not (isinstance(packet, Publish) and not packet.qos):
                self._wait_for_quota()
                break
            queue.popleft()
            metrics.received[type(packet)].inc()
            if not passes:
                self.gateway.tally.quota_dropped += 1
                metrics.dropped.labels("quota").inc()
            elif isinstance(packet, Connect):
                self._connect(packet)
            else:
                self.take(packet)
        self.control_reading()

    def send(self, packet: bytes) -> None:
        """To the client; nothing where its version has no packet for it."""
        if packet:
            metrics.sent[packet[0] >> 4].inc()
            self.emit(packet)

    def _passes(self, packet: Packet) -> bool:
        """Whether the quota allows the packet now (spec 09, 9)."""
        if self._bucket is None or not isinstance(packet, _COUNTED):
            return True
        return bool(self._bucket.take(1, self.gateway.quota, self.gateway.clock()))

    def _wait_for_quota(self) -> None:
        if self._throttle is None and self._bucket is not None:
            seconds = self._bucket.wait(self.gateway.quota)
            self._throttle = asyncio.get_running_loop().call_later(seconds, self._unthrottle)

    def _unthrottle(self) -> None:
        self._throttle = None
        self.go_on()

    def _has_enough(self) -> bool:
        return self._asked or bool(self._queue) or self.shard in self.gateway.pressed

    # the log-in

    def _connect(self, packet: Connect) -> None:
        self.client = packet._replace(username=None, password=None)
        if len(packet.client_id) > LONGEST_CLIENT_ID or not (packet.client_id or packet.clean_start):
            self.end(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID)
            return
        self._asked = True
        self.expect_by(self.gateway.clock() + ANSWER_WITHIN)
        self.gateway.uplinks.ask(
            EntryRequest(
                session=self.number,
                side=int(self.kind.side),
                command=int(Command.LOGIN),
                message_id=LOGIN_ID,
                body=(packet.username or "").encode() + b"\0" + (packet.password or b""),
                address=self.address,
            )
        )

    def answered(self, answer: EntryAnswer) -> None:
        """The entry knows who it is. If it may come in, the owner of the account greets it, else that is all."""
        if not self._asked or self.closing or self.prefix:
            return
        if answer.grant is not None:
            self.open(answer.grant)
            self.expect_by(self.gateway.clock() + ANSWER_WITHIN)
        else:
            self._read_frames(answer.frames)
            self.end(ReasonCode.SERVER_UNAVAILABLE)  # unless the frames have said why

    def _read_frames(self, frames: bytes) -> None:
        """Whole frames of the owner, as to any board; those that are no responses say nothing to such a client."""
        at, end = 0, len(frames)
        while at + HARDWARE_HEADER.size <= end and not self.closing:
            command, message_id, length = HARDWARE_HEADER.unpack_from(frames, at)
            at += HARDWARE_HEADER.size
            if command:
                at += length
            elif not self._asked:
                self.hear(message_id, length)
            elif length == Status.OK and self.client is not None:
                self._greet(self.client)
            else:
                self.end(_REFUSED.get(length, ReasonCode.SERVER_UNAVAILABLE))

    def _greet(self, client: Connect) -> None:
        self._asked, self.greeted = False, True
        self.limit = PATIENCE * client.keep_alive or inf
        if not client.keep_alive:
            _look_for_death(self.transport)
        self.expect_by(inf)
        self.welcome(client)
        properties = Properties(
            session_expiry_interval=0 if client.properties.session_expiry_interval else None,
            assigned_client_identifier=None if client.client_id else f"vpin-{secrets.token_hex(8)}",
            receive_maximum=RECEIVE_MAXIMUM,
            maximum_packet_size=self._decoder.limit,
            topic_alias_maximum=0,
            wildcard_subscription_available=True,
            subscription_identifiers_available=False,
            shared_subscription_available=False,
            retain_available=True,
        )
        self.send(encode.connack(client.version, ReasonCode.SUCCESS, properties=properties))
        self.go_on()

    # the end

    def expect_by(self, due: float) -> None:
        """Something has to have come by this loop time; inf: nothing is expected."""
        self.due = due
        self.gateway.wheel.watch(self)

    def expire(self) -> None:
        tally = self.gateway.tally
        if self.closing:
            self.transport.abort()
        elif self.due > self.gateway.clock():
            tally.idle_closed += 1
            self.end(ReasonCode.KEEP_ALIVE_TIMEOUT)
        elif self.client is None:
            tally.idle_closed += 1
            super().close()
        else:
            tally.unanswered += 1
            self.end(ReasonCode.SERVER_UNAVAILABLE)

    def close(self) -> None:
        if not self.greeted:  # CONNACK has no reason for it
            self.end(ReasonCode.SERVER_UNAVAILABLE)
        else:
            self.end(ReasonCode.SERVER_SHUTTING_DOWN if self.gateway.stopping else ReasonCode.ADMINISTRATIVE_ACTION)

    def dismiss(self, payload: bytes) -> None:
        if payload and self.greeted:
            self.end(ReasonCode(payload[0]))
        else:
            self.close()

    def cut_off(self) -> None:
        self.write_by(self.transport.write)  # its buffer is not watched any more
        self.end(ReasonCode.QUOTA_EXCEEDED)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._throttle is not None:
            self._throttle.cancel()
        self._queue.clear()
        super().connection_lost(exc)

    def leave(self) -> None:
        """Close the connection without a word."""
        super().close()

    def end(self, reason: ReasonCode) -> None:
        """Close the connection and say why: by DISCONNECT, or to whom is not greeted by CONNACK."""
        if self.closing:
            return
        tally = self.gateway.tally
        metrics.ended.labels(reason.name.lower()).inc()
        if reason is ReasonCode.PACKET_TOO_LARGE:
            tally.oversize += 1
        elif reason in (ReasonCode.MALFORMED_PACKET, ReasonCode.PROTOCOL_ERROR):
            tally.malformed += 1
        elif not self.greeted:
            tally.refused += 1
        version = self._decoder.version
        if version is not None:  # else it has not even said which one it speaks
            self.send(encode.disconnect(version, reason) if self.greeted else encode.connack(version, reason))
        super().close()


def _look_for_death(transport: asyncio.Transport) -> None:
    """Without keep-alive TCP finds out who is gone (spec 09, 2)."""
    connection: Any = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, DEAD_AFTER)
