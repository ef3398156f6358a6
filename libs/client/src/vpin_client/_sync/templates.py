"""Templates with their datastreams and events (spec 08, 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from msgspec import UNSET, UnsetType

from vpin_client._sync.connection import Connection
from vpin_client._sync.pages import pages
from vpin_client.models import Datastream, DatastreamFields, EventDefinition, EventFields, Template
from vpin_client.patches import patch_of
from vpin_client.retries import Repeat


class Templates:
    """``client.templates``.

    >>> template = client.templates.create("Greenhouse", board_type="ESP32 Dev Board")
    >>> stream = DatastreamFields(name="Temperature", value_type="DOUBLE", min=-40, max=125, unit="°C")
    >>> client.templates.put_datastream(template.id, "V1", stream).alias
    'temperature'
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> Iterator[Template]:
        """Every template; pages are read as they are needed."""
        return pages(self._connection, "/templates", Template)

    def create(
        self, name: str, *, description: str = "", board_type: str = "", connection_type: str = "", key: str = ""
    ) -> Template:
        """`key`: an idempotency key of your own; the same one gives the first answer again for a day."""
        body = {"name": name, "description": description, "boardType": board_type, "connectionType": connection_type}
        return self._connection.create("/templates", Template, body, key)

    def get(self, template_id: str) -> Template:
        return self._connection.get(_path(template_id), Template)

    def update(
        self,
        template_id: str,
        *,
        name: str | UnsetType = UNSET,
        description: str | UnsetType = UNSET,
        board_type: str | UnsetType = UNSET,
        connection_type: str | UnsetType = UNSET,
    ) -> Template:
        """What is left out stays."""
        changes = patch_of(name=name, description=description, board_type=board_type, connection_type=connection_type)
        return self._connection.call("PATCH", _path(template_id), Template, changes, repeat=Repeat.UNDONE)

    def delete(self, template_id: str, *, force: bool = False) -> None:
        """:class:`ConflictError` while it has devices; `force` detaches them, and their values stay."""
        self._connection.delete(_path(template_id), {"force": "true"} if force else None)

    def datastreams(self, template_id: str) -> list[Datastream]:
        return self._connection.get(f"{_path(template_id)}/datastreams", list[Datastream])

    def put_datastream(self, template_id: str, pin: str, fields: DatastreamFields) -> Datastream:
        """Create or replace the datastream of a pin (``V1``), for all devices of the template at once."""
        return self._put(f"{_path(template_id)}/datastreams/{quote(pin, safe='')}", Datastream, fields)

    def delete_datastream(self, template_id: str, pin: str) -> None:
        self._connection.delete(f"{_path(template_id)}/datastreams/{quote(pin, safe='')}")

    def put_event(self, template_id: str, code: str, fields: EventFields) -> EventDefinition:
        """Create or replace an event that devices may log."""
        return self._put(f"{_path(template_id)}/events/{quote(code, safe='')}", EventDefinition, fields)

    def delete_event(self, template_id: str, code: str) -> None:
        """What devices have logged stays."""
        self._connection.delete(f"{_path(template_id)}/events/{quote(code, safe='')}")

    def _put(self, path: str, kind: type[Any], fields: DatastreamFields | EventFields) -> Any:
        return self._connection.call("PUT", path, kind, fields)


def _path(template_id: str) -> str:
    return f"/templates/{quote(template_id, safe='')}"
