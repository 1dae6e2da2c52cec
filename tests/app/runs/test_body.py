"""What `POST /runs` refuses, and what it says and does not say about it."""

from typing import Any

import httpx
import pytest

from app.bootstrap import Service
from tests.app.running import Json, body

SECRET = "sk-a-secret-nobody-may-see"
YAML = {"Content-Type": "application/yaml"}


refused_before_any_sql = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def changed(*path: str, to: Any) -> Json:
    """A good request with one wrong value."""
    request: Json = body()
    part = request
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = to
    return request


@refused_before_any_sql
@pytest.mark.parametrize(
    ("request_body", "field"),
    [
        (changed("agent", "backend", to=SECRET), "agent.backend"),
        (changed("agent", "model", to=""), "agent.model"),
        (changed("agent", "model", to=SECRET * 20), "agent.model"),
        (changed("agent", "temperature", to=SECRET), "agent.temperature"),
        (changed("agent", "history", to=0), "agent.history"),
        (changed("agent", "action_rate", to=11), "agent"),
        (changed("agent", "api_key", to=SECRET), "agent.api_key"),
        (changed("agent", "base_url", to=f"http://{SECRET}"), "agent.base_url"),
        (changed("agent", to=SECRET), "agent"),
        (changed("environment", to={"kwargs": {}}), "environment.name"),
        (changed("environment", "name", to=SECRET), "environment.name"),
        (changed("environment", "name", to=f"{SECRET}:Env-v0"), "environment.name"),
        (changed("environment", "name", to="CartPole-v99"), "environment.name"),
        (changed("environment", "kwargs", to=[SECRET]), "environment.kwargs"),
        (changed("environment", "kwargs", to={"unknown": SECRET}), "environment.kwargs.unknown"),
        (changed("environment", "kwargs", to={"render_mode": "human"}), "environment.kwargs.render_mode"),
        (changed("environment", "kwargs", to={"length": SECRET}), "environment.kwargs.length"),
        (changed("environment", "kwargs", to={"length": "5"}), "environment.kwargs.length"),
        (changed("environment", "kwargs", to={"length": True}), "environment.kwargs.length"),
        (changed("environment", "kwargs", to={"label": 5}), "environment.kwargs.label"),
        (changed("experiment", "seed", to=-1), "experiment.seed"),
        (changed("experiment", "seed", to=2**31), "experiment.seed"),
        (changed("experiment", "num_runs", to=0), "experiment.num_runs"),
        (changed("experiment", "num_runs", to=1001), "experiment.num_runs"),
        (changed("experiment", "concurrency", to=257), "experiment.concurrency"),
        (changed("experiment", "max_steps", to=100_001), "experiment.max_steps"),
        (changed("experiment", "gif_fps", to=0), "experiment.gif_fps"),
        (changed("experiment", "name", to=f"../{SECRET}"), "experiment.name"),
        (changed("experiment", "timeout_s", to=0), "experiment.timeout_s"),
        (changed("experiment", "max_cost_usd", to=0), "experiment.max_cost_usd"),
        (changed("experiment", "max_total_tokens", to=0), "experiment.max_total_tokens"),
        (changed("experiment", "surprise", to=SECRET), "experiment.surprise"),
        (changed("surprise", to=SECRET), "surprise"),
        ({}, "environment"),
    ],
)
async def test_a_wrong_field_is_named_and_never_repeated(client: httpx.AsyncClient, request_body: Json, field: str):
    response = await client.post("/runs", json=request_body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "urn:gym-llm:problem:invalid-request"
    assert field in problem["detail"]
    assert SECRET not in response.text + str(response.headers)
    assert (await client.get("/runs")).json()["data"] == []


async def test_every_wrong_field_is_listed(client: httpx.AsyncClient):
    request = body(seed=-1, history=0) | {"surprise": 1}
    errors = (await client.post("/runs", json=request)).json()["errors"]
    assert {error["field"] for error in errors} >= {"agent.history", "experiment.seed", "surprise"}
    assert all(error["message"] for error in errors)


@refused_before_any_sql
@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b'{"agent": ', {}),
        (b"", {}),
        (b"\xff\xfe\x00", {}),
        (b"[]", {}),
        (b'"text"', {}),
        (b'{"a": NaN}', {}),
        (b"[" * 100_000, {}),
        (b'{"a": "\\ud800"}', {}),
        (b"agent: [", YAML),
        (b"agent: {a: b", YAML),
        (b"- a", YAML),
        (b"", YAML),
        (b"\xff\xfe\x00", YAML),
        (b"agent: !!python/object/apply:os.system ['true']", YAML),
        (b"agent: &a {}\nenvironment: *a", YAML),
        (b"a: 1\n---\nb: 2", YAML),
        (b"[" * 20_000, YAML),
        (b"a: " + b"9" * 5_000, YAML),
    ],
)
async def test_an_unreadable_body(client: httpx.AsyncClient, content: bytes, headers: dict[str, str]):
    response = await client.post("/runs", content=content, headers={"Content-Type": "application/json"} | headers)
    assert response.status_code == 400
    assert response.json()["type"].endswith("malformed-body")


