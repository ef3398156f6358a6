"""What `vpin run` tells who started it: addresses, and how to connect the first board."""

from __future__ import annotations

import socket

from vpin_runtime.settings import Address, Settings, parse_address

ANY = ("0.0.0.0", "::")  # noqa: S104  compared with, not bound


def reachable_host(host: str) -> str:
    """A name or address that other machines of the network may use for this listening address."""
    if host not in ANY:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks for the address of the outgoing interface
        except OSError:
            return "127.0.0.1"
        return probe.getsockname()[0]


def welcome(settings: Settings) -> str:
    http, tls = _outside(settings, settings.http), _outside(settings, settings.tls)
    lines = [
        "vpin is ready.",
        "",
        f"  boards, HTTP     {http.host}:{http.port}",
        f"  apps, TLS        {tls.host}:{tls.port}",
        *_mqtt(settings),
        f"  API and its docs http://{http.host}:{http.port}/docs",
        f"  data             {settings.data.absolute()}",
    ]
    lines += [
        "",
        "Connect a board: make an account and a device in the app (server "
        f"{tls.host}, port {tls.port}), then in its sketch:",
        f'  Blynk.begin(token, ssid, password, "{http.host}", {http.port});',
        f"Or try it without one: curl http://{http.host}:{http.port}/TOKEN/update/V1?value=42",
        "Something wrong? `vpin doctor` looks for it. Stop with ctrl-C.",
    ]
    return "\n".join(lines)


def _outside(settings: Settings, address: str) -> Address:
    host, port = parse_address(address)
    return Address(settings.server_host or reachable_host(host), port)


def _mqtt(settings: Settings) -> list[str]:
    if not settings.mqtt:
        return []
    host, port = _outside(settings, settings.mqtt)
    return [f"  boards by MQTT   {host}:{port}"]
