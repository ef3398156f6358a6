"""Values of devices (spec 08, 4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body
from pydantic import Field

from vpin_api.v1.context import Ctx, Who
from vpin_api.v1.devices import DeviceId
from vpin_api.v1.problems import Problem, documented
from vpin_api.v1.templates import Text
from vpin_api.v1.types import Model, PinPath, Sometime, to_pin

router = APIRouter(prefix="/devices", tags=["values"], responses=documented(401, 404, 413, 422, 503))

PARTS_MAX = 255
Scalar = bool | int | float | Annotated[Text, Field(max_length=65_536)]
Given = Scalar | Annotated[list[Scalar], Field(min_length=1, max_length=PARTS_MAX)]


class PinValue(Model):
    """What a pin reads as."""

    pin: str = Field(examples=["V1"])
    name: str = Field(description="Of the datastream; without one the pin.", examples=["Temperature"])
    value: int | float | str | list[int | float | str] | None = Field(
        description="Several parts are a list; null: never written.", examples=[21.5]
    )
    updated_at: Sometime
    source: Literal["device", "app", "http", "rule", "default"] | None = Field(
        description="Who wrote it. `default`: never written, the datastream's default; null: nothing to read."
    )
    seq: int = Field(
        description="Number of that write in the account; the live stream's `value` events have it too.",
        examples=[1042],
    )


class NewValue(Model):
    """A value; a list has several parts."""

    value: Given = Field(examples=[21.5])


@router.get("/{id}/values", summary="Read all pins of a device")
async def list_all(context: Ctx, who: Who, device_id: DeviceId) -> list[PinValue]:
    """Pins that have a value, or a default."""
    return [PinValue.model_validate(one) for one in await context.ask(who.account_id, "listValues", id=device_id)]


@router.get("/{id}/values/{pin}", summary="Read a pin")
async def get(context: Ctx, who: Who, device_id: DeviceId, pin: PinPath) -> PinValue:
    """As its datastream has it: a number, a text, or a list of several parts."""
    return PinValue.model_validate(await context.ask(who.account_id, "getValue", id=device_id, pin=to_pin(pin)))


@router.put("/{id}/values/{pin}", status_code=204, summary="Write a pin")
async def put(context: Ctx, who: Who, device_id: DeviceId, pin: PinPath, body: NewValue) -> None:
    """Stored, sent to the board when it is online, and to apps."""
    values = [(*to_pin(pin), _parts(body.value))]
    await context.ask(who.account_id, "putValues", id=device_id, values=values)


@router.put("/{id}/values", status_code=204, summary="Write several pins, all or none")
async def put_several(
    context: Ctx,
    who: Who,
    device_id: DeviceId,
    body: Annotated[dict[str, Given], Body(min_length=1, max_length=768, examples=[{"V1": 1, "V2": "x"}])],
) -> None:
    """By pin. The board gets them one after the other, in this order."""
    values: list[tuple[str, int, list[str]]] = []
    for name, value in body.items():
        try:
            pin = to_pin(name)
            values.append((pin.kind, pin.number, _parts(value)))
        except ValueError as error:
            raise Problem(422, "The request does not fit.", errors=[(["body", name], str(error))]) from None
    await context.ask(who.account_id, "putValues", id=device_id, values=values)


@router.delete("/{id}/values/{pin}", status_code=204, summary="Forget the value of a pin")
async def delete(context: Ctx, who: Who, device_id: DeviceId, pin: PinPath) -> None:
    """It reads as its default again, or as never written."""
    await context.ask(who.account_id, "deleteValue", id=device_id, pin=to_pin(pin))


def _parts(value: Any) -> list[str]:
    """The texts that are stored: numbers as JSON has them, true and false as 1 and 0."""
    return [_text(part) for part in value] if isinstance(value, list) else [_text(value)]


def _text(part: bool | float | str) -> str:
    if isinstance(part, str):
        return part
    return str(int(part)) if isinstance(part, bool) else repr(part)
