"""Health, the root, the documentation: what is not a pin route."""

from __future__ import annotations

import re
import sys

import pytest
from fastapi.openapi.models import OpenAPI
from tiny_owner import TOKEN, world

pytestmark = pytest.mark.anyio


async def test_health_is_ok_while_everything_is_ready() -> None:
    parts = {"bus": True, "state": False}
    async with world(health=lambda: parts) as w:
        response = await w.http.get("/api/v1/health")
        assert (response.status_code, response.json()["status"]) == (503, "unavailable")
        parts["state"] = True
        response = await w.http.get("/api/v1/health")
        assert (response.status_code, response.json()) == (200, {"status": "ok", "version": "0.1.0"})
        assert response.headers["content-type"] == "application/json"


async def test_without_a_health_of_its_own_it_tells_of_bus_database_and_owners() -> None:
    async with world() as w:
        await w.http.get(f"/{TOKEN}/isAppConnected")
        assert (await w.http.get("/api/v1/health")).status_code == 200
        w.store.ready = False
        assert (await w.http.get("/api/v1/health")).status_code == 503
        assert w.service.checks() == {"started": True, "bus": True, "database": False, "owners": True}


async def test_the_root_leads_to_the_documentation_or_on_the_tls_port_to_the_administration() -> None:
    async with world() as w:
        response = await w.http.get("/")
        assert (response.status_code, response.headers["location"], response.content) == (301, "/docs", b"")
        assert response.headers["content-length"] == "0"
        assert (await w.http.get("https://test/")).headers["location"] == "/admin"


async def test_only_an_edge_in_front_may_say_who_the_client_is() -> None:
    headers = {"x-forwarded-proto": "https", "x-forwarded-for": "6.6.6.6, 192.0.2.1"}
    async with world() as w:
        assert (await w.http.get("/", headers=headers)).headers["location"] == "/docs"
    async with world(proxy_protocol=True) as w:
        assert (await w.http.get("/", headers=headers)).headers["location"] == "/admin"


async def test_the_documentation_needs_no_other_server() -> None:
    async with world() as w:
        page = (await w.http.get("/docs")).text
        links = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(links) >= 3
        for link in links:
            response = await w.http.get(link)
            assert response.status_code == 200, link
        assert "http://" not in page
        assert "https://" not in page


async def test_the_document_describes_every_route_with_examples() -> None:
    async with world() as w:
        document = (await w.http.get("/openapi.json")).json()
        OpenAPI.model_validate(document)
        operations = {
            (method, path) for path, item in document["paths"].items() for method in item if method != "parameters"
        }
        assert operations >= {
            ("get", "/{token}/get/{pin}"),
            ("get", "/{token}/update/{pin}"),
            ("put", "/{token}/update/{pin}"),
            ("put", "/{token}/pin/{pin}"),
            ("get", "/{token}/isHardwareConnected"),
            ("get", "/{token}/isAppConnected"),
            ("get", "/api/v1/health"),
            ("post", "/api/v1/sessions"),
            ("put", "/api/v1/templates/{id}/datastreams/{pin}"),
            ("put", "/api/v1/devices/{id}/values/{pin}"),
        }
        tags = {tag["name"] for tag in document["tags"]}
        for method, path in operations:
            operation = document["paths"][path][method]
            assert operation["summary"]
            assert set(operation["tags"]) <= tags
            assert operation["responses"].keys() & {"200", "201", "204", "400"}
        references = set(re.findall(r"#/components/(\w+)/(\w+)", str(document)))
        assert all(name in document["components"][kind] for kind, name in references)


async def test_fastapi_is_not_loaded_for_pins_and_health() -> None:
    """A process that serves boards and integrations never needs it."""
    import subprocess

    code = "import sys, vpin_api.app; sys.exit(any(name.startswith('fastapi') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: ASYNC221  short


async def test_what_no_route_knows_is_404_without_a_body() -> None:
    async with world() as w:
        for path in ("/foo", "/static/none.js", "/admin", "/api/v1/none", f"/{TOKEN}", "/docs/none", "/static/.x"):
            assert (await w.http.get(path)).status_code == 404, path
        assert (await w.http.get("/foo")).content == b""


async def test_metrics_name_routes_and_never_tokens() -> None:
    from prometheus_client import REGISTRY, generate_latest

    async with world() as w:
        for path in ("get/v1", "update/v1?value=1", "nothing", "isAppConnected"):
            await w.http.get(f"/{TOKEN}/{path}")
        text = generate_latest(REGISTRY).decode()
        assert 'vpin_api_requests_total{route="/{token}/get/{pin}",status="400"}' in text
        assert "vpin_api_in_flight 0.0" in text
        assert TOKEN not in text
