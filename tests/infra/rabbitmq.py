"""A private RabbitMQ node from the binaries of this machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from infra.packages import need
from infra.process import HOST, Process, free_port, listens, wait_until

SCRIPTS = "/usr/lib/rabbitmq/bin"  # the wrappers in /usr/sbin change the user and drop the environment


def answers(port: int) -> bool:
    """Whether a broker speaks AMQP here: it greets a wrong protocol version with the one it has."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as probe:
            probe.sendall(b"AMQP\x00\x00\x00\x00")
            return probe.recv(8)[:4] == b"AMQP"
    except OSError:
        return False


class RabbitMQ:
    """A node with a data folder, port and epmd of its own. Restarts keep them, so durable queues survive."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        server = need("rabbitmq-server", "rabbitmq-server", SCRIPTS, variable="VPIN_TEST_AMQP_URL")
        epmd = need("epmd", "erlang-base", "/usr/lib/erlang/bin", "/usr/lib/erlang/erts-*/bin")
        self.port = port or free_port()
        self.url = f"amqp://guest:guest@{HOST}:{self.port}/"
        folder.mkdir(parents=True, exist_ok=True)
        epmd_port = free_port()
        self._node = Process("rabbitmq", [server], folder / "rabbitmq.log", self._environment(folder, epmd_port))
        self._epmd = Process("epmd", [epmd, "-port", str(epmd_port), "-address", HOST], folder / "epmd.log")
        self._epmd_port = epmd_port

    @property
    def pid(self) -> int:
        return self._node.pid

    def start(self) -> None:
        """Returns once the node speaks AMQP (first start 6 to 16 s, restart 6 s)."""
        self._epmd.start()
        wait_until(lambda: listens(self._epmd_port), 10, "epmd", self._epmd)
        self._node.start()
        wait_until(lambda: answers(self.port), 120, "rabbitmq-server", self._node)

    def stop(self) -> None:
        self._node.stop(seconds=30)
        self._epmd.kill()

    def kill(self) -> None:
        """The hard way, as kill -9 does it."""
        self._node.kill()
        self._epmd.kill()

    def _environment(self, folder: Path, epmd_port: int) -> dict[str, str]:
        home = folder / "home"
        home.mkdir(exist_ok=True)
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(os.urandom(12).hex())
            cookie.chmod(0o400)
        (folder / "enabled_plugins").write_text("[].\n")
        (folder / "rabbitmq.conf").write_text("log.file.level = warning\ndisk_free_limit.absolute = 50MB\n")
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node, so that its id is the node's
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_NODENAME": "vpin@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
        }
