"""Signing in with a browser."""

from datetime import timedelta
from http.cookies import SimpleCookie

import httpx
import pytest

from app.access import Role
from app.bootstrap import Service
from tests.app.keys.conftest import MakeKey
from tests.app.running import body, play
from tests.app.watching import read_events

COOKIE = "gym_llm_session"


async def test_a_browser_signs_in_looks_and_signs_out(client: httpx.AsyncClient, make_key: MakeKey):
    alice = await make_key("alice")
    run = await play(client, body(save_gif=True), **alice)
    answer = await client.post("/auth/session", headers=alice)
    assert answer.json()["owner"] == "alice"
    assert answer.json()["role"] == "user"
    assert answer.json()["expires_at"] is not None
    assert answer.headers["cache-control"] == "no-store"
    assert alice["Authorization"].removeprefix("Bearer ") not in str(answer.headers) + answer.text
    for path in ("", "/events", "/steps", "/episodes/0/gif", "/episodes/0/frame", "/metrics", "/archive"):
        assert (await client.get(f"/runs/{run['id']}{path}")).status_code == 200, path
    assert read_events((await client.get(f"/runs/{run['id']}/events")).text)[-1].kind == "done"
    assert (await client.get("/auth/session")).json() == {"owner": "alice", "role": "user", "expires_at": None}
    token = client.cookies[COOKIE]
    signed_out = await client.delete("/auth/session")
    assert signed_out.status_code == 204
    assert COOKIE not in client.cookies
    assert (await client.get("/runs", headers={"Cookie": f"{COOKIE}={token}"})).status_code == 401


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_scripts_and_other_sites_cannot_use_the_cookie(client: httpx.AsyncClient, make_key: MakeKey, scheme: str):
    answer = await client.post(f"{scheme}://test/auth/session", headers=await make_key("alice"))
    cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"].lower() == "strict"
    assert cookie["path"] == "/"
    assert cookie["domain"] == ""
    assert bool(cookie["secure"]) is (scheme == "https")
    assert int(cookie["max-age"]) == 12 * 60 * 60


async def test_a_cookie_opens_no_session(client: httpx.AsyncClient, make_key: MakeKey):
    await client.post("/auth/session", headers=await make_key("alice"))
    assert (await client.get("/runs")).status_code == 200
    assert (await client.post("/auth/session")).status_code == 401
    assert (await client.post("/runs", json=body())).status_code == 401


async def test_a_session_is_good_as_long_as_its_key(client: httpx.AsyncClient, service: Service, make_key: MakeKey):
    alice = await make_key("alice", Role.VIEWER)
    assert (await client.post("/auth/session", headers=alice)).json()["role"] == "viewer"
    assert (await client.get("/runs")).status_code == 200
    await service.keys.revoke(alice["Authorization"].removeprefix("Bearer ")[:12])
    assert (await client.get("/runs")).status_code == 401
    assert (await client.delete("/auth/session")).status_code == 401


async def test_sessions_expire(client: httpx.AsyncClient, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch):
    alice = await make_key("alice")
    monkeypatch.setattr("app.keys.authenticator.SESSION_LIFETIME", timedelta(seconds=-1))
    await client.post("/auth/session", headers=alice)
    assert client.cookies[COOKIE]
    assert (await client.get("/runs")).status_code == 401


async def test_a_bad_key_is_not_made_up_for_by_a_cookie(client: httpx.AsyncClient, make_key: MakeKey):
    await client.post("/auth/session", headers=await make_key("alice"))
    assert (await client.get("/runs", headers={"Authorization": "Bearer glm_wrong"})).status_code == 401
