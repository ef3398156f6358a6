"""Templates with their datastreams and events (spec 08, 3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from msgspec import UNSET, UnsetType

from vpin_client._async.connection import AsyncConnection
from vpin_client._async.pages import pages
from vpin_client.models import Datastream, DatastreamFields, EventDefinition, EventFields, Template
from vpin_client.patches import patch_of
from vpin_client.retries import Repeat


class AsyncTemplates:
    """``client.templates``.

    >>> template = await client.templates.create("Greenhouse", board_type="ESP32 Dev Board")
    >>> stream = DatastreamFields(name="Temperature", value_type="DOUBLE", min=-40, max=125, unit="°C")
    >>> (await client.templates.put_datastream(template.id, "V1", stream)).alias
    'temperature'
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def all(self) -> AsyncIterator[Template]:
        """Every template; pages are read as they are needed."""
        return pages(self._connection, "/templates", Template)

    async def create(
        self, name: str, *, description: str = "", board_type: str = "", connection_type: str = "", key: str = ""
    ) -> Template:
        """`key`: an idempotency key of your own; the same one gives the first answer again for a day."""
        body = {"name": name, "description": description, "boardType": board_type, "connectionType": connection_type}
        return await self._connection.create("/templates", Template, body, key)

    async def get(self, template_id: str) -> Template:
        return await self._connection.get(_path(template_id), Template)

    async def update(
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
        return await self._connection.call("PATCH", _path(template_id), Template, changes, repeat=Repeat.UNDONE)

    async def delete(self, template_id: str, *, force: bool = False) -> None:
        """:class:`ConflictError` while it has devices; `force` detaches them, and their values stay."""
        await self._connection.delete(_path(template_id), {"force": "true"} if force else None)

    async def datastreams(self, template_id: str) -> list[Datastream]:
        return await self._connection.get(f"{_path(template_id)}/datastreams", list[Datastream])

    async def put_datastream(self, template_id: str, pin: str, fields: DatastreamFields) -> Datastream:
        """Create or replace the datastream of a pin (``V1``), for all devices of the template at once."""
        return await self._put(f"{_path(template_id)}/datastreams/{quote(pin, safe='')}", Datastream, fields)

    async def delete_datastream(self, template_id: str, pin: str) -> None:
        await self._connection.delete(f"{_path(template_id)}/datastreams/{quote(pin, safe='')}")

    async def put_event(self, template_id: str, code: str, fields: EventFields) -> EventDefinition:
        """Create or replace an event that devices may log."""
        return await self._put(f"{_path(template_id)}/events/{quote(code, safe='')}", EventDefinition, fields)

    async def delete_event(self, template_id: str, code: str) -> None:
        """What devices have logged stays."""
        await self._connection.delete(f"{_path(template_id)}/events/{quote(code, safe='')}")

    async def _put(self, path: str, kind: type[Any], fields: DatastreamFields | EventFields) -> Any:
        return await self._connection.call("PUT", path, kind, fields)


def _path(template_id: str) -> str:
    return f"/templates/{quote(template_id, safe='')}"
