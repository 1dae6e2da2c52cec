"""Servers that die in the middle of runs, and what is left when they are back."""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from sqlalchemy import create_engine, select

from app.runs.models import Run
from tests.app.running import TERMINAL, body
from tests.conftest import Serve
from tests.processes import Server
from tests.scripted_llm.fixtures import Serving, serving

EPISODES = 3
EXACT = ("observation", "reflection", "action", "reward", "terminated", "truncated", "decided", "outcome")
TOLD = ("prompt_tokens", "completion_tokens")
"""Equal only where the model was told the same, history included."""


@pytest.fixture
def slow_llm() -> Iterator[Serving]:
    with serving(latency=0.1) as llm:
        yield llm


def start(client: httpx.Client, request: dict[str, Any]) -> str:
    return str(client.post("/runs", json=request).raise_for_status().json()["id"])


def run_of(client: httpx.Client, run_id: str) -> dict[str, Any]:
    return dict(client.get(f"/runs/{run_id}").raise_for_status().json())


def steps_of(client: httpx.Client, run_id: str) -> list[dict[str, Any]]:
    lines = client.get(f"/runs/{run_id}/steps", headers={"Accept": "application/jsonl"}).text.splitlines()
    return [orjson.loads(line) for line in lines]


def until_steps(server: Server, client: httpx.Client, run_id: str, steps: int) -> None:
    server.until(lambda: run_of(client, run_id)["progress"]["steps"] >= steps)


def until_over(server: Server, client: httpx.Client, run_id: str) -> dict[str, Any]:
    return server.until(lambda: run if (run := run_of(client, run_id))["status"] in TERMINAL else None)


def losses(database_url: str, run_id: str) -> int | None:
    """Workers that a run counts as lost."""
    scheme, _, rest = database_url.partition("://")
    engine = create_engine(f"{'postgresql+psycopg' if scheme == 'postgresql' else scheme}://{rest}")
    try:
        with engine.connect() as connection:
            return connection.scalar(select(Run.losses).where(Run.id == UUID(run_id)))
    finally:
        engine.dispose()


def outcome(client: httpx.Client, run_id: str) -> dict[str, Any]:
    """All of a run that must not depend on what happened to its server."""
    steps = steps_of(client, run_id)
    assert [step["id"] for step in steps] == list(range(1, len(steps) + 1))
    episodes = client.get(f"/runs/{run_id}/episodes").json()["data"]
    metrics = client.get(f"/runs/{run_id}/metrics").json()
    played = {(step["episode"], step["step"]): {name: step[name] for name in EXACT + TOLD} for step in steps}
    assert len(played) == len(steps)
    return {
        "steps": played,
        "episodes": [{**episode} for episode in episodes],
        "rewards": (metrics["total_rewards"], metrics["total_steps"]),
    }


@pytest.mark.parametrize(("end", "action_rate"), [("kill", 1), ("kill", 3), ("terminate", 1)])
def test_a_run_goes_on_where_its_server_died(
    serve: Serve, database_url: str, slow_llm: Serving, end: str, action_rate: int
):
    server = serve(database_url=database_url, OPENAI_BASE_URL=slow_llm.openai_url)
    request = body(
        "CartPoleLLM-v1", backend="openai", model="scripted", action_rate=action_rate, history=6,
        num_runs=EPISODES + 1, concurrency=EPISODES, max_steps=20, seed=11,
    )  # fmt: skip
    with server.client() as client:
        run_id = start(client, request)
        until_steps(server, client, run_id, 12)
    getattr(server, end)()
    asked_before = Counter(slow_llm.llm.asked)
    slow_llm.llm.latency = 2.0
    server.start()
    with server.client() as client:
        stored = {(11 + step["episode"], step["step"]) for step in steps_of(client, run_id) if step["decided"]}
        slow_llm.llm.latency = 0.0
        assert until_over(server, client, run_id)["status"] == "succeeded"
        asked = slow_llm.llm.asked
        # The call that was under way, and the one whose step was on its way to the disk.
        unstored = {call: count for call, count in asked_before.items() if call not in stored}
        assert sum(unstored.values()) <= 2 * EPISODES
        assert {call: asked[call] for call in stored} == dict.fromkeys(stored, 1)
        assert all(asked[call] <= 1 + unstored.get(call, 0) for call in asked)
        disturbed = outcome(client, run_id)
        assert len(disturbed["steps"]) == sum(disturbed["rewards"][1])
        undisturbed = start(client, request)
        until_over(server, client, undisturbed)
        assert outcome(client, undisturbed) == disturbed
    assert losses(database_url, run_id) == (1 if end == "kill" else 0)


