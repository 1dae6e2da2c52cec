"""Every operation of the API reference, tried by all who must not."""

from typing import Any, NamedTuple

import httpx
import pytest

from app.access import Role
from app.bootstrap import Service
from app.main import create_app
from tests.app.keys.conftest import Headers, MakeKey
from tests.app.running import body, is_over, play, until

SECRET = "alice-her-secret"
OPEN = {"/livez", "/readyz"}
AGENT = {"backend": "baseline", "model": "random"}
HOSTED = {"environment": {"name": "Counting-v0", "kwargs": {"label": SECRET}}}
BODIES: dict[str, Any] = {
    "/runs": body(),
    "/runs/{run_id}/fork": {"step": 2},
    "/agents": {"name": "another", "agent": AGENT},
    "/agents/{name}": {"agent": AGENT},
    "/sessions": {"environment": {"name": "Counting-v0"}},
    "/sessions/{session_id}/act": {"observation": 1},
    "/sessions/{session_id}/step": {"action": 1},
}
OWNED = ("{run_id}", "{session_id}", "{name}")


class Operation(NamedTuple):
    method: str
    path: str
    documented: dict[str, Any]

    @property
    def writes(self) -> bool:
        return self.method != "GET"


class Alice(NamedTuple):
    """Somebody with things to hide."""

    headers: Headers
    ids: dict[str, Any]

    def url(self, operation: Operation) -> str:
        query = f"?with={self.ids['run_id']}" if operation.path.endswith("/diff") else ""
        return operation.path.format(**self.ids) + query


@pytest.fixture
def operations(service: Service) -> list[Operation]:
    paths = create_app(service=service).openapi()["paths"]
    return [Operation(method.upper(), path, of[method]) for path, of in paths.items() for method in of]


@pytest.fixture
async def alice(client: httpx.AsyncClient, make_key: MakeKey) -> Alice:
    headers = await make_key("alice")
    recorded = {"save_gif": True, "save_video": True, "name": SECRET}
    run = await play(client, body("Counting-v0", {"label": SECRET}, **recorded), **headers)
    session = await client.post("/sessions", json=HOSTED, headers=headers)
    ids = {"run_id": run["id"], "session_id": session.json()["id"], "name": SECRET, "episode": 0, "id": "Counting-v0"}
    await client.post(f"/sessions/{ids['session_id']}/step", json={"action": 1, "reflection": SECRET}, headers=headers)
    await client.delete(f"/sessions/{ids['session_id']}", headers=headers)
    await client.post("/agents", json=BODIES["/agents"] | {"name": SECRET}, headers=headers)
    return Alice(headers, ids)


async def ask(client: httpx.AsyncClient, operation: Operation, url: str, headers: Headers) -> httpx.Response:
    content = {"json": BODIES[operation.path]} if operation.writes and operation.path in BODIES else {}
    return await client.request(operation.method, url, headers=headers, **content)


def assert_tells_nothing(answer: httpx.Response, alice: Alice) -> None:
    assert SECRET not in answer.text
    assert alice.ids["run_id"] not in answer.text
    assert alice.ids["session_id"] not in answer.text


async def assert_untouched(client: httpx.AsyncClient, alice: Alice) -> None:
    for path in ("/runs", "/sessions", "/agents"):
        assert len((await client.get(path, headers=alice.headers)).json()["data"]) == 1


async def test_what_others_have_does_not_exist(
    client: httpx.AsyncClient, make_key: MakeKey, alice: Alice, operations: list[Operation]
):
    mallory = await make_key("mallory")
    viewer = await make_key("mallory", Role.VIEWER)
    tried = [operation for operation in operations if any(owned in operation.path for owned in OWNED)]
    assert len(tried) >= 28
    for operation in tried:
        for headers in (mallory, viewer):
            answer = await ask(client, operation, alice.url(operation), headers)
            assert answer.status_code == (403 if operation.writes and headers is viewer else 404), operation
            assert_tells_nothing(answer, alice)
        if not operation.writes:  # It would have been there to find.
            assert (await ask(client, operation, alice.url(operation), alice.headers)).status_code == 200, operation
    for accept in ("application/jsonl", "text/event-stream"):
        for path in ("/steps", "/events?after=1"):
            url = f"/runs/{alice.ids['run_id']}{path}"
            answer = await client.get(url, headers=mallory | {"Accept": accept, "Last-Event-ID": "1"})
            assert answer.status_code == 404
            assert_tells_nothing(answer, alice)
    for format in ("jsonl", "parquet", "minari", "openai"):
        url = f"/runs/{alice.ids['run_id']}/export?format={format}"
        assert (await client.get(url, headers=alice.headers)).status_code == 200
        assert (await client.get(url, headers=mallory)).status_code == 404
    for path in ("/runs", "/sessions", "/agents"):
        for params in ({}, {"after": alice.ids["run_id"]}, {"after": "ffffffff-ffff-ffff-ffff-ffffffffffff"}):
            assert (await client.get(path, params=params, headers=mallory)).json()["data"] == []
    await assert_untouched(client, alice)


