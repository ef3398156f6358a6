"""What a channel's provider is: one way out of the system, e.g. a mail server."""

from __future__ import annotations

from typing import Protocol

from vpin_messages.jobs import Job


class Refused(Exception):  # noqa: N818  a verdict, not a fault of ours
    """This job will never be delivered. The text is for the log: no addresses, no secrets, no message content."""


class Unavailable(Exception):  # noqa: N818  a verdict, not a fault of ours
    """Try again later, only for the receivers in `to` when others have got it (None: all). The text is for the log."""

    def __init__(self, reason: str, to: list[str] | None = None) -> None:
        super().__init__(reason)
        self.to = to


class Provider(Protocol):
    """Delivers the jobs of one channel."""

    @property
    def concurrency(self) -> int:
        """Deliveries at a time."""
        ...

    async def deliver(self, job: Job) -> None:
        """Return when the outer service has taken it; raise Refused or Unavailable. Safe to cancel."""
        ...

    async def close(self) -> None:
        """Close what is kept open between deliveries."""
        ...