def test_a_fast_run_is_killed(serve: Serve, database_url: str):
    server = serve(database_url=database_url)
    request = body("LunarLanderLLM-v3", num_runs=8, concurrency=4, seed=3)
    with server.client() as client:
        run_id = start(client, request)
        until_steps(server, client, run_id, 1)
    server.kill()
    server.start()
    with server.client() as client:
        assert until_over(server, client, run_id)["status"] == "succeeded"
        undisturbed = start(client, request)
        until_over(server, client, undisturbed)
        assert outcome(client, undisturbed) == outcome(client, run_id)


def test_a_run_that_takes_its_server_down_is_given_up(serve: Serve):
    server = serve()
    with server.client() as client:
        run_id = start(client, body("Deadly-v0", num_runs=2))
    for _ in range(3):
        server.until_gone()
        server.start()
    with server.client() as client:
        run = until_over(server, client, run_id)
        assert (run["status"], run["error"]["code"]) == ("failed", "worker_lost")
        assert run["progress"]["steps"] == 3
        assert client.post("/runs", json=body(), headers={"Prefer": "wait=30"}).json()["status"] == "succeeded"


def test_queued_and_cancelled_runs_survive_too(serve: Serve):
    server = serve(max_running_runs=1)
    with server.client() as client:
        first = start(client, body("Slow-v0", {"length": 30}))
        second, third = start(client, body()), start(client, body())
        until_steps(server, client, first, 2)
        client.post(f"/runs/{third}/cancel")
        server.kill()
    server.start()
    with server.client() as client:
        assert [until_over(server, client, run)["status"] for run in (first, second, third)] == [
            "succeeded",
            "succeeded",
            "cancelled",
        ]


def test_what_is_not_deterministic(serve: Serve):
    server = serve()
    with server.client() as client:
        lying = start(client, body("Random-v0", {"length": 30}))
        honest = start(client, body("HonestlyRandom-v0", {"length": 30}))
        for run_id in (lying, honest):
            until_steps(server, client, run_id, 4)
    server.kill()
    server.start()
    with server.client() as client:
        failed = until_over(server, client, lying)
        assert (failed["status"], failed["error"]["code"]) == ("failed", "env_error")
        assert "not deterministic" in failed["error"]["message"]
        assert "step 1" in failed["error"]["message"]
        assert until_over(server, client, honest)["status"] == "succeeded"
        steps = steps_of(client, honest)
        assert [step["step"] for step in steps] == list(range(1, 31))
        assert client.get(f"/runs/{honest}/metrics").json()["total_steps"] == [30]


def test_what_was_spent_before_a_server_died_counts(serve: Serve, database_url: str, slow_llm: Serving):
    server = serve(database_url=database_url, OPENAI_BASE_URL=slow_llm.openai_url)
    limit = 30_000
    request = body("CartPoleLLM-v1", backend="openai", model="scripted", history=2, max_total_tokens=limit)
    with server.client() as client:
        run_id = start(client, request)
        until_steps(server, client, run_id, 8)
    server.kill()
    server.start()
    with server.client() as client:
        run = until_over(server, client, run_id)
        assert (run["status"], run["error"]["code"]) == ("failed", "budget_exceeded")
        spent = [step["prompt_tokens"] + step["completion_tokens"] for step in steps_of(client, run_id)]
    assert sum(spent[:-1]) < limit <= sum(spent)
