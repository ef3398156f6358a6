"""What a handler raises to refuse a message."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818  it is an answer, not a fault
    """The message is answered with this status, and nothing has changed."""

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with status {int(status)}")
        self.status = int(status)
