"""The part of the OpenAPI document about ``/external/api`` and the project routes of the older API: data."""

from __future__ import annotations

from typing import Any

from vpin_api.iot_exports import CHOICES, PERIODS, STEPS

_TOKEN_IN_PATH = {"$ref": "#/components/parameters/Token"}
_PIN_IN_PATH = {"$ref": "#/components/parameters/Pin"}
_BUSY = {"503": {"$ref": "#/components/responses/Busy"}}
_IOT_BUSY = {"503": {"$ref": "#/components/responses/IotError"}}
_IOT_ERROR = {"400": {"$ref": "#/components/responses/IotError"}}


def _query(name: str, description: str, *, required: bool = False, example: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}
    if required:
        found["required"] = True
    if example:
        found["example"] = example
    return found


def _choice(name: str, description: str, *values: str, default: str) -> dict[str, Any]:
    schema = {"type": "string", "enum": list(values), "default": default}
    return {"name": name, "in": "query", "description": description, "schema": schema}


_TOKEN = _query("token", "The device's token.", required=True, example="0123456789abcdef0123456789abcdef")
_PINS = {
    "name": "pins",
    "in": "query",
    "description": "Pins are *names* of parameters: `&v1` to read, `&v1=100` to write, repeated for several parts.",
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "example": {"v1": "100"},
}
_PIN = _query("pin", "One pin, in place of a parameter of its name.", example="V1")
_STREAM = _query("dataStreamId", "A datastream of the template, in place of its pin.", example="1")
_NO_BODY: dict[str, Any] = {"200": {"description": "Done. No body."}}
_OK_TEXT: dict[str, Any] = {
    "200": {"description": "`OK`", "content": {"text/plain": {"schema": {"const": "OK"}, "example": "OK"}}},
}