@refused_before_any_sql
async def test_a_yaml_bomb_is_refused_before_it_grows(client: httpx.AsyncClient):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    response = await client.post("/runs", content="\n".join(lines), headers=YAML)
    assert response.status_code == 400


@pytest.mark.parametrize(
    "kwargs",
    [
        "{odds: 1000000000000000000000000}",
        "{odds: !!binary aGVsbG8=}",
        "{label: 2020-01-01}",
        "{label: !!set {a, b}}",
        "{1: 2}",
        '{label: "\\x00"}',
        "{odds: .nan}",
        "{odds: -.inf}",
    ],
)
async def test_values_that_only_yaml_knows(client: httpx.AsyncClient, kwargs: str):
    content = f"agent: {{backend: baseline, model: random}}\nenvironment: {{name: Counting-v0, kwargs: {kwargs}}}"
    response = await client.post("/runs", content=content, headers=YAML)
    assert response.status_code in (202, 400, 422), response.text


@pytest.mark.parametrize(
    "request_body",
    [
        changed("agent", "model", to="a\x00b"),
        changed("experiment", "parent", to="a\x00b"),
        body(kwargs={"label": "\x00"}),
    ],
)
async def test_text_that_no_database_can_hold(client: httpx.AsyncClient, request_body: Json):
    response = await client.post("/runs", json=request_body)
    assert response.status_code in (202, 400, 422), response.text


@refused_before_any_sql
@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
async def test_another_content_type(client: httpx.AsyncClient, kind: str):
    response = await client.post("/runs", content="a: b", headers={"Content-Type": kind})
    assert response.status_code == 415
    assert response.json()["type"].endswith("unsupported-media-type")


@refused_before_any_sql
@pytest.mark.parametrize("kind", ["application/json", "application/yaml"])
async def test_a_body_that_is_too_large(client: httpx.AsyncClient, service: Service, kind: str):
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        for _ in range(10_000):
            sent += 1024
            yield b" " * 1024

    response = await client.post("/runs", content=endless(), headers={"Content-Type": kind})
    assert response.status_code == 413
    assert response.json()["type"].endswith("body-too-large")


@refused_before_any_sql
@pytest.mark.parametrize("length", [256, 400])
async def test_an_idempotency_key_that_is_too_long(client: httpx.AsyncClient, length: int):
    response = await client.post("/runs", json=body(), headers={"Idempotency-Key": "k" * length})
    assert response.status_code == 422
    assert "k" * 20 not in response.text


async def test_limits_are_those_of_the_settings(client: httpx.AsyncClient, service: Service):
    settings = service.settings
    for field, limit in (
        ("num_runs", settings.max_episodes),
        ("concurrency", settings.max_concurrency),
        ("max_steps", settings.max_episode_steps),
    ):
        at, beyond = [
            await client.post("/runs", json=body("Slow-v0", **{"num_runs": 1, field: value}))
            for value in (limit, limit + 1)
        ]
        assert at.status_code == 202
        assert beyond.status_code == 422
        await client.post(f"/runs/{at.json()['id']}/cancel")
