"""The part of the OpenAPI document about routes outside FastAPI: data, merged in by :mod:`vpin_api.documented`."""

from __future__ import annotations

from typing import Any

from vpin_api import openapi_iot
from vpin_api.parsing import BODY_LIMIT, PROPERTIES

_TOKEN = {"$ref": "#/components/parameters/Token"}
_PIN = {"$ref": "#/components/parameters/Pin"}


def _text(description: str, **examples: str) -> dict[str, Any]:
    """A plain-text answer with its exact texts."""
    shown = {name: {"value": text} for name, text in examples.items()}
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}, "examples": shown}}}


_STORED = {"description": "Stored, and on its way to the board and the apps. No body."}
_BUSY = {"503": {"$ref": "#/components/responses/Busy"}}
_WRITE_ERRORS = {
    "413": {"description": f"The body is larger than {BODY_LIMIT} bytes."},
    "500": _text(
        "The body is no JSON list of texts, or not declared as JSON (400 by the book, but old clients know this one).",
        type="Unexpected content type. Expecting application/json.",
        body='Error parsing body param. {"a":1}',
    ),
    **_BUSY,
}


def _connected(summary: str, description: str, operation: str) -> dict[str, Any]:
    return {
        "parameters": [_TOKEN],
        "get": {
            "tags": ["project"],
            "summary": summary,
            "description": description,
            "operationId": operation,
            "responses": {
                "200": {
                    "description": "true or false",
                    "content": {"application/json": {"schema": {"type": "boolean"}, "example": True}},
                },
                "400": _text("Refused.", token="Invalid token."),  # noqa: S106  an error text
                **_BUSY,
            },
        },
    }


def _put(summary: str, description: str, operation: str, *, deprecated: bool = False) -> dict[str, Any]:
    return {
        "tags": ["pins"],
        "summary": summary,
        "description": description,
        "operationId": operation,
        "deprecated": deprecated,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Value"},
                    "examples": {"one part": {"value": ["1"]}, "a colour": {"value": ["255", "0", "128"]}},
                }
            },
        },
        "responses": {
            "200": _STORED,
            "400": _text(
                "Refused.",
                token="Invalid token.",  # noqa: S106  an error text
                pin="Wrong pin format.",
                empty="No pin for update provided.",
            ),
            **_WRITE_ERRORS,
        },
    }


PATHS: dict[str, Any] = {
    "/{token}/get/{pin}": {
        "parameters": [_TOKEN, _PIN],
        "get": {
            "tags": ["pins"],
            "summary": "Read a pin",
            "description": "The pin's present value, whoever wrote it: the board, an app, or this API.",
            "operationId": "getPin",
            "responses": {
                "200": {
                    "description": "The parts of the value; an empty list for a widget that never had one.",
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/Value"},
                            "examples": {"one part": {"value": ["23.4"]}, "a colour": {"value": ["60", "143", "158"]}},
                        }
                    },
                },
                "400": _text(
                    "Refused.",
                    token="Invalid token.",  # noqa: S106  an error text
                    pin="Wrong pin format.",
                    never="Requested pin doesn't exist in the app.",
                ),
                **_BUSY,
            },
        },
    },
    "/{token}/update/{pin}": {
        "parameters": [_TOKEN, _PIN],
        "get": {
            "tags": ["pins"],
            "summary": "Write a pin, or a property of its widget",
            "description": "With `value` (once for each part) the pin is written. Without, the first known property "
            f"changes the widgets on the pin: {', '.join(f'`{name}`' for name in PROPERTIES)}.",
            "operationId": "updatePin",
            "parameters": [
                {
                    "name": "value",
                    "in": "query",
                    "description": "One part of the value; repeat it for more.",
                    "schema": {"type": "array", "items": {"type": "string"}},
                    "explode": True,
                    "example": ["1"],
                },
                {
                    "name": "color",
                    "in": "query",
                    "description": "An example of a property: the colour of the widget as `#RRGGBB`.",
                    "schema": {"type": "string", "pattern": "^#[0-9A-Fa-f]{6}$"},
                },
            ],
            "responses": {
                "200": _STORED,
                "400": _text(
                    "Refused.",
                    token="Invalid token.",  # noqa: S106  an error text
                    request="Wrong request format.",
                    pin="Wrong pin format.",
                    inactive="Project is not active.",
                    widget="No widget for SetWidgetProperty command.",
                    property="Error setting widget property.",
                ),
                **_BUSY,
            },
        },
        "put": _put("Write a pin with a JSON list", "Numbers, booleans and `null` in the list become text.", "putPin"),
    },
    "/{token}/pin/{pin}": {
        "parameters": [_TOKEN, _PIN],
        "put": _put("Write a pin (older spelling)", "The same as `PUT /{token}/update/{pin}`.", "putPinOld"),
    },
    "/{token}/isHardwareConnected": _connected(
        "Is the board online?", "About the very device of the token.", "isHardwareConnected"
    ),
    "/{token}/isAppConnected": _connected(
        "Is an app online?",
        "True while the project is active and an app of its owner, or of somebody it is shared with, is logged in.",
        "isAppConnected",
    ),
    **openapi_iot.PROJECT_PATHS,
    **openapi_iot.IOT_PATHS,
    "/api/v1/health": {
        "get": {
            "tags": ["server"],
            "summary": "Is the server ready?",
            "description": "Needs no token. The details are in `/readyz` of each service.",
            "operationId": "health",
            "responses": {
                "200": {
                    "description": "Everything is ready.",
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/Health"},
                            "example": {"status": "ok", "version": "0.1.0"},
                        }
                    },
                },
                "503": {
                    "description": "Something is not ready, or no longer.",
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/Health"},
                            "example": {"status": "unavailable", "version": "0.1.0"},
                        }
                    },
                },
            },
        },
    },
}

PARTS: dict[str, Any] = {
    "parameters": {
        "Token": {
            "name": "token",
            "in": "path",
            "required": True,
            "description": "The device's token.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.~-]{1,64}$"},
            "example": "0123456789abcdef0123456789abcdef",
        },
        "Pin": {
            "name": "pin",
            "in": "path",
            "required": True,
            "description": "`V` (virtual), `D` (digital) or `A` (analog) and 0 to 255; `v5` and `V5` are the same.",
            "schema": {"type": "string", "pattern": "^[aAdDvV][0-9]{1,3}$"},
            "example": "V5",
        },
    },
    "securitySchemes": {
        "administrator": {"type": "http", "scheme": "basic", "description": "e-mail and password of an administrator"}
    },
    "schemas": {
        "IotFailure": openapi_iot.IOT_FAILURE,
        "Value": {"type": "array", "items": {"type": "string"}, "description": "The parts of a pin's value."},
        "Health": {
            "type": "object",
            "required": ["status", "version"],
            "properties": {"status": {"enum": ["ok", "unavailable"]}, "version": {"type": "string"}},
        },
    },
    "responses": {
        "IotError": openapi_iot.IOT_ERROR,
        "Busy": {
            "description": "The server is starting or has too much to do: try again after `Retry-After` seconds.",
            "headers": {"Retry-After": {"schema": {"type": "integer"}, "example": 1}},
            "content": {"text/plain": {"schema": {"type": "string"}, "example": "Server is busy."}},
        },
    },
}
