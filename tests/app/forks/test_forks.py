"""Forks: what they keep, what they change, what they cost, and how they differ from their parents."""

from typing import Any

import httpx
import pytest

from app.bootstrap import Service
from gym_llm.backends import Question
from tests.app.running import Json, all_steps, body, is_over, play, until
from tests.fakes import FakeBackend, answer, obedient


async def fork(client: httpx.AsyncClient, run: Json, **request: Any) -> Json:
    response = await client.post(f"/runs/{run['id']}/fork", json=request)
    assert response.status_code == 202, response.text
    assert response.headers["location"] == f"/runs/{response.json()['id']}"
    forked = await until(client, f"/runs/{response.json()['id']}", is_over)
    assert forked["status"] == "succeeded", forked
    return forked


PLAYED = ("observation", "reflection", "action", "reward", "terminated", "truncated", "decided", "outcome")
COSTS = ("attempts", "latency_ms", "prompt_tokens", "cached_tokens", "completion_tokens", "cost_usd")


def played(steps: list[Json]) -> list[Json]:
    return [{name: step[name] for name in PLAYED} for step in steps]


async def test_a_fork_keeps_the_steps_before_and_decides_from_there_on(client: httpx.AsyncClient, service: Service):
    backend = FakeBackend(lambda question: answer(2, f"{question.agent.model} at {question.step}"))
    service.backends["ollama"] = backend
    parent = await play(client, body(backend="ollama", model="first", num_runs=2, seed=5, save_gif=True))
    asked = len(backend.questions)
    forked = await fork(client, parent, episode=1, step=3, agent={"model": "second", "temperature": 0.5})
    assert forked["parent"] == {"run_id": parent["id"], "episode": 1, "step": 3}
    assert forked["agent"] == {**parent["agent"], "model": "second", "temperature": 0.5}
    assert (forked["experiment"]["seed"], forked["experiment"]["num_runs"]) == (6, 1)
    steps = await all_steps(client, forked["id"])
    before = [step for step in await all_steps(client, parent["id"]) if step["episode"] == 1]
    assert played(steps[:2]) == played(before[:2])
    assert [step["inherited"] for step in steps] == [True, True, False, False, False]
    assert [step["reflection"] for step in steps[2:]] == [f"second at {step}" for step in (3, 4, 5)]
    assert [step["id"] for step in steps] == [1, 2, 3, 4, 5]
    # The new agent knows what the old one thought, and was not asked for it.
    assert [question.step for question in backend.questions[asked:]] == [3, 4, 5]
    assert "first at 2" in str(backend.questions[asked].messages)
    # Each decision is paid for once.
    assert all(step[cost] == 0 for step in steps[:2] for cost in COSTS)
    metrics = (await client.get(f"/runs/{forked['id']}/metrics")).json()
    assert (metrics["decisions"], metrics["attempts"], metrics["cost_usd"], metrics["prompt_tokens"]) == (3, 3, 1.5, 30)
    assert metrics["total_rewards"] == [10.0]
    assert metrics["total_steps"] == [5]
    # Everything else is there as for any run.
    assert (await client.get(f"/runs/{forked['id']}/episodes/0/gif")).status_code == 200
    stream = (await client.get(f"/runs/{forked['id']}/events")).text
    assert stream.count("event: step") == 5
    assert (await client.delete(f"/runs/{parent['id']}")).status_code == 204
    assert await all_steps(client, forked["id"]) == steps
    for format in ("jsonl", "minari", "openai"):
        assert (await client.get(f"/runs/{forked['id']}/export", params={"format": format})).status_code == 200


async def test_a_fork_without_changes_plays_the_same_again(client: httpx.AsyncClient):
    parent = await play(client, body("CartPoleLLM-v1", model="random", action_rate=2, history=4))
    forked = await fork(client, parent, step=6)
    assert played(await all_steps(client, forked["id"])) == played(await all_steps(client, parent["id"]))
    same = (await client.get(f"/runs/{forked['id']}/diff", params={"with": parent["id"]})).json()
    assert (same["first_difference"], same["differs"], same["first_other_action"]) == (None, [], None)
    assert same["run"]["total_reward"] == same["other"]["total_reward"] > 0
    assert same["run"]["reward_from_there"] == 0
    other_luck = await fork(client, parent, step=1, agent={"sampling_seed": 1})
    diff = (await client.get(f"/runs/{other_luck['id']}/diff", params={"with": parent["id"]})).json()
    assert diff["first_other_action"] is not None


async def test_the_difference_of_a_fork_and_its_parent(client: httpx.AsyncClient, service: Service):
    def reply(question: Question) -> str:
        other = question.agent.model == "second"
        return answer(0 if other and question.step >= 4 else 2, "Otherwise." if other else "Because.")

    service.backends["ollama"] = FakeBackend(reply)
    parent = await play(client, body(backend="ollama", model="first", num_runs=2))
    forked = await fork(client, parent, episode=1, step=3, agent={"model": "second"})
    diff = (await client.get(f"/runs/{forked['id']}/diff", params={"with": parent["id"]})).json()
    assert (diff["first_difference"], diff["differs"], diff["first_other_action"]) == (3, ["reflection"], 4)
    run, other = diff["run"], diff["other"]
    assert (run["run_id"], run["episode"], other["run_id"], other["episode"]) == (forked["id"], 0, parent["id"], 1)
    assert (run["step"]["reflection"], other["step"]["reflection"]) == ("Otherwise.", "Because.")
    assert (run["total_reward"], other["total_reward"]) == (6.0, 10.0)
    assert (run["reward_from_there"], other["reward_from_there"]) == (2.0, 6.0)
    mirrored = (await client.get(f"/runs/{parent['id']}/diff", params={"with": forked["id"]})).json()
    assert (mirrored["run"], mirrored["other"]) == (other, run)
    # Any two runs can be compared; here one of them is shorter.
    short = await play(client, body(kwargs={"length": 2}, backend="ollama", model="first"))
    diff = (await client.get(f"/runs/{parent['id']}/diff", params={"with": short["id"]})).json()
    assert (diff["first_difference"], diff["run"]["reward_from_there"], diff["other"]["step"]) == (3, 6.0, None)
    assert diff["differs"] == ["length"]


