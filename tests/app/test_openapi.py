"""The API's description of itself, and the page that shows it."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.main import create_app
from app.settings import Settings

METHODS = ("get", "post", "put", "delete", "patch")


@pytest.fixture
def schema(tmp_path: Any) -> dict[str, Any]:
    return create_app(Settings(_env_file=None, data_dir=tmp_path)).openapi()


@pytest.fixture
def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method} {path}": operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_every_operation_says_what_it_does(operations: dict[str, dict[str, Any]]):
    assert len(operations) > 15
    for name, operation in operations.items():
        assert operation.get("summary"), name
        assert operation.get("description"), name
        assert operation.get("tags"), name


def test_every_operation_says_how_it_fails(operations: dict[str, dict[str, Any]]):
    for name, operation in operations.items():
        statuses = set(operation["responses"])
        if "{" in name:
            assert "404" in statuses, name
        if operation.get("parameters") or operation.get("requestBody"):
            assert {"422", "404"} & statuses, name
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert set(response.get("content", {})) == {"application/problem+json"}, (name, status)
    assert {"200", "202", "400", "413", "415", "422"} <= set(operations["post /runs"]["responses"])
    assert {"404", "409", "422"} <= set(operations["delete /runs/{run_id}"]["responses"])
    assert {"404", "422", "503"} <= set(operations["get /runs/{run_id}/events"]["responses"])
    assert {"404", "409", "410", "422", "502"} <= set(operations["post /sessions/{session_id}/act"]["responses"])
    assert "503" in operations["get /readyz"]["responses"]


def test_bodies_are_described_with_examples(schema: dict[str, Any], operations: dict[str, dict[str, Any]]):
    body = operations["post /runs"]["requestBody"]
    assert set(body["content"]) == {"application/json", "application/yaml"}
    assert "example" in body["content"]["application/yaml"]
    for name in (
        *("RunRequest", "RunView", "EpisodeView", "StepView", "EnvironmentView", "Metrics", "BackendView"),
        *("AgentRequest", "AgentChange", "AgentView", "SessionRequest", "SessionView", "SessionDefinition-Input"),
        *("ActRequest", "ActView", "StepRequest", "TransitionView", "ResetRequest", "ResetView"),
        *("ForkRequest", "DiffView", "BatchReport"),
    ):
        assert schema["components"]["schemas"][name].get("examples"), name


async def test_the_reference_needs_no_other_host(client: httpx.AsyncClient):
    page = await client.get("/docs")
    assert page.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert sources
    for source in sources:
        assert not source.startswith(("http:", "https:", "//")), source
        assert (await client.get(source)).status_code == 200, source
    assert (await client.get("/openapi.json")).json()["info"]["title"] == "gym-llm"


def test_every_reference_leads_somewhere(schema: dict[str, Any]):
    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                yield part["$ref"]
            for value in part.values():
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    found = set(references(schema))
    assert found
    for reference in found:
        target: Any = schema
        for name in reference.removeprefix("#/").split("/"):
            assert name in target, reference
            target = target[name]
