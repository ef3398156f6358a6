"""Templates: kinds of devices with their datastreams and events, which devices refer to (spec 08, 3; 07, 2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vpin_state.pins import ANALOG, DIGITAL, KIND_OF_NAME, VIRTUAL

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.model import Account, JsonObject

NAME_OF_KIND = {VIRTUAL: "VIRTUAL", DIGITAL: "DIGITAL", ANALOG: "ANALOG"}
DATASTREAM_COLUMNS = frozenset(("id", "pin", "pinType", "name", "alias"))
_NO_WORD = re.compile(r"\W+")


class Template:
    """One template. `streams` are datastreams as :mod:`vpin_state.datastreams` has them, in order; `body` has the rest:
    description, boardType, connectionType, and `events` by code."""

    __slots__ = ("account", "body", "created_at", "id", "name", "position", "streams", "updated_at")

    def __init__(self, account: Account, id: str, name: str, body: JsonObject, position: int = 0) -> None:  # noqa: A002
        self.account = account
        self.id = id
        self.name = name
        self.body = body
        self.position = position
        self.created_at = self.updated_at = 0
        self.streams: list[JsonObject] = []

    def devices(self) -> list[Device]:
        """All devices that refer to it."""
        dashboards = self.account.dashboards.values()
        return [device for dash in dashboards for device in dash.devices.values() if device.template_id == self.id]

    def changed(self, now: int) -> None:
        """Store it; what was compiled of its devices' pins is forgotten, so the change holds from now on."""
        self.updated_at = now
        self.account.mark().templates.add(self.id)
        for dash in {device.dash.id: device.dash for device in self.devices()}.values():
            dash.reshape()

    def put(self, kind: int, number: int, fields: JsonObject, now: int) -> bool:
        """Create or replace the datastream on a pin; whether it is new. `fields` are whole but for id, pinType and pin."""
        at = next((i for i, s in enumerate(self.streams) if _pin(s) == (kind, number)), None)
        next_id = max((stream["id"] for stream in self.streams), default=0) + 1
        stream_id = next_id if at is None else self.streams[at]["id"]
        stream = {"id": stream_id, "pin": number, "pinType": NAME_OF_KIND[kind]} | fields
        if at is None:
            self.streams.append(stream)
        else:
            self.streams[at] = stream
        self.changed(now)
        return at is None

    def replace(self, streams: list[JsonObject], now: int) -> None:
        """Have these datastreams and no others; each has `pinType` and `pin`, and keeps its id where the pin had one."""
        ids = {_pin(stream): stream["id"] for stream in self.streams}
        next_id = max(ids.values(), default=0) + 1
        for pin in ids.keys() - {_pin(stream) for stream in streams}:
            self.account.mark().deleted_datastreams.append((self.id, *pin))
        self.streams[:] = []
        for stream in streams:
            pin = _pin(stream)
            if pin not in ids:
                ids[pin], next_id = next_id, next_id + 1
            self.streams.append(stream | {"id": ids[pin]})
        self.changed(now)

    def remove(self, kind: int, number: int, now: int) -> bool:
        """Take a datastream away; whether there was one. Values of the pin are kept, invisible."""
        left = [stream for stream in self.streams if _pin(stream) != (kind, number)]
        if len(left) == len(self.streams):
            return False
        self.streams[:] = left
        self.account.mark().deleted_datastreams.append((self.id, kind, number))
        self.changed(now)
        return True


def create(account: Account, template_id: str, name: str, body: JsonObject, now: int) -> Template:
    """A new template without datastreams."""
    position = max((template.position for template in account.templates.values()), default=-1) + 1
    template = account.templates[template_id] = Template(account, template_id, name, body, position)
    template.created_at = now
    template.changed(now)
    return template


def delete(template: Template) -> None:
    """Take it away; its devices have none any more and keep their values."""
    account = template.account
    for device in template.devices():
        attach(device, "")
    del account.templates[template.id]
    dirty = account.mark()
    dirty.templates.discard(template.id)
    dirty.deleted_templates.append(template.id)


def attach(device: Device, template_id: str) -> None:
    """The device follows that template from now on; "": none."""
    device.template_id = template_id
    device.changed()
    device.dash.reshape()


def attach_itself(device: Device, template_id: str) -> bool:
    """A board has told its template: attach it, if it has none and the account has that one. Whether it was (07, 2)."""
    if device.template_id or template_id not in device.dash.account.templates:
        return False
    attach(device, template_id)
    return True


def snake_case(name: str) -> str:
    """The alias of a datastream that was given none: ``Room Temperature`` is ``room_temperature``."""
    return _NO_WORD.sub("_", name).strip("_").lower() or "datastream"


def _pin(stream: JsonObject) -> tuple[int, int]:
    return KIND_OF_NAME[stream["pinType"]], stream["pin"]
