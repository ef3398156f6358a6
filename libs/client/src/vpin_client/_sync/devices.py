"""Devices, the values and the history of their pins, their events (spec 08, 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from vpin_client._sync.connection import Connection
from vpin_client._sync.pages import pages
from vpin_client.models import Aggregate, Device, Event, NewValue, PinHistory, PinValue, Severity, Step
from vpin_client.patches import patch_of
from vpin_client.retries import Repeat


class Devices:
    """``client.devices``.

    >>> device = client.devices.create("Greenhouse 1")
    >>> len(device.token)
    32
    >>> [found.name for found in client.devices.all()]
    ['Greenhouse 1']
    >>> client.devices.update(device.id, name="Greenhouse 2").name
    'Greenhouse 2'
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> Iterator[Device]:
        """Every device, without its token; pages are read as they are needed."""
        return pages(self._connection, "/devices", Device)

    def create(
        self,
        name: str,
        *,
        template_id: str | None = None,
        dash_id: int | None = None,
        board_type: str | None = None,
        connection_type: str | None = None,
        key: str = "",
    ) -> Device:
        """The answer has the token for its board. `key`: an idempotency key of your own."""
        body = {
            "name": name,
            "templateId": template_id,
            "dashId": dash_id,
            "boardType": board_type,
            "connectionType": connection_type,
        }
        return self._connection.create("/devices", Device, body, key)

    def get(self, device_id: int) -> Device:
        """With its token."""
        return self._connection.get(f"/devices/{device_id}", Device)

    def update(
        self,
        device_id: int,
        *,
        name: str | UnsetType = UNSET,
        template_id: str | UnsetType | None = UNSET,
        board_type: str | UnsetType = UNSET,
        connection_type: str | UnsetType = UNSET,
        metadata: Mapping[str, str | None] | UnsetType | None = UNSET,
    ) -> Device:
        """What is left out stays; None takes away."""
        changes = patch_of(
            name=name,
            template_id=template_id,
            board_type=board_type,
            connection_type=connection_type,
            metadata=metadata,
        )
        return self._connection.call("PATCH", f"/devices/{device_id}", Device, changes, repeat=Repeat.UNDONE)

    def delete(self, device_id: int) -> None:
        """With its values, events and token."""
        self._connection.delete(f"/devices/{device_id}")

    def renew_token(self, device_id: int, *, key: str = "") -> Device:
        """The old token is worthless at once."""
        return self._connection.create(f"/devices/{device_id}/token", Device, None, key)


class Values:
    """``client.values``: pins are ``V0`` to ``V255``, ``D0`` … and ``A0`` ….

    >>> client.values.set(device.id, "V1", 21.5)
    >>> client.values.get(device.id, "V1").value
    21.5
    >>> client.values.set_many(device.id, {"V2": "on", "V3": [255, 0, 128]})
    >>> [(found.pin, found.value) for found in client.values.all(device.id)]
    [('V1', 21.5), ('V2', 'on'), ('V3', [255, 0, 128])]
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, device_id: int) -> list[PinValue]:
        """Of the pins that have a value, or a default."""
        return self._connection.get(f"/devices/{device_id}/values", list[PinValue])

    def get(self, device_id: int, pin: str) -> PinValue:
        return self._connection.get(_pin(device_id, pin), PinValue)

    def set(self, device_id: int, pin: str, value: NewValue) -> None:
        """Once it returns the value is stored; board and apps are told."""
        body = msgspec.json.encode({"value": value})
        self._connection.ask("PUT", _pin(device_id, pin), content=body, repeat=Repeat.UNDONE)

    def set_many(self, device_id: int, values: Mapping[str, NewValue]) -> None:
        """All are written, or none."""
        body = msgspec.json.encode(dict(values))
        self._connection.ask("PUT", f"/devices/{device_id}/values", content=body, repeat=Repeat.UNDONE)

    def forget(self, device_id: int, pin: str) -> None:
        """The pin reads as its default again, or as never written."""
        self._connection.delete(_pin(device_id, pin))


class History:
    """``client.history``: the numbers that a pin had, per minute, hour or day, or as they came (``raw``)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(
        self,
        device_id: int,
        pin: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        step: Step | None = None,
        aggregate: Aggregate | None = None,
        limit: int | None = None,
    ) -> PinHistory:
        """Its newest points, oldest first: (ms since 1970, number). A period is aggregated, ``avg`` if nothing is said."""
        query = _history(pin, start, end, step, aggregate, limit)
        return self._connection.get(f"/devices/{device_id}/history", PinHistory, query)

    def csv(
        self,
        device_id: int,
        pin: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        step: Step | None = None,
        aggregate: Aggregate | None = None,
        limit: int | None = None,
    ) -> Iterator[str]:
        """The same as lines of CSV with a header, read as they come."""
        query = _history(pin, start, end, step, aggregate, limit)
        path, headers = f"/devices/{device_id}/history", {"accept": "text/csv"}
        with self._connection.open(path, query=query, headers=headers, silence=60) as response:
            for line in response.iter_lines():
                yield line

    def delete(self, device_id: int, pin: str | None = None) -> None:
        """That of a pin, or of the whole device; present values stay."""
        self._connection.delete(f"/devices/{device_id}/history", {"pin": pin})


class Events:
    """``client.events``: what devices have logged."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(
        self,
        device_id: int,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        severity: Severity | Literal[""] = "",
    ) -> Iterator[Event]:
        """Newest first; pages are read as they are needed."""
        query = {"from": _time(start), "to": _time(end), "severity": severity or None}
        return pages(self._connection, f"/devices/{device_id}/events", Event, query)

    def resolve(self, device_id: int, event_id: int) -> None:
        """A second time it keeps the first time."""
        self._connection.ask("POST", f"/devices/{device_id}/events/{event_id}/resolve")


def _pin(device_id: int, pin: str) -> str:
    return f"/devices/{device_id}/values/{quote(pin, safe='')}"


def _history(
    pin: str,
    start: datetime | None,
    end: datetime | None,
    step: Step | None,
    aggregate: Aggregate | None,
    limit: int | None,
) -> dict[str, str | int | None]:
    period = {"pin": pin, "from": _time(start), "to": _time(end)}
    return {**period, "step": step, "aggregate": aggregate, "limit": limit}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