async def test_a_fork_may_decide_less_often(client: httpx.AsyncClient, service: Service):
    backend = FakeBackend(lambda question: answer(question.step % 3))
    service.backends["ollama"] = backend
    parent = await play(client, body(backend="ollama", model="m"))
    forked = await fork(client, parent, step=3, agent={"action_rate": 3})
    steps = await all_steps(client, forked["id"])
    assert [step["decided"] for step in steps] == [True, True, False, True, False]
    assert steps[2]["action"] == steps[1]["action"] == 2


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"step": 6}, "step: episode 0 can be forked at the steps 1 to 5."),
        ({"step": 0}, "step"),
        ({}, "step"),
        ({"step": 2, "agent": {"temperature": 9}}, "agent.temperature"),
        ({"step": 2, "agent": {"modle": "x"}}, "agent.modle"),
        ({"step": 2, "agent": {"action_rate": 11}}, "action_rate must be less than or equal to history"),
        ({"step": 2, "seed": 1}, "seed"),
    ],
)
async def test_bad_requests_are_told_what_is_wrong(client: httpx.AsyncClient, request_: Json, told: str):
    run = await play(client, body())
    response = await client.post(f"/runs/{run['id']}/fork", json=request_)
    assert response.status_code == 422
    assert told in response.json()["detail"]
    assert len((await client.get("/runs")).json()["data"]) == 1


async def test_what_can_not_be_forked(client: httpx.AsyncClient):
    run = await play(client, body("HonestlyRandom-v0", {"length": 3, "seconds": 0}))
    response = await client.post(f"/runs/{run['id']}/fork", json={"step": 2})
    assert (response.status_code, "nondeterministic" in response.json()["detail"]) == (409, True)
    assert (await client.post(f"/runs/{run['id']}/fork", json={"step": 1, "episode": 4})).status_code == 404
    for query in ({"with": run["id"], "episode": 3}, {"with": "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f"}):
        assert (await client.get(f"/runs/{run['id']}/diff", params=query)).status_code == 404


async def test_the_same_key_gives_the_same_fork(client: httpx.AsyncClient):
    run = await play(client, body())
    path, headers = f"/runs/{run['id']}/fork", {"Idempotency-Key": "k"}
    first = await client.post(path, json={"step": 2}, headers=headers)
    again = await client.post(path, json={"step": 2}, headers=headers)
    assert first.json()["id"] == again.json()["id"]
    other = await client.post(path, json={"step": 3}, headers=headers)
    assert other.json()["type"].endswith("idempotency-mismatch")


@pytest.mark.parametrize("step", [1, 3])
async def test_a_fork_knows_what_its_parent_knew(client: httpx.AsyncClient, service: Service, step: int):
    backend = FakeBackend(obedient)
    service.backends["ollama"] = backend
    parent = await play(client, body(backend="ollama", model="m", history=1, strategy="memory", num_runs=2))
    asked = len(backend.questions)
    forked = await fork(client, parent, episode=1, step=step)
    _, before = (await client.get(f"/runs/{parent['id']}/episodes")).json()["data"]
    (after,) = (await client.get(f"/runs/{forked['id']}/episodes")).json()["data"]
    assert before["lessons_before"]
    assert after["lessons_before"] == before["lessons_before"]
    again = [q.messages for q in backend.questions[:asked] if q.seed == before["seed"] and q.step >= step]
    assert [question.messages for question in backend.questions[asked:]] == again
    notes = [row["notes"] for row in await all_steps(client, parent["id"]) if row["episode"] == 1]
    assert any(notes)
    assert [row["notes"] for row in await all_steps(client, forked["id"])] == notes


async def test_inherited_steps_leave_the_budget_alone(client: httpx.AsyncClient, service: Service):
    service.backends["ollama"] = FakeBackend(obedient)  # Each answer takes 12 tokens.
    parent = await play(client, body(backend="ollama", model="m", max_total_tokens=60))
    assert parent["status"] == "succeeded"
    await fork(client, parent, step=2)


async def test_a_failed_episode_goes_on_where_it_failed(client: httpx.AsyncClient, service: Service):
    def reply(question: Question) -> Any:
        if question.step == 4 and question.agent.model == "weak":
            return "nonsense"
        return answer(1)

    service.backends["ollama"] = FakeBackend(reply)
    failed = await play(client, body(backend="ollama", model="weak", on_invalid="fail"))
    assert failed["error"]["code"] == "llm_error"
    forked = await fork(client, failed, step=4, agent={"model": "strong"})
    assert [step["inherited"] for step in await all_steps(client, forked["id"])] == [True] * 3 + [False] * 2
