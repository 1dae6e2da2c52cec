"""Who gets in, and what for."""

import asyncio

import httpx
import pytest

from app.access import Role
from app.bootstrap import Service
from app.main import create_app
from tests.app.keys.conftest import Headers, MakeKey
from tests.app.running import body, is_over, play, until

OPEN = ["/livez", "/readyz", "/docs", "/redoc", "/openapi.json", "/static-offline-docs/swagger-ui.css"]
GUARDED = ["/runs", "/environments", "/environments/Counting-v0", "/backends", "/auth/session"]
UNAUTHORIZED = "urn:gym-llm:problem:unauthorized"


async def test_without_keys_everybody_is_the_local_admin(client: httpx.AsyncClient):
    for path in OPEN + GUARDED:
        assert (await client.get(path)).status_code == 200
    run = await play(client, body())
    assert (await client.get(f"/runs/{run['id']}", headers={"Authorization": "Bearer whatever"})).status_code == 200
    assert (await client.get("/auth/session")).json() == {"owner": "local", "role": "admin", "expires_at": None}
    signed_in = await client.post("/auth/session")
    assert signed_in.json()["owner"] == "local"
    assert "set-cookie" not in signed_in.headers
    assert (await client.delete(f"/runs/{run['id']}")).status_code == 204


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_without_keys_pages_of_other_sites_change_nothing(client: httpx.AsyncClient, site: str):
    assert (await client.post("/runs", json=body(), headers={"Sec-Fetch-Site": site})).status_code == 403
    assert (await client.post("/runs", json=body(), headers={"Sec-Fetch-Site": "same-origin"})).status_code == 202
    assert len((await client.get("/runs")).json()["data"]) == 1


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
async def test_without_keys_this_machine_may_ask(client: httpx.AsyncClient, host: str):
    assert (await client.get("/runs", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("host", ["example.org", "localhost.example.org", "192.0.2.1:8000"])
async def test_without_keys_a_name_that_leads_here_is_refused(
    client: httpx.AsyncClient, service: Service, make_key: MakeKey, host: str
):
    for method, path in (("GET", "/runs"), ("POST", "/runs"), ("GET", "/backends")):
        refused = await client.request(method, path, json=body(), headers={"Host": host})
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:gym-llm:problem:forbidden")
    assert (await client.get("/livez", headers={"Host": host})).status_code == 200
    insecure = httpx.ASGITransport(create_app(service=service, insecure=True))
    async with httpx.AsyncClient(transport=insecure, base_url="http://localhost") as open_client:
        assert (await open_client.get("/runs", headers={"Host": host})).status_code == 200
    alice = await make_key("alice")
    assert (await client.get("/runs", headers={"Host": host} | alice)).status_code == 200


async def test_from_the_first_key_on_one_is_needed(client: httpx.AsyncClient, service: Service, make_key: MakeKey):
    assert (await client.get("/runs")).status_code == 200
    alice = await make_key("alice")
    for path in GUARDED:
        assert (await client.get(path, headers=alice)).status_code == 200
        refused = await client.get(path)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"] == UNAUTHORIZED
    for path in OPEN:
        assert (await client.get(path)).status_code == 200
    for key in await service.keys.list():
        await service.keys.revoke(str(key.id))
    assert (await client.get("/runs")).status_code == 401


async def test_all_that_is_wrong_with_a_key_looks_the_same(
    client: httpx.AsyncClient, service: Service, make_key: MakeKey
):
    good, revoked = await make_key("alice"), await make_key("bob")
    await service.keys.revoke(revoked["Authorization"].removeprefix("Bearer ")[:12])
    token = good["Authorization"].removeprefix("Bearer ")
    answers = {
        (answer.status_code, answer.headers["www-authenticate"], answer.content)
        for headers in (
            {},
            revoked,
            {"Authorization": f"Bearer glm_{'0' * 64}"},
            {"Authorization": f"Bearer {token[:-1]}"},
            {"Authorization": f"Bearer {token}0"},
            {"Authorization": f"Bearer {token.upper()}"},
            {"Authorization": f"Basic {token}"},
            {"Authorization": token},
            {"Authorization": "Bearer "},
            {"Authorization": "Bearer \xe9"},
            {"X-API-Key": token},
            {"Cookie": f"gym_llm_session={token}"},
        )
        for answer in [await client.get("/runs", headers=httpx.Headers(headers, encoding="latin-1"))]
    }
    assert len(answers) == 1
    assert (await client.get("/runs", params={"key": token, "api_key": token, "token": token})).status_code == 401
    assert (await client.get("/runs", headers={"Authorization": f"bearer {token}"})).status_code == 200


async def test_a_key_is_asked_for_before_the_body_is_looked_at(client: httpx.AsyncClient, make_key: MakeKey):
    viewer = await make_key("alice", Role.VIEWER)
    for headers, status in (({}, 401), (viewer, 403)):
        assert (await client.post("/runs", content=b"{", headers=headers)).status_code == status


async def test_viewers_look_at_the_runs_of_their_owner(client: httpx.AsyncClient, make_key: MakeKey):
    alice, viewer = await make_key("alice"), await make_key("alice", Role.VIEWER)
    run = await play(client, body(), **alice)
    assert (await client.get(f"/runs/{run['id']}", headers=viewer)).json() == run
    assert (await client.post("/runs", json=body(), headers=viewer)).status_code == 403
    assert (await client.delete(f"/runs/{run['id']}", headers=viewer)).status_code == 403
    assert (await client.get(f"/runs/{run['id']}", headers=viewer)).json() == run


async def test_keys_of_one_owner_share_runs_and_admins_see_all(client: httpx.AsyncClient, make_key: MakeKey):
    alice, phone, bob = await make_key("alice"), await make_key("alice"), await make_key("bob")
    admin = await make_key("ops", Role.ADMIN)
    ids = [(await play(client, body(), **who))["id"] for who in (alice, phone, bob, admin)]

    async def seen(who: Headers) -> list[str]:
        return [run["id"] for run in (await client.get("/runs", headers=who)).json()["data"]][::-1]

    assert await seen(alice) == await seen(phone) == ids[:2]
    assert await seen(bob) == ids[2:3]
    assert await seen(admin) == ids
    assert (await client.delete(f"/runs/{ids[2]}", headers=admin)).status_code == 204
    assert await seen(bob) == []


async def test_an_idempotency_key_belongs_to_its_owner(client: httpx.AsyncClient, make_key: MakeKey):
    alice, phone, bob = await make_key("alice"), await make_key("alice"), await make_key("bob")
    once = {"Idempotency-Key": "once"}
    ids = [(await client.post("/runs", json=body(), headers=who | once)).json()["id"] for who in (alice, phone, bob)]
    assert ids[0] == ids[1] != ids[2]


async def test_an_owner_has_so_many_active_runs_at_most(client: httpx.AsyncClient, make_key: MakeKey):
    alice, bob = await make_key("alice"), await make_key("bob")
    slow = body("Slow-v0", num_runs=50)
    answers = await asyncio.gather(*(client.post("/runs", json=slow, headers=alice) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 5
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["type"] == "urn:gym-llm:problem:too-many-runs"
    assert "3 runs" in refused.json()["detail"]
    assert (await client.post("/runs", json=slow, headers=bob)).status_code == 202
    run = next(answer.json()["id"] for answer in answers if answer.status_code == 202)
    await client.post(f"/runs/{run}/cancel", headers=alice)
    client.headers.update(alice)
    await until(client, f"/runs/{run}", is_over)
    assert (await client.post("/runs", json=slow, headers=alice)).status_code == 202
