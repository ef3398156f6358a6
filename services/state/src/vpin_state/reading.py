"""The server asks boards for the values of displays with a `frequency` (spec 01, 4.5; 05, 2.3).

An account is looked at once after it was loaded and after its shape has changed. Only one that has something to read
gets a :class:`Reader`, which the owner runs once a second; all others cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from vpin_protocol import Command

from vpin_state import lookup
from vpin_state.kinds import KINDS
from vpin_state.pins import ANALOG, DIGITAL, VIRTUAL
from vpin_state.places import places_for

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.model import Account, Dashboard, JsonObject

READING_ID = 7778
EARLY_MS = 250
"""A question may come so much before its time: the owner's second is no exact one."""
_READ = {VIRTUAL: b"vr", DIGITAL: b"dr", ANALOG: b"ar"}


class Question(NamedTuple):
    """One read that comes round every `frequency` ms; `key` knows it again when the dashboards have changed."""

    key: tuple[int, int, int, bytes]  # dashboard, widget id, device, body
    device: Device
    body: bytes
    frequency: int


class Reader:
    """What one account's boards are asked, and when each question was put last.

    The questions are found when there is first somebody to ask: most accounts are only opened and looked at.
    """

    def __init__(self, account: Account, asked: dict[tuple[int, int, int, bytes], int]) -> None:
        self.account = account
        self._questions: list[Question] | None = None
        self._asked = asked

    @classmethod
    def of(cls, account: Account, before: Reader | None = None) -> Reader | None:
        """The reader of an account as it is now; None where nothing is to be read."""
        dashboards = [dash for dash in account.dashboards.values() if dash.active]
        if not any(
            _is_read(json) for dash in dashboards for widget in dash.widgets for json in _with_inner(widget.json)
        ):
            return None
        return cls(account, before._asked if before else {})

    def ask(self, fx: Effects) -> None:
        """Put the questions that are due to the boards that are there, while an app watches."""
        if not self.account.apps and not fx.config.reads_without_app:
            return
        for question in self._all() if self._questions is None else self._questions:
            if not question.device.sessions:
                continue
            if fx.now - self._asked.get(question.key, 0) >= question.frequency - EARLY_MS:
                self._asked[question.key] = fx.now
                fx.to_device(question.device, READING_ID, question.body, command=Command.HARDWARE)

    def _all(self) -> list[Question]:
        """All questions; none as long as no board is there."""
        dashboards = [dash for dash in self.account.dashboards.values() if dash.active]
        if not any(device.sessions for dash in dashboards for device in dash.devices.values()):
            return []
        self._questions = [question for dash in dashboards for question in _questions(dash)]
        self._asked = {q.key: self._asked[q.key] for q in self._questions if q.key in self._asked}
        return self._questions


def _with_inner(json: JsonObject) -> Iterator[JsonObject]:
    """A widget, and those inside its tile templates."""
    yield json
    for template in json.get("templates", ()):
        yield from template.get("widgets", ())


def _is_read(json: JsonObject) -> bool:
    return json.get("frequency", 0) > 0 and KINDS[json["type"]].reads


def _questions(dash: Dashboard) -> Iterator[Question]:
    for widget in dash.widgets:
        json = widget.json
        if json["type"] == "DEVICE_TILES":
            for template in json.get("templates", ()):
                for inner in template.get("widgets", ()):  # once a second, whatever the frequency
                    devices = [dash.devices[i] for i in template.get("deviceIds", ()) if i in dash.devices]
                    yield from _of_widget(dash, inner, devices, 1000)
        elif KINDS[json["type"]].reads:
            devices = lookup.devices_of(dash, json.get("deviceId", 0))
            yield from _of_widget(dash, json, devices, json.get("frequency", 0))


def _of_widget(dash: Dashboard, json: JsonObject, devices: list[Device], frequency: int) -> Iterator[Question]:
    if not _is_read(json):
        return
    for device in devices:
        for place in places_for(json, device.id):
            body = b"%s\0%d" % (_READ[place.kind], place.number)
            yield Question((dash.id, json["id"], device.id, body), device, body, frequency)