def _json(description: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": schema, "example": example}}
    return {"200": {"description": description, "content": content}}


def _iot(
    tag: str,
    operation: str,
    summary: str,
    parameters: list[dict[str, Any]],
    answers: dict[str, Any],
    description: str = "",
    **more: Any,
) -> dict[str, Any]:
    return {
        "tags": [tag],
        "summary": summary,
        "description": description or summary,
        "operationId": operation,
        "parameters": [_TOKEN, *parameters],
        "responses": {**answers, **_IOT_ERROR, **_IOT_BUSY},
        **more,
    }


_CONNECTED = _json("true or false", {"type": "boolean"}, True)
_META = [_query("metaFieldId", "Number of the field.", example="1"), _query("metaFieldName", "Or its name.")]
_OBJECT = {"type": "object", "additionalProperties": True}
_LINK = {"type": "object", "required": ["link"], "properties": {"link": {"type": "string"}}}

IOT_PATHS: dict[str, Any] = {
    "/external/api/get": {
        "get": _iot(
            "datastreams",
            "iotGet",
            "Read pins",
            [_PINS, _STREAM],
            {
                "200": {
                    "description": "One pin: its bare value, several parts as a list. Several pins: an object. A pin "
                    "without value: nothing.",
                    "content": {
                        "text/plain": {"schema": {"type": "string"}, "example": "100.0"},
                        "application/json": {"schema": {}, "example": {"v1": 1.0, "v4": "text"}},
                    },
                }
            },
        )
    },
    "/external/api/getAll": {
        "get": _iot(
            "datastreams",
            "iotGetAll",
            "Read all pins that have a value",
            [],
            _json("By pin.", _OBJECT, {"v0": 1, "v2": "text", "v4": [12.0, 11.0]}),
        )
    },
    "/external/api/update": {
        "get": _iot(
            "datastreams",
            "iotUpdate",
            "Write pins",
            [_PINS, _PIN, _STREAM, _query("value", "With `pin` or `dataStreamId`; repeated for several parts.")],
            _NO_BODY,
            "All are written, or none. Values are checked by the type of their datastream and cropped to its bounds.",
        )
    },
    "/external/api/batch/update": {
        "get": _iot("datastreams", "iotBatch", "Write several pins", [_PINS], _OK_TEXT),
        "post": _iot(
            "datastreams",
            "iotPoints",
            "Send points with their times",
            [_query("pin", "The pin of the points.", required=True, example="v1")],
            _OK_TEXT,
            "`[[ms since 1970, value], …]`, at most 10,000. The newest becomes the present value, if it is newer.",
            requestBody={
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"type": "array", "maxItems": 10_000, "items": {"type": "array", "minItems": 2}},
                        "example": [[1648054765458, 1.0], [1648054766458, 2.0]],
                    }
                },
            },
        ),
    },
    "/external/api/update/property": {
        "get": _iot(
            "datastreams",
            "iotProperty",
            "Set properties of a pin",
            [
                _query("pin", "The pin.", required=True, example="V1"),
                _query("label", "An example; any name of letters and digits is a property."),
            ],
            _NO_BODY,
            "Kept for the widgets on the pin, present and future; apps are told. Repeated names are a list.",
        )
    },
    "/external/api/isHardwareConnected": {
        "get": _iot("device", "iotIsHardwareConnected", "Is the board online?", [], _CONNECTED)
    },
    "/external/api/isAppConnected": {"get": _iot("device", "iotIsAppConnected", "Is an app online?", [], _CONNECTED)},
    "/external/api/logEvent": {
        "get": _iot(
            "iot-events",
            "iotLogEvent",
            "Log an event",
            [
                _query("code", "Code of an event of the template.", required=True, example="too_hot"),
                _query("description", "Up to 300 characters."),
            ],
            _NO_BODY,
            "It stands in the time line of the device, and its notifications are sent.",
        )
    },
    "/external/api/device/meta": {
        "get": _iot(
            "device",
            "iotMeta",
            "Read a metadata field",
            _META,
            _json("The field.", _OBJECT, {"type": "Text", "value": "x"}),
        )
    },
    "/external/api/device/meta/update": {
        "get": _iot(
            "device", "iotSetMeta", "Write a metadata field", [*_META, _query("value", "The new value.")], _NO_BODY
        )
    },
    "/external/api/data/get": {
        "get": _iot(
            "exports",
            "iotExport",
            "Export history",
            [
                _choice("period", "How far back, from now.", *PERIODS, default="MONTH"),
                _choice(
                    "granularityType",
                    "`RAW_DATA`: points as they came, where they are kept, else minutes. Not with `THREE_MONTHS`.",
                    *STEPS,
                    default="RAW_DATA",
                ),
                _choice("sourceType", "What is told of a minute, hour or day.", *CHOICES["sourceType"], default="AVG"),
                _query("tzName", "Zone of the times.", example="Europe/Berlin"),
                _choice("format", "Of the times: `TS` is ms since 1970.", *CHOICES["format"], default="TS"),
                _choice("sendEvents", "With the device's events.", *CHOICES["sendEvents"], default="false"),
                _PIN,
                _STREAM,
            ],
            {
                **_json(
                    "Where the file is.", _LINK, {"link": "https://example.org/device_data_0_2026-11-22T08-30-00_x.zip"}
                ),
                "429": {"$ref": "#/components/responses/IotError"},
                "500": {"$ref": "#/components/responses/IotError"},
            },
            "A zip with a CSV (`value,time`) for each datastream that has data. Whoever has the link may read it, for some "
            "weeks; it is made when it is read. Ten a device and day.",
        )
    },
    "/external/api/provision": {
        "get": _iot(
            "device",
            "iotProvision",
            "Join a template",
            [_query("templateId", "The template.", required=True, example="TMPLabcd1234")],
            _NO_BODY,
        )
    },
    "/external/api/upload": {
        "post": _iot(
            "exports",
            "iotUpload",
            "Upload a file",
            [],
            {
                "200": {
                    "description": "Its address.",
                    "content": {
                        "text/plain": {
                            "schema": {"type": "string"},
                            "example": "https://vpin.example.org/device_uploads/2097152/x7Fq0pLs.jpg",
                        }
                    },
                }
            },
            "Up to 5 MB, ten files a device: the oldest goes. Whoever knows the address may read it.",
            requestBody={
                "required": True,
                "content": {
                    "multipart/form-data": {
                        "schema": {
                            "type": "object",
                            "required": ["upfile"],
                            "properties": {"upfile": {"type": "string", "format": "binary"}},
                        }
                    }
                },
            },
        )
    },
}


def _refused(*texts: str) -> dict[str, Any]:
    shown = {f"case {n}": {"value": text} for n, text in enumerate(texts, 1)}
    content = {"text/plain": {"schema": {"type": "string"}, "examples": shown}}
    return {"description": "Refused.", "content": content}


