"""Templates with their datastreams and events by the management API (spec 08, 3). The API has checked types and bounds."""

from __future__ import annotations

import secrets
import string
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from vpin_messages.requests import PinReply

from vpin_state import templates
from vpin_state.errors import Declined
from vpin_state.pins import KIND_OF_NAME
from vpin_state.registry import account_operation

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Account, JsonObject
    from vpin_state.templates import Template

TEMPLATES_MAX = 1000
EVENTS_MAX = 100
_TAKEN = "Another datastream of the template has the {} {!r}."
_LETTERS = string.ascii_letters + string.digits

_json = msgspec.json.Encoder().encode


def to_json(template: Template) -> JsonObject:
    """The template object."""
    body = template.body
    return {
        "id": template.id,
        "name": template.name,
        **{key: body.get(key, "") for key in ("description", "boardType", "connectionType")},
        "datastreams": template.streams,
        "events": list(body.get("events", {}).values()),
        "createdAt": template.created_at,
        "updatedAt": template.updated_at,
    }


@account_operation("listTemplates")
def list_all(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """Templates in order of creation, behind position `after`, `limit` of them at most."""
    found = sorted((t for t in account.templates.values() if t.position > a["after"]), key=lambda t: t.position)
    page = found[: a["limit"]]
    more = page[-1].position if len(found) > len(page) else None
    return PinReply(200, _json({"items": [to_json(template) for template in page], "next": more}))


@account_operation("getTemplate")
def get(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    return PinReply(200, _json(to_json(_find(account, a))))


@account_operation("createTemplate")
def create(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """`datastreams` and `events`: what it begins with."""
    if len(account.templates) >= TEMPLATES_MAX:
        raise Declined(409, f"An account has at most {TEMPLATES_MAX} templates.")
    streams, events = _named(a.get("datastreams") or []), _by_code(a.get("events") or [])
    template_id = "TMPL" + "".join(secrets.choice(_LETTERS) for _ in range(8))
    body = {key: a.get(key) or "" for key in ("description", "boardType", "connectionType")}
    template = templates.create(account, template_id, a["name"], body | {"events": events}, fx.now)
    template.replace(streams, fx.now)
    return PinReply(201, _json(to_json(template)))


@account_operation("patchTemplate")
def patch(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """`changes`: any of name, description, boardType, connectionType, and the whole lists datastreams and events."""
    template, changes = _find(account, a), a["changes"]
    streams, events = changes.pop("datastreams", None), changes.pop("events", None)
    body = {} if events is None else {"events": _by_code(events)}
    if streams is not None:
        template.replace(_named(streams), fx.now)
    template.name = changes.pop("name", template.name)
    template.body |= {key: value or "" for key, value in changes.items()} | body
    template.changed(fx.now)
    return PinReply(200, _json(to_json(template)))


@account_operation("deleteTemplate")
def delete(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """With `force` devices are detached; without it, and with devices: 409."""
    template = _find(account, a)
    if not a["force"] and template.devices():
        raise Declined(409, "The template has devices: detach them first, or use force=true.")
    templates.delete(template)
    return PinReply(204)


@account_operation("putDatastream")
def put_datastream(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """`stream` is whole; name and alias, where they are null, are made up. 201 when it is new."""
    template, (letter, number), stream = _find(account, a), a["pin"], a["stream"]
    kind = ord(letter)
    _name(stream, letter, number)
    others = [s for s in template.streams if (KIND_OF_NAME[s["pinType"]], s["pin"]) != (kind, number)]
    for key in ("name", "alias"):
        if any(other[key] == stream[key] for other in others):
            raise Declined(422, _TAKEN.format(key, stream[key]), loc=key)
    is_new = template.put(kind, number, stream, fx.now)
    found = next(s for s in template.streams if (KIND_OF_NAME[s["pinType"]], s["pin"]) == (kind, number))
    return PinReply(201 if is_new else 200, _json(found))


@account_operation("deleteDatastream")
def delete_datastream(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    letter, number = a["pin"]
    if not _find(account, a).remove(ord(letter), number, fx.now):
        raise Declined(404, "The template has no datastream on that pin.")
    return PinReply(204)


@account_operation("putEvent")
def put_event(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """`event` is whole, with its code. 201 when it is new."""
    template, event = _find(account, a), a["event"]
    events: JsonObject = template.body.get("events", {})
    is_new = event["code"] not in events
    if is_new and len(events) >= EVENTS_MAX:
        raise Declined(409, f"A template has at most {EVENTS_MAX} events.")
    template.body = template.body | {"events": events | {event["code"]: event}}
    template.changed(fx.now)
    return PinReply(201 if is_new else 200, _json(event))


@account_operation("deleteEvent")
def delete_event(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    template = _find(account, a)
    events: JsonObject = template.body.get("events", {})
    if a["code"] not in events:
        raise Declined(404, "The template has no event of that code.")
    template.body = template.body | {"events": {code: event for code, event in events.items() if code != a["code"]}}
    template.changed(fx.now)
    return PinReply(204)


def _named(streams: list[JsonObject]) -> list[JsonObject]:
    """Whole datastreams with their names and aliases; Declined where two have the same, or the same pin."""
    for stream in streams:
        _name(stream, chr(KIND_OF_NAME[stream["pinType"]]), stream["pin"])
    for what, key_of in (
        ("pin", lambda stream: f"{chr(KIND_OF_NAME[stream['pinType']])}{stream['pin']}".upper()),
        ("name", lambda stream: stream["name"]),
        ("alias", lambda stream: stream["alias"]),
    ):
        if twice := _twice([key_of(stream) for stream in streams]):
            raise Declined(422, _TAKEN.format(what, twice), loc="datastreams")
    return streams


def _by_code(events: list[JsonObject]) -> JsonObject:
    if twice := _twice([event["code"] for event in events]):
        raise Declined(422, f"Two events have the code {twice!r}.", loc="events")
    return {event["code"]: event for event in events}


def _name(stream: JsonObject, letter: str, number: int) -> None:
    """Make up name and alias where they are null."""
    stream["name"] = stream["name"] or f"{letter.upper()}{number}"
    stream["alias"] = stream["alias"] or templates.snake_case(stream["name"])


def _twice(keys: list[str]) -> str | None:
    """One that is there twice."""
    return next((key for key, count in Counter(keys).items() if count > 1), None)


def _find(account: Account, a: dict[str, Any]) -> Template:
    found = account.templates.get(a["id"])
    if found is None:
        raise Declined(404, "There is no such template.")
    return found
