"""compose.yaml passes on every setting that a service reads: what can't be set there can't be set at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from vpin_runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
OF_SERVICE = {
    "state": ["services/state/src"],
    "notify": ["services/notify/src"],
    "api": ["services/api/src"],
    "gateway-hw": ["libs/sessions/src", "services/gateway-hw/src"],
    "gateway-app": ["libs/sessions/src", "services/gateway-app/src"],
}
NOT_THERE = {
    "data": "there is a database",
    "state_index": "any of the replicas serves any shard",
    "state_count": "as before",
    "hardware_tls": "the edge ends TLS",
    "tls_certificate": "as before",
    "tls_key": "as before",
}
SIDES = {"gateway-hw": {"app", "app_tls"}, "gateway-app": {"hardware", "mqtt_max_packet"}}
"""The other gateway's: they share their code."""


def block(text: str, start: str) -> str:
    """What is indented below a line that begins so."""
    indent = len(start) - len(start.lstrip())
    found = re.search(rf"^{re.escape(start)}[^\n]*\n((?:(?: {{{indent + 1},}}[^\n]*)?\n)*)", text, re.MULTILINE)
    assert found, start
    return found[1]


@pytest.mark.parametrize("service", OF_SERVICE)
def test_a_service_gets_the_settings_that_it_reads(service: str):
    compose = (ROOT / "compose.yaml").read_text()
    own = block(compose, f"  {service}:")
    shared = "".join(
        block(compose, f"x-{name}:") for name in ("environment", "database", "gateway") if f"*{name}" in own
    )
    passed = set(re.findall(r"^ +VPIN_(\w+):", own + shared, re.MULTILINE))
    sources = [file.read_text() for folder in OF_SERVICE[service] for file in (ROOT / folder).rglob("*.py")]
    read = {name for source in sources for name in re.findall(r"settings\.(\w+)", source)}
    read = read & set(Settings.model_fields) - set(NOT_THERE) - SIDES.get(service, set())
    assert {name.upper() for name in read} <= passed
