"""Client sessions of the gateways: connections, framing, log-in, slabs."""

from vpin_sessions.gateway import Gateway, idle_limits
from vpin_sessions.kind import APP, HARDWARE, WEB, Kind
from vpin_sessions.listener import Adopt, Listener
from vpin_sessions.metrics import Tally, new_tally
from vpin_sessions.mqtt import MqttSession
from vpin_sessions.service import APPS, BOARDS, GatewayService, Role
from vpin_sessions.session import Session, adopt
from vpin_sessions.sniff import (
    Refused,
    Wire,
    is_app_socket,
    is_board_socket,
    may_be_websocket,
    refusal,
    sniff,
    target,
)
from vpin_sessions.tls import own_certificate, server_context
from vpin_sessions.websocket import WebSocketSession, adopt_websocket
from vpin_sessions.wheel import Wheel

__all__ = [
    "APP",
    "APPS",
    "BOARDS",
    "HARDWARE",
    "WEB",
    "Adopt",
    "Gateway",
    "GatewayService",
    "Kind",
    "Listener",
    "MqttSession",
    "Refused",
    "Role",
    "Session",
    "Tally",
    "WebSocketSession",
    "Wheel",
    "Wire",
    "adopt",
    "adopt_websocket",
    "idle_limits",
    "is_app_socket",
    "is_board_socket",
    "may_be_websocket",
    "new_tally",
    "own_certificate",
    "refusal",
    "server_context",
    "sniff",
    "target",
]
