"""What a handler raises to refuse a message."""

from __future__ import annotations


class Declined(Exception):  # noqa: N818  it is an answer, not a fault
    """A request of the management API is answered with this HTTP status, and nothing has changed.

    `loc` names the field of the body that is to blame for a 422.
    """

    def __init__(self, status: int, detail: str = "", *, loc: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.loc = loc


class Refused(Exception):  # noqa: N818  it is an answer, not a fault
    """The message is answered with this status, and nothing has changed."""

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with status {int(status)}")
        self.status = int(status)
