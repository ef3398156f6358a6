"""The Blynk IoT HTTPS API: the device's token in the query (spec 04, part 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import msgspec

from vpin_client._sync.connection import Connected, Connection
from vpin_client.models import Value
from vpin_client.retries import Repeat
from vpin_client.texts import Part, text_of, texts_of


class IotClient(Connected):
    """One device by its token, as integrations of Blynk IoT talk to it. Values have the type of their datastream.

    >>> with IotClient(URL, device.token) as iot:
    ...     iot.update({"V7": 100, "V8": ["a", "b"]})
    ...     iot.get("V7", "V8")
    {'V7': 100, 'V8': ['a', 'b']}
    """

    def __init__(
        self, url: str, token: str, *, timeout: float = 10, retries: int = 2, http: httpx.Client | None = None
    ) -> None:
        base = f"{url.rstrip('/')}/external/api"
        self._connection = Connection(base, timeout=timeout, retries=retries, http=http)
        self._token = token

    def get(self, *pins: str) -> dict[str, Value]:
        """The values of pins, each under the name that it was asked by; None: never written."""
        found: dict[str, Value] = {}
        for pin in pins:
            response = self._connection.ask("GET", "/get", query=self._query([(pin, "")]))
            found[pin] = _read(response)
        return found

    def get_all(self) -> dict[str, Value]:
        """Of all pins that have a value, by their names in lower case (``v1``)."""
        response = self._connection.ask("GET", "/getAll", query=self._query([]))
        return msgspec.json.decode(response.content, type=dict[str, Value])

    def update(self, values: Mapping[str, Part | list[Part]]) -> None:
        """Write pins, all or none."""
        self._write("/update", [(pin, text) for pin, value in values.items() for text in texts_of(value)])

    def update_datastream(self, datastream_id: int, value: Part | list[Part]) -> None:
        """Write a pin by the id of its datastream."""
        self._write("/update", [("dataStreamId", str(datastream_id)), *(("value", text) for text in texts_of(value))])

    def add_points(self, pin: str, points: Iterable[tuple[int, Part | list[Part]]]) -> None:
        """Points of history, (ms since 1970, value) each, at most 10,000; the newest becomes the present value."""
        body = msgspec.json.encode([[at, *(value if isinstance(value, list) else [value])] for at, value in points])
        query = self._query([("pin", pin)])
        self._connection.ask("POST", "/batch/update", query=query, content=body, repeat=Repeat.UNDONE)

    def set_property(self, pin: str, **properties: Part | list[Part]) -> None:
        """Properties of a pin, such as ``label="Lamp"``; they hold for every widget on it."""
        named = [(name, text) for name, value in properties.items() for text in texts_of(value)]
        self._write("/update/property", [("pin", pin), *named])

    def is_online(self) -> bool:
        """Is the board connected?"""
        return self._is("/isHardwareConnected")

    def is_app_online(self) -> bool:
        """Is the project active, and an app there?"""
        return self._is("/isAppConnected")

    def log_event(self, code: str, description: str = "") -> None:
        """Log an event of the device's template."""
        given = [("code", code), *([("description", description)] if description else [])]
        self._write("/logEvent", given)

    def meta(self, field: int | str) -> dict[str, Any]:
        """A metadata field by number or name: ``{"type": …, "value": …}``."""
        response = self._connection.ask("GET", "/device/meta", query=self._query([_field(field)]))
        return msgspec.json.decode(response.content, type=dict[str, Any])

    def set_meta(self, field: int | str, value: Part) -> None:
        self._write("/device/meta/update", [_field(field), ("value", text_of(value))])

    def provision(self, template_id: str, **firmware: str) -> None:
        """A fresh device joins a template; `firmware`: ``build``, ``ver``, ``fwType``, …"""
        self._write("/provision", [("templateId", template_id), *firmware.items()])

    def upload(self, name: str, content: bytes) -> str:
        """The address of the stored file, which whoever knows it may read."""
        files = {"upfile": (name, content)}
        query = self._query([])
        return self._connection.ask("POST", "/upload", query=query, files=files, repeat=Repeat.UNDONE).text

    def export(self, *, pin: str | None = None, **choices: str) -> str:
        """Where the history is to be had as a zip file; `choices`: ``period``, ``granularityType``, …"""
        given = [*([("pin", pin)] if pin else []), *choices.items()]
        response = self._connection.ask("GET", "/data/get", query=self._query(given), repeat=Repeat.UNDONE)
        return msgspec.json.decode(response.content, type=dict[str, str])["link"]

    def _is(self, path: str) -> bool:
        response = self._connection.ask("GET", path, query=self._query([]))
        return msgspec.json.decode(response.content, type=bool)

    def _write(self, path: str, given: list[tuple[str, str]]) -> None:
        self._connection.ask("GET", path, query=self._query(given), repeat=Repeat.UNDONE)

    def _query(self, given: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [("token", self._token), *given]


def _field(field: int | str) -> tuple[str, str]:
    return ("metaFieldId", str(field)) if isinstance(field, int) else ("metaFieldName", field)


def _read(response: httpx.Response) -> Value:
    """The bare value of one pin: a number where the text is one, else the text; a list; nothing."""
    if not response.content:
        return None
    if response.headers.get("content-type", "").startswith("application/json"):
        return msgspec.json.decode(response.content, type=Value)
    try:
        return msgspec.json.decode(response.content, type=int | float)
    except msgspec.MsgspecError:
        return response.text
