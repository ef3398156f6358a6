"""Server-sent events: lines in, events out; no IO."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    kind: str
    data: str


class Parser:
    """`last_id` and `retry` (seconds until a lost connection is made again) are what the server said last."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry = 2.0
        self._kind = ""
        self._data: list[str] = []

    def feed(self, line: str) -> Message | None:
        """The message that ends with this line, if one does. An id counts with the message that it stands in."""
        if not line:
            kind, data = self._kind or "message", "\n".join(self._data)
            found = Message(kind, data) if self._data else None
            self._kind, self._data = "", []
            return found
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._kind = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self.last_id = value
            case "retry" if value.isdecimal():
                self.retry = int(value) / 1000
            case _:
                pass  # a comment, or a field that does not exist yet
        return None
