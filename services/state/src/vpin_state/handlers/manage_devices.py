"""Devices by the management API (spec 08, 4). Times are ms since 1970, 0 for never."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from vpin_messages.requests import PinReply

from vpin_state import settling, templates
from vpin_state.device_numbers import find_device, number_of
from vpin_state.errors import Declined
from vpin_state.handlers.dashboards import add_device
from vpin_state.handlers.internal import tell_meta
from vpin_state.handlers.presence import device_gone
from vpin_state.model import NO_PROJECT, Dashboard
from vpin_state.registry import account_operation

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.model import Account, JsonObject

NO_SUCH = "There is no such device."
_json = msgspec.json.Encoder().encode


def device_of(account: Account, number: int) -> Device:
    """The device of that id; Declined(404) where there is none."""
    device = find_device(account, number)
    if device is None:
        raise Declined(404, NO_SUCH)
    return device


def to_json(device: Device, *, with_token: bool) -> JsonObject:
    """The device object."""
    body, dash = device.body, device.dash
    in_project = dash.id != NO_PROJECT
    tags = dash.settings.get("tags", ())
    found: JsonObject = {
        "id": number_of(device),
        "name": device.name or "",
        "templateId": device.template_id or None,
        "dashId": dash.id if in_project else None,
        "dashDeviceId": device.id if in_project else None,
        "boardType": body.get("boardType") or "",
        "connectionType": body.get("connectionType") or "",
        "status": "online" if device.online else "offline",
        "connectedAt": device.connect_time,
        "disconnectedAt": device.disconnect_time,
        "lastIp": device.last_logged_ip or None,
        "hardwareInfo": body.get("hardwareInfo") or {},
        "metadata": body.get("metadata") or {},
        "tags": [tag.get("name", "") for tag in tags if device.id in tag.get("deviceIds", ())],
        "createdAt": body.get("createdAt", 0),
    }
    return found | {"token": device.token} if with_token else found


@account_operation("listDevices")
def list_all(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """Devices with ids above `after`, `limit` of them at most, ascending."""
    devices = {number_of(d): d for dash in account.dashboards.values() for d in dash.devices.values()}
    numbers = sorted(n for n in devices if n > a["after"])[: a["limit"] + 1]
    items = [to_json(devices[n], with_token=False) for n in numbers[: a["limit"]]]
    return PinReply(200, _json({"items": items, "next": items[-1]["id"] if len(numbers) > a["limit"] else None}))


@account_operation("getDevice")
def get(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    return PinReply(200, _json(to_json(device_of(account, a["id"]), with_token=True)))


@account_operation("createDevice")
def create(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """A device in a project, or in none."""
    template = _template(account, a.get("templateId"))
    dash = _place(account, a.get("dashId"))
    if len(dash.devices) >= fx.config.devices_max:
        raise Declined(409, f"A project has at most {fx.config.devices_max} devices.")
    first = 1 if dash.id == NO_PROJECT else 0
    body: JsonObject = {
        "id": max(dash.devices, default=first - 1) + 1,
        "name": a["name"],
        "boardType": a.get("boardType") or (template and template.body.get("boardType")) or "Generic Board",
        "connectionType": a.get("connectionType") or (template and template.body.get("connectionType")) or "WI_FI",
        "isUserIcon": False,
        "createdAt": fx.now,
    }
    device = add_device(dash, body, fx.new_token())
    if template is not None:
        templates.attach(device, template.id)
    if dash.id != NO_PROJECT:
        settling.touch(dash, fx.now)
    return PinReply(201, _json(to_json(device, with_token=True)))


def _template(account: Account, template_id: str | None) -> templates.Template | None:
    if not template_id:
        return None
    found = account.templates.get(template_id)
    if found is None:
        raise Declined(422, "There is no such template.", loc="templateId")
    return found


def _place(account: Account, dash_id: int | None) -> Dashboard:
    if dash_id is None:
        dash = account.dashboards.get(NO_PROJECT)
        if dash is None:
            dash = account.dashboards[NO_PROJECT] = Dashboard(account, NO_PROJECT, {}, -1)
            dash.changed()
        return dash
    dash = account.dashboards.get(dash_id)
    if dash is None or dash_id == NO_PROJECT:
        raise Declined(422, "There is no such project.", loc="dashId")
    return dash


@account_operation("patchDevice")
def patch(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """`changes`: any of name, templateId (null: none), boardType, connectionType, metadata (merged; null: none)."""
    device, changes = device_of(account, a["id"]), a["changes"]
    template = _template(account, changes.get("templateId"))
    device.name = changes.get("name", device.name)
    for key in ("boardType", "connectionType"):
        if key in changes:
            device.body[key] = changes[key]
    if "metadata" in changes:
        before: dict[str, str] = device.body.get("metadata") or {}
        merged = {} if changes["metadata"] is None else {**before, **changes["metadata"]}
        device.body["metadata"] = {key: value for key, value in merged.items() if value is not None}
        for name, value in device.body["metadata"].items():
            if before.get(name) != value:
                tell_meta(fx, device, name, value)
    if "templateId" in changes and device.template_id != (template.id if template else ""):
        templates.attach(device, template.id if template else "")
    device.changed()
    return PinReply(200, _json(to_json(device, with_token=False)))


@account_operation("deleteDevice")
def delete(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """With its connections, token, values and events."""
    device = device_of(account, a["id"])
    settling.drop_device(fx, device)
    if device.dash.id != NO_PROJECT:
        settling.touch(device.dash, fx.now)
    return PinReply(204)


@account_operation("renewToken")
def renew_token(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """A new token; who is connected with the old one is thrown out."""
    device = device_of(account, a["id"])
    device.set_token(fx.new_token())
    if device.online:
        settling.close_sessions(fx, device)
        device_gone(fx, device)
    return PinReply(200, _json(to_json(device, with_token=True)))


@account_operation("haveDevices")
def have(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """Whether there are devices of all these `ids`."""
    for number in a["ids"]:
        device_of(account, number)
    return PinReply(204)


@account_operation("placeOfDevice")
def place(fx: Effects, account: Account, a: dict[str, Any]) -> PinReply:
    """Dashboard and number under which the device's rows are stored, once all its events are."""
    device = device_of(account, a["id"])
    if account.dirty.events:
        fx.after_commit()
    return PinReply(200, _json({"dash": device.dash.id, "device": device.id}))
