"""Sessions with real servers: the example clients, and what a kill leaves."""

import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.app.sessions.conftest import DEFINITION
from tests.conftest import Serve
from tests.processes import ROOT, Server
from tests.scripted_llm.fixtures import serving


def run_example(name: str, server: Server) -> list[str]:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / name, server.url],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def session_of(client: httpx.Client) -> dict[str, Any]:
    """The only session."""
    [session] = client.get("/sessions").json()["data"]
    return dict(session)


def test_the_example_with_an_agent_elsewhere(serve: Serve):
    server = serve()
    told = run_example("session_client.py", server)
    total = float(told[-1].removeprefix("total reward "))
    assert total == len(told) - 1 > 5
    with server.client() as client:
        session = session_of(client)
        assert session["status"] == "succeeded"
        steps = client.get(f"/sessions/{session['id']}/steps").json()["data"]
        assert [step["reward"] for step in steps] == [1.0] * int(total)
        assert steps[-1]["terminated"] or steps[-1]["truncated"]
        assert client.get(f"/sessions/{session['id']}/metrics").json()["total_rewards"] == [total]


def test_the_example_with_an_environment_elsewhere(serve: Serve):
    server = serve()
    [told] = run_example("play_session.py", server)
    total = float(told.removeprefix("total reward "))
    assert total > 100
    with server.client() as client:
        figures = client.get(f"/sessions/{session_of(client)['id']}/metrics").json()
        assert (figures["total_rewards"], figures["total_steps"]) == ([total], [int(total)])


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_sessions_go_on_where_their_server_stopped(serve: Serve, database_url: str, end: str):
    with serving() as llm:
        settings = {"database_url": database_url, "OPENAI_BASE_URL": llm.openai_url}
        server = serve(**settings)
        agent = {"backend": "baseline", "model": "random"}
        with server.client() as client:
            asked = client.post("/sessions", json={"agent": agent, "definition": DEFINITION}).json()["id"]
            played = client.post("/sessions", json={"environment": {"name": "Counting-v0"}}).json()["id"]
            first = client.post(f"/sessions/{asked}/act", json={"observation": 1, "request_id": "a"}).json()
            before = client.post(f"/sessions/{played}/step", json={"action": 2, "request_id": "a"}).json()
        getattr(server, end)()
        server.start()
        with server.client() as client:
            again = client.post(f"/sessions/{asked}/act", json={"observation": 1, "request_id": "a"})
            assert again.json() == first
            assert client.post(f"/sessions/{played}/step", json={"action": 2, "request_id": "a"}).json() == before
            assert client.post(f"/sessions/{asked}/act", json={"observation": 2, "reward": 1}).json()["step"] == 2
            assert client.get(f"/sessions/{played}").json()["observation"] == before["observation"]
            after = client.post(f"/sessions/{played}/step", json={"action": 1}).json()
            assert (after["step"], after["total_reward"], after["observation"]["count"]) == (2, 3.0, 2)
