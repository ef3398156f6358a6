"""Devices, tags and tokens (spec 02, 7; 03, 5 and 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status, parse_int32, split_first

from vpin_state import event_counts, events, lookup, settling
from vpin_state.errors import Refused
from vpin_state.handlers import bridge
from vpin_state.handlers.dashboards import add_device
from vpin_state.handlers.presence import NOTICE, device_gone
from vpin_state.json_rules import View, encode, read_device, read_tag
from vpin_state.profile import device_json, device_list_json, trimmed
from vpin_state.provisioning import token_body
from vpin_state.registry import APP, handles

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard, JsonObject
    from vpin_state.session import Session

PROVISION_MS = 7 * 24 * 3600 * 1000
_INNER = (NOTICE, events.AWAY, event_counts.KEY, bridge.KEPT)
"""What an owner remembers in there for the next one."""
_KEPT = ("hardwareInfo", "deviceOtaInfo", "metadata", "createdAt", *_INNER)


def _fields(body: bytes) -> tuple[bytes, bytes]:
    """Both fields of `dash·rest`; one alone: Refused(2)."""
    fields = split_first(body, 2)
    if len(fields) < 2:
        raise Refused(Status.ILLEGAL_COMMAND)
    return fields[0], fields[1]


@handles(Command.CREATE_DEVICE, APP)
def create(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·json` → the Device with its new token."""
    raw_dash, text = _fields(body)
    dash = lookup.dash(session, raw_dash)
    json = read_device(text, fx.config.widget_size_max)
    if len(dash.devices) >= fx.config.devices_max or json["id"] in dash.devices:
        raise Refused(Status.NOT_ALLOWED)
    device = add_device(dash, json, fx.new_token())
    settling.touch(dash, fx.now)
    fx.answer(Command.CREATE_DEVICE, encode(device_json(device)))


@handles(Command.UPDATE_DEVICE, APP)
def update(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·json`: replaces what an app may say about a device, and nothing else."""
    raw_dash, text = _fields(body)
    dash = lookup.dash(session, raw_dash)
    json = read_device(text, fx.config.widget_size_max)
    device = dash.devices.get(json.pop("id"))
    if device is None:
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    device.name = json.pop("name", "")
    device.body = json | {key: device.body[key] for key in _KEPT if key in device.body}
    device.changed()
    settling.touch(dash, fx.now)
    fx.reply(Status.OK)


@handles(Command.DELETE_DEVICE, APP)
def delete(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·device`: with its connections, token and values; tags and widgets forget it."""
    raw_dash, raw_device = _fields(body)
    dash = lookup.dash(session, raw_dash)
    settling.drop_device(fx, lookup.device(dash, raw_device, unknown=Status.ILLEGAL_COMMAND))
    settling.touch(dash, fx.now)
    fx.reply(Status.OK)


@handles(Command.GET_DEVICES, APP, also_shared=True)
def get_all(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash` → the list of devices; guests see no tokens."""
    dash = lookup.shared_dash(session, body)
    view = View.PUBLIC if session.shared else View.FULL
    fx.answer(Command.GET_DEVICES, encode(device_list_json(dash, view)))


@handles(Command.GET_DEVICE, APP)
def get(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·device` → the Device."""
    raw_dash, raw_device = _fields(body)
    device = lookup.device(lookup.dash(session, raw_dash), raw_device)
    fx.answer(Command.GET_DEVICE, encode(device_json(device)))


@handles(Command.REFRESH_TOKEN, APP)
def refresh_token(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash[·device]` → a new token; who is connected with the old one is thrown out."""
    raw_dash, found, raw_device = body.partition(b"\0")
    device = lookup.device(lookup.dash(session, raw_dash), raw_device if found else b"0")
    token = fx.new_token()
    device.set_token(token)
    fx.answer(Command.REFRESH_TOKEN, token.encode())
    if device.online:
        settling.close_sessions(fx, device)
        device_gone(fx, device)


@handles(Command.PROVISION_TOKEN, APP)
def provision_token(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·json` → the Device with a token, under which it joins the project at its first log-in within 7 days."""
    raw_dash, text = _fields(body)
    dash = lookup.dash(session, raw_dash)
    json = read_device(text, fx.config.widget_size_max)
    if json["id"] in dash.devices:
        raise Refused(Status.NOT_ALLOWED)
    token = fx.new_token()
    expires_at = fx.now + PROVISION_MS
    kept = token_body(dash, json)
    dash.account.set_token(token, "provision", dash.id, json["id"], expires_at=expires_at, body=kept)
    never = dict.fromkeys(("disconnectTime", "connectTime", "firstConnectTime", "dataReceivedAt"), 0)
    fx.answer(Command.PROVISION_TOKEN, encode({**json, "token": token, "status": "OFFLINE", **never}))


# -- tags


@handles(Command.CREATE_TAG, APP)
def create_tag(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·json` → the Tag; an id or a name that is taken: 2."""
    raw_dash, text = _fields(body)
    dash = lookup.dash(session, raw_dash)
    tag = read_tag(text, fx.config.widget_size_max)
    tags = dash.settings.get("tags", [])
    if any(tag["id"] == other["id"] or tag["name"] == other.get("name") for other in tags):
        raise Refused(Status.ILLEGAL_COMMAND)
    if len(tags) >= fx.config.tags_max:
        raise Refused(Status.NOT_ALLOWED)
    _set_tags(fx, dash, [*tags, tag])
    fx.answer(Command.CREATE_TAG, encode(tag))


@handles(Command.UPDATE_TAG, APP)
def update_tag(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·json`: the tag of that id; its name is not compared with others'."""
    raw_dash, text = _fields(body)
    dash = lookup.dash(session, raw_dash)
    tag = read_tag(text, fx.config.widget_size_max)
    if lookup.tag(dash, tag["id"]) is None:
        raise Refused(Status.ILLEGAL_COMMAND)
    _set_tags(fx, dash, [tag if other["id"] == tag["id"] else other for other in dash.settings["tags"]])
    fx.reply(Status.OK)


@handles(Command.DELETE_TAG, APP)
def delete_tag(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·tag`: nothing else changes."""
    raw_dash, raw_tag = _fields(body)
    dash, tag_id = lookup.dash(session, raw_dash), parse_int32(raw_tag)
    if lookup.tag(dash, tag_id) is None:
        raise Refused(Status.ILLEGAL_COMMAND)
    _set_tags(fx, dash, [other for other in dash.settings["tags"] if other["id"] != tag_id])
    fx.reply(Status.OK)


@handles(Command.GET_TAGS, APP)
def get_tags(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash` → the list of tags."""
    tags = lookup.dash(session, body).settings.get("tags", [])
    fx.answer(Command.GET_TAGS, encode([trimmed(tag) for tag in tags]))


def _set_tags(fx: Effects, dash: Dashboard, tags: list[JsonObject]) -> None:
    dash.settings = {**dash.settings, "tags": tags}
    settling.touch(dash, fx.now)
