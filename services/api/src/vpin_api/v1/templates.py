"""Templates, their datastreams and events (spec 08, 3; 07, 2)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from vpin_api.v1.context import Ctx, Who
from vpin_api.v1.once import IdempotencyKey, once
from vpin_api.v1.problems import documented
from vpin_api.v1.types import Cursor, Instant, Limit, Model, Page, PinPath, cursor_of, position_of, to_pin
from vpin_api.v1.users import check_text

router = APIRouter(prefix="/templates", tags=["templates"], responses=documented(401, 413, 422, 503))

CODE_PATTERN = "^[A-Za-z0-9_]{1,50}$"
Text = Annotated[str, AfterValidator(check_text)]
TemplateId = Annotated[
    str, Path(alias="id", description="Id of the template.", max_length=64, examples=["TMPLabcd1234"])
]
ValueType = Literal["INT", "DOUBLE", "STRING", "LOCATION", "ENUM", "RAW"]
Receivers = Annotated[list[Annotated[Text, Field(min_length=1, max_length=255)]], Field(max_length=20)]
Int32 = Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)]
Finite = Annotated[int, Field(ge=-(1 << 53), le=1 << 53)] | Annotated[float, Field(allow_inf_nan=False)]


def _text_of_number(value: Any) -> Any:
    return str(value) if type(value) in (int, float) else value


class DatastreamFields(Model):
    """A datastream as it is put: a pin with name, type and rules. What is left out has its default."""

    name: Annotated[Text, Field(min_length=1, max_length=50)] | None = Field(
        default=None, description="Unique in the template; the pin, if left out.", examples=["Temperature"]
    )
    alias: Annotated[Text, Field(min_length=1, max_length=50)] | None = Field(
        default=None, description="Unique in the template; the name in snake case, if left out."
    )
    value_type: ValueType = Field(default="STRING", description="`RAW`: no check at all", examples=["DOUBLE"])
    min: Finite | None = Field(default=None, description="INT and DOUBLE: less becomes this.", examples=[-40])
    max: Finite | None = Field(default=None, description="INT and DOUBLE: more becomes this.", examples=[125])
    default_value: Annotated[Annotated[Text, Field(max_length=1024)] | None, BeforeValidator(_text_of_number)] = Field(
        default=None, description="What a pin that was never written reads as."
    )
    sync_with_latest: bool = Field(default=False, description="Sent to the device whenever it connects.")
    wait_for_confirmation: float = Field(default=0, ge=0, le=86_400, description="Seconds; 0: off.")
    invalidate_after: float = Field(default=0, ge=0, le=366 * 86_400, description="Seconds; 0: never.")
    invalidate_to: Literal["NOTHING", "DEFAULT", "NO_DATA", "EMPTY", "DASHES"] = "NOTHING"
    enum_values: Annotated[list[Int32], Field(max_length=1000)] | None = None
    enum_fallback: Int32 | None = Field(default=None, description="ENUM: what other numbers become.")
    enum_labels: dict[Text, Text] | None = Field(default=None, examples=[None])
    unit: Annotated[Text, Field(max_length=20)] = Field(default="", examples=["°C"])
    decimals: Annotated[int, Field(ge=0, le=10)] | None = Field(default=None, description="Rounds a DOUBLE here.")
    history: Literal["none", "rollups", "raw"] | None = Field(
        default=None, description="What is kept; rollups for numbers, if left out, else none."
    )
    color: Annotated[str, Field(pattern="^#[0-9A-Fa-f]{6}$")] | None = Field(default=None, examples=["#D3435C"])

    @model_validator(mode="after")
    def _check(self) -> Self:
        numeric = self.value_type in ("INT", "DOUBLE")
        if not numeric and (self.min is not None or self.max is not None):
            raise ValueError("min and max are for INT and DOUBLE")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        if self.value_type == "ENUM" and not self.enum_values:
            raise ValueError("ENUM needs enumValues")
        if self.history is None:
            self.history = "rollups" if numeric else "none"
        return self


class Datastream(DatastreamFields):
    """A datastream of a template."""

    id: int = Field(examples=[1])
    pin_type: Literal["VIRTUAL", "DIGITAL", "ANALOG"]
    pin: int = Field(ge=0, le=255, examples=[1])


class PlacedDatastream(DatastreamFields):
    """A datastream with its pin, as templates are read; its `id` comes from the server."""

    pin_type: Literal["VIRTUAL", "DIGITAL", "ANALOG"] = "VIRTUAL"
    pin: int = Field(ge=0, le=255, examples=[1])


class EventLimit(Model):
    """Most notifications of an event of a device in a period."""

    count: int = Field(default=1, ge=1, le=1000)
    per: Literal["minute", "hour", "day"] = "minute"


class EventNotify(Model):
    """Who is told; `owner` is the account itself."""

    email: Receivers = Field(default_factory=list, description="Addresses, or `owner`.", examples=[["owner"]])
    push: Receivers = Field(default_factory=list, description="`owner`: phones of the app.", examples=[["owner"]])
    sms: Receivers = Field(default_factory=list, description="Numbers.", examples=[["+491701234567"]])
    apprise: Receivers = Field(
        default_factory=list, description="URLs as Apprise has them.", examples=[["ntfy://my-greenhouse"]]
    )


class EventFields(Model):
    """An event that devices may log."""

    name: Annotated[Text, Field(min_length=1, max_length=50)] = Field(examples=["Too hot"])
    severity: Literal["info", "warning", "critical", "content"] = "info"
    description: Annotated[Text, Field(max_length=300)] = ""
    notify: EventNotify = EventNotify()
    limit: EventLimit = EventLimit()
    ignore_seconds: int = Field(default=0, ge=0, le=86_400, description="Of `offline`: shorter breaks are no event.")


class EventDefinition(EventFields):
    """An event of a template."""

    code: str = Field(examples=["too_hot"])


class NamedEvent(EventFields):
    """An event with its code, as templates are read."""

    code: Annotated[str, Field(pattern=CODE_PATTERN, examples=["too_hot"])]


class TemplateFields(Model):
    """What describes a kind of device."""

    name: Annotated[Text, Field(min_length=1, max_length=50)] = Field(examples=["Greenhouse"])
    description: Annotated[Text, Field(max_length=500)] = ""
    board_type: Annotated[Text, Field(max_length=50)] = Field(default="", examples=["ESP32 Dev Board"])
    connection_type: Annotated[Text, Field(max_length=50)] = Field(default="", examples=["WI_FI"])


class NewTemplate(TemplateFields):
    """A template, with the datastreams and events that it begins with."""

    datastreams: Annotated[list[PlacedDatastream], Field(max_length=768)] = Field(default_factory=list)
    events: Annotated[list[NamedEvent], Field(max_length=100)] = Field(default_factory=list)


class TemplatePatch(TemplateFields):
    """JSON merge patch: what is left out stays, lists are replaced as a whole."""

    name: Annotated[Text, Field(min_length=1, max_length=50)] = ""
    datastreams: Annotated[list[PlacedDatastream], Field(max_length=768)] | None = None
    events: Annotated[list[NamedEvent], Field(max_length=100)] | None = None


class Template(TemplateFields):
    """A kind of device: what its devices have in common."""

    id: str = Field(examples=["TMPLabcd1234"])
    datastreams: list[Datastream]
    events: list[EventDefinition]
    created_at: Instant
    updated_at: Instant


@router.get("", summary="List the templates")
async def list_all(context: Ctx, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[Template]:
    """In the order in which they were made, with their datastreams and events."""
    found = await context.ask(who.account_id, "listTemplates", after=position_of(cursor, -1), limit=limit)
    return Page[Template](items=found["items"], next_cursor=cursor_of(found["next"]))


@router.post("", status_code=201, summary="Make a template", response_model=Template, responses=documented(409))
async def create(
    request: Request, context: Ctx, who: Who, body: NewTemplate, idempotency_key: IdempotencyKey = None
) -> Response:
    """With datastreams and events, or without: they have routes of their own."""

    async def work() -> Template:
        return Template.model_validate(
            await context.ask(who.account_id, "createTemplate", **body.model_dump(by_alias=True))
        )

    return await once(request, context, who.account_id, idempotency_key, 201, work)


@router.get("/{id}", summary="Read a template", responses=documented(404))
async def get(context: Ctx, who: Who, template_id: TemplateId) -> Template:
    """With its datastreams and events."""
    return Template.model_validate(await context.ask(who.account_id, "getTemplate", id=template_id))


@router.patch("/{id}", summary="Change a template", responses=documented(404))
async def patch(context: Ctx, who: Who, template_id: TemplateId, body: TemplatePatch) -> Template:
    """A list of datastreams or events takes the place of all that there are; single ones have routes of their own."""
    changes = body.model_dump(by_alias=True, exclude_unset=True)
    if "datastreams" in changes:
        changes["datastreams"] = [stream.model_dump(by_alias=True) for stream in body.datastreams or ()]
    if "events" in changes:
        changes["events"] = [event.model_dump(by_alias=True) for event in body.events or ()]
    found = await context.ask(who.account_id, "patchTemplate", id=template_id, changes=changes)
    return Template.model_validate(found)


@router.delete("/{id}", status_code=204, summary="Delete a template", responses=documented(404, 409))
async def delete(
    context: Ctx,
    who: Who,
    template_id: TemplateId,
    force: Annotated[bool, Query(description="Detach its devices; their values stay.")] = False,
) -> None:
    """One that devices refer to is deleted only with `force=true`."""
    await context.ask(who.account_id, "deleteTemplate", id=template_id, force=force)


@router.get("/{id}/datastreams", summary="List the datastreams of a template", responses=documented(404))
async def list_datastreams(context: Ctx, who: Who, template_id: TemplateId) -> list[Datastream]:
    """All of them, in the order in which they were made."""
    found = await context.ask(who.account_id, "getTemplate", id=template_id)
    return [Datastream.model_validate(stream) for stream in found["datastreams"]]


@router.put(
    "/{id}/datastreams/{pin}",
    summary="Create or replace a datastream",
    response_model=Datastream,
    responses={201: {"model": Datastream, "description": "It is new."}, **documented(404)},
)
async def put_datastream(
    context: Ctx, who: Who, template_id: TemplateId, pin: PinPath, body: DatastreamFields, response: Response
) -> Datastream:
    """Holds for all devices of the template at once. `id`, `pinType` and `pin` of a body are ignored."""
    a = {"id": template_id, "pin": to_pin(pin), "stream": body.model_dump(by_alias=True)}
    response.status_code, found = await context.call(who.account_id, "putDatastream", a)
    return Datastream.model_validate(found)


@router.delete("/{id}/datastreams/{pin}", status_code=204, summary="Delete a datastream", responses=documented(404))
async def delete_datastream(context: Ctx, who: Who, template_id: TemplateId, pin: PinPath) -> None:
    """Values of the pin are kept, but nobody sees them."""
    await context.ask(who.account_id, "deleteDatastream", id=template_id, pin=to_pin(pin))


Code = Annotated[str, Path(description="What boards log it by.", pattern=CODE_PATTERN, examples=["too_hot"])]


@router.put(
    "/{id}/events/{code}",
    summary="Create or replace an event",
    responses={201: {"model": EventDefinition, "description": "It is new."}, **documented(404, 409)},
)
async def put_event(
    context: Ctx, who: Who, template_id: TemplateId, code: Code, body: EventFields, response: Response
) -> EventDefinition:
    """`online` and `offline` are built in: define them to be told, or to ignore short absences (`ignoreSeconds`)."""
    a = {"id": template_id, "event": body.model_dump(by_alias=True) | {"code": code}}
    response.status_code, found = await context.call(who.account_id, "putEvent", a)
    return EventDefinition.model_validate(found)


@router.delete("/{id}/events/{code}", status_code=204, summary="Delete an event", responses=documented(404))
async def delete_event(context: Ctx, who: Who, template_id: TemplateId, code: Code) -> None:
    """What devices have logged stays."""
    await context.ask(who.account_id, "deleteEvent", id=template_id, code=code)
