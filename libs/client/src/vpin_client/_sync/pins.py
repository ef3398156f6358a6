"""The older pin API: the device's token in the path (spec 04, part 1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from vpin_client._sync.connection import Connected, Connection
from vpin_client.retries import Repeat
from vpin_client.texts import Part, text_of


class PinClient(Connected):
    """One device by its token, as integrations of Blynk server 0.41 talk to it. A value is a list of texts.

    >>> with PinClient(URL, device.token) as pins:
    ...     pins.write("V5", 23.5)
    ...     pins.write("V6", 255, 0, 128)
    ...     (pins.read("V5"), pins.read("V6"))
    (['23.5'], ['255', '0', '128'])
    """

    def __init__(
        self, url: str, token: str, *, timeout: float = 10, retries: int = 2, http: httpx.Client | None = None
    ) -> None:
        base = f"{url.rstrip('/')}/{quote(token, safe='')}"
        self._connection = Connection(base, timeout=timeout, retries=retries, http=http)

    def read(self, pin: str) -> list[str]:
        """:class:`BadRequestError` for a pin that nobody has written."""
        return self._connection.get(f"/get/{_name(pin)}", list[str])

    def write(self, pin: str, *parts: Part) -> None:
        """Once it returns the value is stored; board and apps are told."""
        self._send("PUT", f"/update/{_name(pin)}", [text_of(part) for part in parts])

    def set_property(self, pin: str, name: str, value: Part) -> None:
        """Change a property, such as ``label`` or ``color``, of the widgets on the pin."""
        query = {name: text_of(value)}
        self._connection.ask("GET", f"/update/{_name(pin)}", query=query, repeat=Repeat.UNDONE)

    def add_points(self, pin: str, points: Iterable[tuple[int, Part]]) -> None:
        """Points of history, (ms since 1970, value) each; the first becomes the present value."""
        body = [{"timestamp": at, "value": text_of(value)} for at, value in points]
        self._send("PUT", f"/extra/pin/{_name(pin)}", body)

    def is_online(self) -> bool:
        """Is the board connected?"""
        return self._connection.get("/isHardwareConnected", bool)

    def is_app_online(self) -> bool:
        """Is the project active, and an app there?"""
        return self._connection.get("/isAppConnected", bool)

    def project(self) -> dict[str, Any]:
        """The project as apps see it, without secrets."""
        return self._connection.get("/project", dict[str, Any])

    def clock(self) -> int:
        """Seconds of the wall clock in the zone of the RTC widget, counted as if it were UTC."""
        return self._connection.get("/rtc", list[int])[0]

    def qr(self) -> bytes:
        """A PNG by which an app clones the project."""
        return self._connection.ask("GET", "/qr", repeat=Repeat.UNDONE).content

    def history(self, pin: str) -> str:
        """Where the pin's history is to be had as a gzipped CSV: a path of this server."""
        return (self._connection.ask("GET", f"/data/{_name(pin)}")).headers["location"]

    def notify(self, text: str) -> None:
        """A push message to the phones of the project."""
        self._send("POST", "/notify", {"body": text})

    def mail(self, to: str, subject: str, text: str = "") -> None:
        """A plain mail; the project needs an EMAIL widget."""
        self._send("POST", "/email", {"to": to, "subj": subject, "title": text})

    def _send(self, method: str, path: str, body: object) -> None:
        self._connection.ask(method, path, content=msgspec.json.encode(body), repeat=Repeat.UNDONE)


def _name(pin: str) -> str:
    return quote(pin, safe="")
