"""The OpenAPI document reads well: every route, parameter and answer says what it is, bodies have examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tiny_owner import world

pytestmark = pytest.mark.anyio

BINARY = ("image/png", "multipart/form-data", "application/octet-stream", "application/zip", "application/gzip")


async def document() -> dict[str, Any]:
    async with world() as w:
        return (await w.http.get("/openapi.json")).json()


def operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Those for users; firmware is for administrators."""
    for path, item in found["paths"].items():
        for method, operation in item.items():
            if method != "parameters" and operation["tags"] != ["firmware"]:
                yield method, path, operation


def resolved(found: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        _, _, kind, name = part["$ref"].split("/")
        part = found["components"][kind][name]
    return part


def has_example(found: dict[str, Any], content: dict[str, Any]) -> bool:
    if "example" in content or "examples" in content:
        return True
    schema = resolved(found, content.get("schema", {}))
    if schema.get("type") == "array":
        return has_example(found, {"schema": schema.get("items", {})})
    return "example" in str(schema)


async def test_every_route_and_parameter_says_what_it_is() -> None:
    found = await document()
    for method, path, operation in operations(found):
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        for parameter in operation.get("parameters", ()):
            assert resolved(found, parameter).get("description"), (method, path, parameter)
        for status, answer in operation["responses"].items():
            assert resolved(found, answer)["description"], (method, path, status)


async def test_bodies_and_answers_have_examples() -> None:
    found = await document()
    for method, path, operation in operations(found):
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [resolved(found, answer).get("content", {}) for answer in operation["responses"].values()]
        for content in contents:
            for kind, part in content.items():
                assert kind in BINARY or has_example(found, part), (method, path, kind)


async def test_each_api_tells_how_it_refuses() -> None:
    found = await document()
    for method, path, operation in operations(found):
        statuses = operation["responses"].keys()
        if path.startswith("/api/v1/") and "health" not in path:
            assert statuses >= {"429", "503"}, (method, path)
            assert ("401" in statuses) == ("security" in operation or path.endswith("/sessions")), (method, path)
        elif path.startswith("/external/api/"):
            assert statuses >= {"400", "429", "503"}, (method, path)
        elif path.startswith("/{token}/") and not path.endswith("clone"):
            assert statuses >= {"400", "503"}, (method, path)


async def test_the_introduction_leads_to_its_routes() -> None:
    found = await document()
    tags = {tag["name"] for tag in found["tags"]}
    text = found["info"]["description"]
    for name in ("pins", "datastreams", "account"):
        assert f"(#/{name})" in text
        assert name in tags
    assert "Authorization" in text or "authorization" in text
    used = {tag for _, _, operation in operations(found) for tag in operation["tags"]}
    assert used <= tags
    assert all(tag["description"] for tag in found["tags"])
