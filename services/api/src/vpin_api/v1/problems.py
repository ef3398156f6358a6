"""Errors of the management API as ``application/problem+json`` (RFC 9457; spec 08, 1)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from vpin_store import StoreUnavailable

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger("vpin.api")


class Problem(Exception):  # noqa: N818  it is an answer
    """Answer the request with this status. `errors`: what is wrong where, as (location, message)."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        errors: list[tuple[list[str | int], str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors or []
        self.headers = headers


SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["about:blank"]},
        "title": {"type": "string", "examples": ["Unprocessable Entity"]},
        "status": {"type": "integer", "examples": [422]},
        "detail": {"type": "string", "examples": ["The request does not fit."]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["loc", "msg"],
                "properties": {
                    "loc": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
                    "msg": {"type": "string"},
                },
            },
        },
    },
}
"""Component ``Problem`` of the OpenAPI document."""

_MEANINGS = {
    400: "The request can't be read.",
    401: "The session token is missing, wrong or out of date.",
    403: "Not allowed on this server.",
    404: "There is no such object in this account.",
    409: "It does not go together with what is there.",
    413: "The body is too large.",
    422: "The request does not fit: `errors` tells where.",
    429: "Too many attempts: come again later.",
    503: "The server is starting or has too much to do: come again in a second.",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that may answer with these errors."""
    return {status: _documented(status) for status in statuses}


def _documented(status: int) -> dict[str, Any]:
    meaning = _MEANINGS[status]
    example: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    example["detail"] = meaning.partition(":")[0].rstrip(".") + "."
    if status == 422:
        example["errors"] = [{"loc": ["body", "name"], "msg": "String should have at least 1 character"}]
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    return {"description": meaning, "content": content}


def answer(problem: Problem) -> JSONResponse:
    """The problem as a response."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.errors:
        content["errors"] = [{"loc": loc, "msg": text} for loc, text in problem.errors]
    return JSONResponse(content, problem.status, problem.headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error of the application leave as a problem."""

    async def on_problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return answer(error)

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        if error.status_code == 400:  # FastAPI, of bytes that are no text
            return answer(Problem(422, "The body is no JSON.", errors=[(["body"], "no JSON")]))
        return answer(Problem(error.status_code, str(error.detail), headers=dict(error.headers or {})))

    async def on_invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        errors = [(list(found["loc"]), str(found["msg"])) for found in error.errors()]
        return answer(Problem(422, "The request does not fit.", errors=errors))

    async def on_store(request: Request, error: Exception) -> JSONResponse:
        log.warning("api.store_unavailable", route=request.url.path)
        return answer(Problem(503, "The database is away.", headers={"retry-after": "1"}))

    async def on_fault(request: Request, error: Exception) -> JSONResponse:
        log.error("api.fault", route=request.scope.get("route") and request.scope["route"].path, exc_info=error)
        return answer(Problem(500, "Something went wrong here."))

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(StoreUnavailable, on_store)
    app.add_exception_handler(Exception, on_fault)
