"""The edge: HAProxy with deploy/haproxy/haproxy.cfg, the file that Compose uses."""

from __future__ import annotations

import os
import re
from pathlib import Path
from signal import SIGUSR1

from infra.packages import need
from infra.process import Process, free_port, listens, wait_until
from infra.vpin import metrics

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy" / "haproxy.cfg"

DOWN = re.compile(r'^haproxy_server_status\{proxy="(hardware|mqtt|app|api)",server="\w+",state="UP"\} 0', re.MULTILINE)


class HAProxy:
    """One edge in front of these addresses (``host:port``)."""

    def __init__(
        self,
        folder: Path,
        http: str,
        tls: str,
        mqtt: str,
        certificate: Path,
        *,
        hardware: list[str],
        hardware_mqtt: list[str],
        app: list[str],
        api: list[str],
    ) -> None:
        program = need("haproxy", "haproxy", "/usr/sbin")
        self.ops = f"127.0.0.1:{free_port()}"
        self._ports = [int(address.rpartition(":")[2]) for address in (http, tls, mqtt)]
        servers = {"HARDWARE": hardware, "MQTT": hardware_mqtt, "APP": app, "API": api}
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "VPIN_EDGE_HTTP": http,
            "VPIN_EDGE_TLS": tls,
            "VPIN_EDGE_MQTT": mqtt,
            "VPIN_EDGE_OPS": self.ops,
            "VPIN_EDGE_CERTIFICATE": str(certificate),
            "VPIN_EDGE_NAME": str(self._ports[0]),
            **{f"VPIN_EDGE_{name}_{i}": to for name, all_of in servers.items() for i, to in enumerate(all_of, 1)},
        }
        command = [program, "-db", "-f", CONFIGURATION]
        self.process = Process("haproxy", command, folder / "haproxy.log", environment)

    @property
    def pid(self) -> int:
        return self.process.pid

    def start(self) -> None:
        """Returns once all ports are open."""
        self.process.start()
        wait_until(lambda: all(map(listens, self._ports)), 10, "haproxy", self.process)

    def wait_for_servers(self) -> None:
        """Until its health checks have found every server, also those that were away."""
        wait_until(lambda: not DOWN.search(metrics(self.ops)), 10, "a server behind haproxy", self.process)

    def close_ports(self) -> None:
        """Take no new clients; those that are there stay until the gateways let them go."""
        self.process.send(SIGUSR1)

    def stop(self) -> None:
        self.process.stop(seconds=3)
