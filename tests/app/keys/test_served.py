"""Keys and cookies on a server as it is deployed: live streams, and what its log tells."""

import httpx
import pytest

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
