"""A reader of the live stream: server-sent events, as they come."""

from __future__ import annotations

import json
import queue
import re
import socket
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import httpx

from conformance_v1.clients import Api


class Told(NamedTuple):
    """One event; of a comment `kind` is ":"."""

    kind: str
    data: Any
    id: str


class Sleepy:
    """A reader that has asked and has been greeted, and then does not read until it is told to."""

    def __init__(self, api: Api) -> None:
        url = api.http.base_url
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self._socket.settimeout(10)
        self._socket.connect((url.host, url.port))
        token = api.http.headers["authorization"]
        self._socket.sendall(f"GET {url.path}stream HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\n\r\n".encode())
        while b"event: hello" not in self._socket.recv(4096):
            pass

    def until(self, text: str) -> tuple[list[str], int]:
        """Read on up to that text: the kinds of the events that came, and how many bytes."""
        found = b""
        while text.encode() not in found:
            data = self._socket.recv(1 << 20)
            assert data, "the stream has ended"
            found += data
        return re.findall(r"^event: (\w+)\r?$", found.decode(), re.MULTILINE), len(found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


class Stream:
    """An open stream. Events are read by a thread, so that a test may do other things meanwhile."""

    def __init__(self, api: Api, *, devices: str = "", last: str = "", seconds: float = 40) -> None:
        headers = {"last-event-id": last} if last else {}
        query = {"devices": devices} if devices else {}
        self._client = httpx.Client(base_url=api.http.base_url, headers=api.http.headers, timeout=seconds, verify=False)
        request = self._client.build_request("GET", "/stream", params=query, headers=headers)
        self.response = self._client.send(request, stream=True)
        self._told: queue.Queue[Told | None] = queue.Queue()
        self.last = last
        self._thread = threading.Thread(target=self._read, daemon=True)
        if self.response.status_code == 200:
            self._thread.start()

    def _read(self) -> None:
        kind = data = event_id = ""
        try:
            for line in self.response.iter_lines():
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if line.startswith(":"):
                    self._told.put(Told(":", None, ""))
                elif name == "event":
                    kind = value
                elif name == "data":
                    data = value
                elif name == "id":
                    event_id = value
                elif not line and kind:
                    self._told.put(Told(kind, json.loads(data), event_id))
                    kind = ""
        except (httpx.HTTPError, httpx.StreamError):
            pass
        self._told.put(None)

    def next(self, *kinds: str, seconds: float = 10) -> Told:
        """The next event, or the next of these kinds; AssertionError when the stream ends before."""
        while True:
            told = self._told.get(timeout=seconds)
            assert told is not None, "the stream has ended"
            if told.id:
                self.last = told.id
            if told.kind in kinds or (not kinds and told.kind != ":"):
                return told

    def until(self, found: Callable[[Told], bool]) -> list[Told]:
        """All events up to the one that is meant."""
        seen = [self.next()]
        while not found(seen[-1]):
            seen.append(self.next())
        return seen

    def ended(self, seconds: float = 30) -> bool:
        """Whether the server ends the stream within the time."""
        try:
            while self._told.get(timeout=seconds) is not None:
                pass
        except queue.Empty:
            return False
        return True

    def close(self) -> None:
        self.response.close()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
