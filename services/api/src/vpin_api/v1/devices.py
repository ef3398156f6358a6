"""Devices (spec 08, 4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from vpin_api.v1.context import Ctx, Who
from vpin_api.v1.once import IdempotencyKey, once
from vpin_api.v1.problems import documented
from vpin_api.v1.templates import Text
from vpin_api.v1.types import Cursor, Limit, Model, Page, Sometime, cursor_of, position_of

router = APIRouter(prefix="/devices", tags=["devices"], responses=documented(401, 413, 422, 503))

DeviceId = Annotated[
    int, Path(alias="id", description="Id of the device in the account.", ge=0, lt=1 << 63, examples=[2097152])
]
Name = Annotated[Text, Field(min_length=1, max_length=50, examples=["Greenhouse 1"])]
Short = Annotated[Text, Field(max_length=50)]
DashId = Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)]


class NewDevice(Model):
    """A device in a project of the app (`dashId`), or in none."""

    name: Name
    template_id: Annotated[str, Field(max_length=64)] | None = None
    dash_id: DashId | None = Field(default=None, description="Without: apps do not show it.")
    board_type: Short | None = Field(default=None, examples=["ESP32 Dev Board"])
    connection_type: Short | None = Field(default=None, examples=["WI_FI"])


class DevicePatch(Model):
    """JSON merge patch: what is left out stays, null takes away."""

    name: Name = ""
    template_id: Annotated[str, Field(max_length=64)] | None = None
    board_type: Short = ""
    connection_type: Short = ""
    metadata: (
        dict[Annotated[Text, Field(min_length=1, max_length=50)], Annotated[Text, Field(max_length=1024)] | None] | None
    ) = None


class ListedDevice(Model):
    """A device without its token, as lists have it and as the answer of a change does."""

    id: int = Field(description="Unique in the account.", examples=[2097152])
    name: str = Field(examples=["Greenhouse 1"])
    template_id: str | None = Field(examples=["TMPLabcd1234"])
    dash_id: int | None = Field(description="Project of the app that shows it.", examples=[1])
    dash_device_id: int | None = Field(description="Its number inside that project.", examples=[0])
    board_type: str = Field(examples=["ESP32 Dev Board"])
    connection_type: str = Field(examples=["WI_FI"])
    status: Literal["online", "offline"]
    connected_at: Sometime
    disconnected_at: Sometime
    last_ip: str | None
    hardware_info: dict[str, Any] = Field(description="What the board has told of itself.")
    metadata: dict[str, str]
    tags: list[str]
    created_at: Sometime


class Device(ListedDevice):
    """A device with the token that its board logs in with."""

    token: str = Field(examples=["0123456789abcdef0123456789abcdef"])


@router.get("", summary="List the devices")
async def list_all(context: Ctx, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[ListedDevice]:
    """By id, without their tokens. Devices that the app has made are among them."""
    found = await context.ask(who.account_id, "listDevices", after=position_of(cursor, -1), limit=limit)
    return Page[ListedDevice](items=found["items"], next_cursor=cursor_of(found["next"]))


@router.post("", status_code=201, summary="Make a device", response_model=Device, responses=documented(409))
async def create(
    request: Request, context: Ctx, who: Who, body: NewDevice, idempotency_key: IdempotencyKey = None
) -> Response:
    """The answer has the token for its firmware."""

    async def work() -> Device:
        return Device.model_validate(
            await context.ask(who.account_id, "createDevice", **body.model_dump(by_alias=True))
        )

    return await once(request, context, who.account_id, idempotency_key, 201, work)


@router.get("/{id}", summary="Read a device", responses=documented(404))
async def get(context: Ctx, who: Who, device_id: DeviceId) -> Device:
    """With its token."""
    return Device.model_validate(await context.ask(who.account_id, "getDevice", id=device_id))


@router.patch("/{id}", summary="Change a device", responses=documented(404))
async def patch(context: Ctx, who: Who, device_id: DeviceId, body: DevicePatch) -> ListedDevice:
    """With a `templateId` it follows that template from now on, with null none. The answer is without the token."""
    changes = body.model_dump(by_alias=True, exclude_unset=True)
    return ListedDevice.model_validate(await context.ask(who.account_id, "patchDevice", id=device_id, changes=changes))


@router.delete("/{id}", status_code=204, summary="Delete a device", responses=documented(404))
async def delete(context: Ctx, who: Who, device_id: DeviceId) -> None:
    """With its values, events and token; its board is disconnected."""
    await context.ask(who.account_id, "deleteDevice", id=device_id)


@router.post("/{id}/token", summary="Give a device a new token", response_model=Device, responses=documented(404))
async def renew_token(
    request: Request, context: Ctx, who: Who, device_id: DeviceId, idempotency_key: IdempotencyKey = None
) -> Response:
    """The old one is worthless at once; a board that is connected with it is disconnected."""

    async def work() -> Device:
        return Device.model_validate(await context.ask(who.account_id, "renewToken", id=device_id))

    return await once(request, context, who.account_id, idempotency_key, 200, work)