def _project(
    tag: str, operation: str, summary: str, answers: dict[str, Any], *refusals: str, **more: Any
) -> dict[str, Any]:
    refused = {"400": _refused("Invalid token.", *refusals)}
    return {
        "tags": [tag],
        "summary": summary,
        "description": summary,
        "operationId": operation,
        "responses": {**answers, **refused, **_BUSY},
        **more,
    }


def _body(properties: dict[str, Any], example: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


_WRONG_BODY = {
    "413": {"description": "The body is too large."},
    "500": _refused("Unexpected content type. Expecting application/json.", "Error parsing body param. {"),
}
_TEXT = {"type": "string"}

PROJECT_PATHS: dict[str, Any] = {
    "/{token}/extra/pin/{pin}": {
        "parameters": [_TOKEN_IN_PATH, _PIN_IN_PATH],
        "put": _project(
            "pins",
            "putPoints",
            "Write points with their times",
            {**_NO_BODY, **_WRONG_BODY},
            "No pin for update provided.",
            requestBody={
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "array",
                            "items": {"type": "object", "properties": {"timestamp": {"type": "integer"}, "value": {}}},
                        },
                        "example": [{"timestamp": 1648054765458, "value": "7"}],
                    }
                },
            },
        ),
    },
    "/{token}/data/{pin}": {
        "parameters": [_TOKEN_IN_PATH, _PIN_IN_PATH],
        "get": _project(
            "history",
            "getHistory",
            "History of a pin as a file",
            {
                "301": {
                    "description": "To a gzipped CSV, `value,ms,device` a line: averages of finished minutes, the newest "
                    "43,200. Whoever has its name may read it, for some weeks.",
                    "headers": {
                        "Location": {
                            "schema": {"type": "string"},
                            "example": "/a@example.com_1_0_v8_1795304400734_7-2mYHrbXq0p6yYtW1vOQk1g.csv.gz",
                        }
                    },
                }
            },
            "No data.",
            "Wrong pin format.",
        ),
    },
    "/{token}/project": {
        "parameters": [_TOKEN_IN_PATH],
        "get": _project(
            "project", "getProject", "The project, without secrets", _json("The project.", _OBJECT, {"id": 1})
        ),
    },
    "/{token}/rtc": {
        "parameters": [_TOKEN_IN_PATH],
        "get": _project(
            "project",
            "getClock",
            "The wall clock in the zone of the RTC widget",
            _json("Seconds.", {"type": "array", "items": {"type": "integer"}}, [1795304285]),
            "Requested rtc not exists in app.",
        ),
    },
    "/{token}/qr": {
        "parameters": [_TOKEN_IN_PATH],
        "get": _project(
            "project",
            "getQr",
            "A QR code to clone the project",
            {"200": {"description": "A picture.", "content": {"image/png": {"schema": {"type": "string"}}}}},
        ),
    },
    "/{token}/clone": {
        "parameters": [_TOKEN_IN_PATH],
        "get": {
            "tags": ["project"],
            "summary": "The project of a clone code",
            "description": "The first segment is a clone code in place of a device's token.",
            "operationId": "getClone",
            "responses": {
                **_json("The project, without values.", _OBJECT, {"id": 1}),
                "500": _refused("Requested QR not found."),
                **_BUSY,
            },
        },
    },
    "/{token}/notify": {
        "parameters": [_TOKEN_IN_PATH],
        "post": _project(
            "notifications",
            "notify",
            "A push message to the phones of the project",
            {**_NO_BODY, **_WRONG_BODY},
            "Body is empty or larger than 255 chars.",
            "Project is not active.",
            "No notification widget.",
            requestBody=_body({"body": _TEXT}, {"body": "The door is open"}),
        ),
    },
    "/{token}/email": {
        "parameters": [_TOKEN_IN_PATH],
        "post": _project(
            "notifications",
            "email",
            "A mail",
            {**_NO_BODY, **_WRONG_BODY},
            "No email widget.",
            "Project is not active.",
            "Email body is wrong. Missing or empty fields 'to', 'subj'.",
            requestBody=_body(
                {"to": _TEXT, "subj": _TEXT, "title": _TEXT}, {"to": "anna@example.com", "subj": "Hi", "title": "Text"}
            ),
        ),
    },
}

IOT_FAILURE: dict[str, Any] = {
    "type": "object",
    "description": "An error of `/external/api`.",
    "required": ["error"],
    "properties": {"error": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}},
}
IOT_ERROR: dict[str, Any] = {
    "description": "Refused.",
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/IotFailure"},
            "example": {"error": {"message": "Invalid token."}},
        }
    },
}
