"""Keys and cookies on a server as it is deployed: live streams, and what its log tells."""

import asyncio

import httpx
import pytest

from app.access import Role
from app.db import Database
from app.keys.service import KeyService, NewKey
from app.settings import Settings
from tests.app.running import body
from tests.app.watching import watch
from tests.conftest import Serve

ADMIN_KEY = "glm_" + "fedcba9876543210" * 4


def test_streams_follow_cookies_and_logs_keep_quiet(serve: Serve, database_url: str):
    server = serve(database_url=database_url, embedded_worker=True, admin_key=ADMIN_KEY, log_level="DEBUG")
    bearer = {"Authorization": f"Bearer {ADMIN_KEY}"}
    with server.client() as client:
        assert client.get("/runs").status_code == 401
        run = client.post("/runs", json=body("Slow-v0"), headers=bearer).json()["id"]
        assert client.get(f"/runs/{run}/events").status_code == 401
        client.post("/auth/session", headers=bearer).raise_for_status()
        token = client.cookies["gym_llm_session"]
        assert client.post("/runs", json=body()).status_code == 401
        assert client.get("/runs", headers={"Authorization": f"Bearer {ADMIN_KEY}0"}).status_code == 401
    events = list(watch(server, run, Cookie=f"gym_llm_session={token}"))
    assert events[-1].kind == "done"
    assert sum(event.kind == "step" for event in events) > 0
    server.terminate()
    log = server.log.read_text()
    assert "startup complete" in log
    assert ADMIN_KEY[4:] not in log
    assert token not in log


def test_a_weak_admin_key_stops_the_start_and_is_not_shown(serve: Serve):
    weak = "glm_weak-but-secret"
    with pytest.raises(AssertionError, match="at least 32") as told:
        serve(admin_key=weak)
    assert weak not in str(told.value)


def test_the_key_of_the_settings_works_after_a_restart(serve: Serve):
    server = serve(admin_key=ADMIN_KEY)
    server.terminate()
    server.start()
    answer = httpx.get(f"{server.url}/auth/session", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert answer.json()["role"] == "admin"


def test_an_open_stream_ends_when_its_key_is_revoked(serve: Serve, database_url: str):
    server = serve(database_url=database_url, embedded_worker=True, admin_key=ADMIN_KEY, ping_s=0.2)
    watching = asyncio.run(_make_key(database_url))
    with server.client() as client:
        admin = {"Authorization": f"Bearer {ADMIN_KEY}"}
        request = body("Slow-v0", {"length": 10_000, "seconds": 0.02})
        run = client.post("/runs", json=request, headers={"Authorization": f"Bearer {watching.key}"}).json()["id"]
        allowed, other = (
            client.stream("GET", f"/runs/{run}/events", headers=headers)
            for headers in ({"Authorization": f"Bearer {watching.key}"}, admin)
        )
        with allowed as first, other as second:
            lines, others = first.iter_lines(), second.iter_lines()
            assert next(line for line in lines if line.startswith("id: 5"))
            asyncio.run(_revoke(database_url, watching.row.prefix))
            assert "event: done" not in list(lines)
            assert next(line for line in others if line.startswith("id: "))
        assert client.post(f"/runs/{run}/cancel", headers=admin).status_code == 202


async def _make_key(database_url: str) -> NewKey:
    database = Database(Settings(database_url=database_url).database_url)
    try:
        return await KeyService(database).create("watcher", Role.USER)
    finally:
        await database.close()


async def _revoke(database_url: str, prefix: str) -> None:
    database = Database(Settings(database_url=database_url).database_url)
    try:
        await KeyService(database).revoke(prefix)
    finally:
        await database.close()
