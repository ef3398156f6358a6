"""The FastAPI application: the OpenAPI document with its page at /docs, and routes that need a framework.

The page comes from fastapi-offline, which ships Swagger UI: a home installation may have no internet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from starlette.middleware.gzip import GZipMiddleware

from vpin_api import firmware, pages
from vpin_api.cross_origin import Origins
from vpin_api.introduction import DESCRIPTION, NOT_CHANGED, TAGS, TOO_MANY
from vpin_api.limits import BodyLimit
from vpin_api.openapi import PARTS, PATHS
from vpin_api.tagging import Tagging, is_tagged
from vpin_api.v1 import devices, events, history, live, problems, templates, users, values
from vpin_api.v1.context import Context

GZIP_BYTES = 1024
"""Answers from that size on are compressed for those who can take it."""
GZIP_LEVEL = 5


def build(
    version: str, context: Context, admin_root: str, *, origins: Sequence[str] = (), credentials: bool = False
) -> FastAPI:
    """The application, with the pin routes (which the front serves itself) described in its document.

    `origins`: whose pages may use the management API, with `credentials` or without.
    """
    app = FastAPIOffline(
        title="vpin",
        version=version,
        static_url="/docs/assets",
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        swagger_ui_parameters={"defaultModelsExpandDepth": -1, "displayRequestDuration": True},
    )

    app.state.context = context
    app.add_middleware(Tagging)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES, compresslevel=GZIP_LEVEL)
    if origins:
        app.add_middleware(Origins, origins=list(origins), credentials=credentials)
    app.add_middleware(BodyLimit, images=f"{admin_root}/ota/")
    problems.install(app)
    for topic in (users, templates, devices, values, history, events, live):
        app.include_router(topic.router, prefix="/api/v1")

    app.include_router(pages.router)
    firmware.install(app, admin_root, version)

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                summary="The HTTP API of your own IoT server",
                description=DESCRIPTION,
                tags=TAGS,
                routes=app.routes,
            )
            made["paths"] = {**PATHS, **made["paths"]}
            _add_common_answers(made["paths"])
            components = made.setdefault("components", {})
            for kind, parts in PARTS.items():
                components[kind] = components.get(kind, {}) | parts
            components["schemas"]["Problem"] = problems.SCHEMA
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document
    return app


def _add_common_answers(paths: dict[str, Any]) -> None:
    """What any route of these APIs may answer, said once here."""
    for path, item in paths.items():
        if not path.startswith(("/api/v1/", "/external/api/")) or path == "/api/v1/health":
            continue
        is_managed = path.startswith("/api/v1/")
        kind, schema = (problems.MEDIA_TYPE, "Problem") if is_managed else ("application/json", "IotFailure")
        content: dict[str, dict[str, Any]] = {kind: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
        if not is_managed:
            content[kind]["example"] = {"error": {"message": "Too many requests."}}
        content |= {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for method, operation in item.items():
            if method == "parameters":
                continue
            operation["responses"].setdefault("429", {**TOO_MANY, "content": content})
            if method == "get" and is_tagged(path):
                operation["responses"].setdefault("304", NOT_CHANGED)
