"""`vpin run` as users start it, on free ports, with a data folder of its own."""

from __future__ import annotations

import http.client
import os
import ssl
import sys
from pathlib import Path

from infra.process import HOST, Process, free_port, wait_until

READY_SECONDS = 30


class EmbeddedServer:
    """Keeps its ports and its data over stop and start."""

    def __init__(self, folder: Path) -> None:
        self.http = (HOST, free_port())
        self.tls = (HOST, free_port())
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VPIN_")}
        environment |= {
            "VPIN_HTTP": f"{HOST}:{self.http[1]}",
            "VPIN_TLS": f"{HOST}:{self.tls[1]}",
            "VPIN_MQTT": f"{HOST}:{free_port()}",
            "VPIN_OPS": f"{HOST}:{free_port()}",
            "VPIN_DATA": str(folder / "data"),
        }
        self._folder = folder
        command = [Path(sys.executable).with_name("vpin"), "run"]
        self._process = Process("vpin run", command, folder / "server.log", environment, cwd=folder)

    def start(self) -> None:
        """Return when the server is ready for clients."""
        self._process.start()
        wait_until(self._healthy, READY_SECONDS, "vpin run", self._process)

    def stop(self) -> None:
        """SIGTERM."""
        self._process.stop()

    def certificate(self) -> Path:
        """The server's certificate, for clients that are to trust it."""
        path = self._folder / "server.crt"
        path.write_text(ssl.get_server_certificate(self.tls))
        return path

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection(*self.http, timeout=2)
        try:
            connection.request("GET", "/api/v1/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()
