"""Clients that speak MQTT (spec 09): the session of one, and what the kinds of sessions make of topics."""

from vpin_sessions.mqtt.connection import CONNECT_WITHIN
from vpin_sessions.mqtt.session import MqttSession

__all__ = ["CONNECT_WITHIN", "MqttSession"]
