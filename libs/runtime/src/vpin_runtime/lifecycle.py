"""Life cycle of a service: one interface for the process of its own and for the embedded run."""

from __future__ import annotations

from typing import Protocol


class Service(Protocol):
    """What ``app.py`` of each service gives; wired by `vpin` with its settings, bus and store."""

    name: str

    async def start(self) -> None:
        """Return when the service does its job (queues declared, ports open)."""
        ...

    async def stop(self) -> None:
        """Stop accepting, drain, flush; return within 10 s."""
        ...

    def checks(self) -> dict[str, bool]:
        """Readiness by part, e.g. {"bus": True, "database": False}: ready when all are true."""
        ...