async def test_nothing_works_without_a_good_key(
    client: httpx.AsyncClient, service: Service, make_key: MakeKey, alice: Alice, operations: list[Operation]
):
    revoked = await make_key("alice")
    await service.keys.revoke(revoked["Authorization"].removeprefix("Bearer ")[:12])
    for operation in operations:
        if operation.path in OPEN:
            continue
        for headers in ({}, revoked, {"Authorization": f"Bearer glm_{'f' * 64}"}):
            answer = await ask(client, operation, alice.url(operation), headers)
            assert answer.status_code == 401, operation
            assert answer.headers["www-authenticate"] == "Bearer"
            assert_tells_nothing(answer, alice)
    await assert_untouched(client, alice)


async def test_viewers_and_cookies_write_nothing(
    client: httpx.AsyncClient, make_key: MakeKey, alice: Alice, operations: list[Operation]
):
    viewer = await make_key("alice", Role.VIEWER)
    cookie = {"Cookie": (await client.post("/auth/session", headers=alice.headers)).headers["set-cookie"].split(";")[0]}
    client.cookies.clear()
    tried = [operation for operation in operations if operation.writes and operation.path != "/auth/session"]
    assert len(tried) >= 3
    for operation in tried:
        assert (await ask(client, operation, alice.url(operation), viewer)).status_code == 403, operation
        assert (await ask(client, operation, alice.url(operation), cookie)).status_code == 401, operation
    await assert_untouched(client, alice)


async def test_runs_of_others_can_not_be_compared_with(client: httpx.AsyncClient, make_key: MakeKey, alice: Alice):
    mallory = await make_key("mallory")
    own = await play(client, body(), **mallory)
    url = f"/runs/{own['id']}/diff?with="
    assert (await client.get(url + own["id"], headers=mallory)).status_code == 200
    answer = await client.get(url + alice.ids["run_id"], headers=mallory)
    assert answer.status_code == 404
    assert_tells_nothing(answer, alice)
    for format in ("json", "markdown", "html"):
        url = f"/compare?format={format}&run={own['id']}&run={alice.ids['run_id']}"
        answer = await client.get(url, headers=mallory)
        assert answer.status_code == 404
        assert_tells_nothing(answer, alice)
        answer = await client.get(url, headers=await make_key(f"ops-{format}", Role.ADMIN))
        assert answer.status_code == 200
        assert alice.ids["run_id"] in answer.text or format == "markdown"


async def test_imports_and_forks_belong_to_whoever_makes_them(
    client: httpx.AsyncClient, make_key: MakeKey, alice: Alice
):
    archive = (await client.get(f"/runs/{alice.ids['run_id']}/archive", headers=alice.headers)).content
    mallory = await make_key("mallory")
    brought = await client.post("/runs/import", content=archive, headers=mallory | {"Content-Type": "application/zip"})
    assert brought.status_code == 201
    assert (await client.get(f"/runs/{brought.json()['id']}", headers=alice.headers)).status_code == 404
    admin = await make_key("ops", Role.ADMIN)
    url = f"/runs/{alice.ids['run_id']}/fork"
    forked = (await client.post(url, json={"step": 2}, headers=admin)).json()
    assert (await client.get(f"/runs/{forked['id']}", headers=alice.headers)).status_code == 404
    client.headers.update(admin)
    await until(client, f"/runs/{forked['id']}", is_over)


async def test_what_others_are_playing_is_hidden_and_safe(client: httpx.AsyncClient, make_key: MakeKey):
    alice, mallory = await make_key("alice"), await make_key("mallory")
    run = (await client.post("/runs", json=body("Slow-v0", num_runs=20), headers=alice)).json()["id"]
    for method, path in (("POST", "/cancel"), ("DELETE", ""), ("GET", "/events"), ("GET", "/episodes/0/frame")):
        assert (await client.request(method, f"/runs/{run}{path}", headers=mallory)).status_code == 404
    assert (await client.get(f"/runs/{run}", headers=alice)).json()["status"] in ("queued", "running")
    admin = await make_key("ops", Role.ADMIN)
    assert (await client.post(f"/runs/{run}/cancel", headers=admin)).status_code == 202
    client.headers.update(alice)
    assert (await until(client, f"/runs/{run}", is_over))["status"] == "cancelled"


def test_the_reference_tells_what_is_needed(operations: list[Operation]):
    for operation in operations:
        needs = [name for need in operation.documented.get("security", []) for name in need]
        responses = operation.documented["responses"]
        if operation.path in OPEN:
            assert not needs
        elif operation.path == "/auth/session":
            assert "401" in responses
            assert needs == (["key"] if operation.method == "POST" else ["key", "session"])
        else:
            assert needs == (["key"] if operation.writes else ["key", "session"]), operation
            assert responses.keys() >= {"401", "403"}


def test_the_reference_tells_how_to_sign_in(service: Service):
    schemes = create_app(service=service).openapi()["components"]["securitySchemes"]
    assert schemes["key"] == schemes["key"] | {"type": "http", "scheme": "bearer"}
    assert schemes["session"] == schemes["session"] | {"type": "apiKey", "in": "cookie", "name": "gym_llm_session"}
