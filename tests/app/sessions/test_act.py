"""Sessions whose agent lives here: decisions, the steps that are stored of them, and what is refused."""

from typing import Any

import httpx
import pytest

from gym_llm.backends import Question
from gym_llm.errors import LLMError
from tests.app.running import Json
from tests.app.sessions.conftest import DEFINITION, Serve
from tests.app.watching import read_events
from tests.fakes import answer

SEEN = {"distance": 1.32, "battery": 0.9}
PROBLEM = "urn:gym-llm:problem:"
refused_before_any_sql = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_session_from_its_begin_to_its_end(serve_here: Serve):
    served = await serve_here([answer(1, "Far."), answer(2, "Near."), answer(0, "There.")])
    made = await served.post("", agent={"backend": "openai", "model": "fake"}, definition=DEFINITION, seed=7)
    assert made.status_code == 201
    session = made.json()
    assert made.headers["location"] == f"/sessions/{session['id']}"
    assert (session["status"], session["seed"], session["ttl_s"]) == ("running", 7, 600)
    assert session["agent"]["model"] == "fake"
    assert session["definition"]["action_schema"] == DEFINITION["action_schema"]
    assert session["environment"] is None
    path = f"/{session['id']}"

    first = (await served.post(f"{path}/act", observation=SEEN)).json()
    assert {name: first[name] for name in ("episode", "step", "reflection", "action", "outcome", "decided")} == {
        "episode": 0, "step": 1, "reflection": "Far.", "action": 1, "outcome": "valid", "decided": True,
    }  # fmt: skip
    assert (first["prompt_tokens"], first["cached_tokens"], first["completion_tokens"]) == (10, 4, 2)
    assert (first["cost_usd"], first["attempts"]) == (0.5, 1)
    assert (await served.get(f"{path}/steps"))["data"][0]["reward"] is None
    second = (await served.post(f"{path}/act", observation=SEEN | {"distance": 0.5}, reward=-0.5)).json()
    assert (second["step"], second["action"]) == (2, 2)
    ended = await served.post(f"{path}/act", observation=SEEN, reward=2, terminated=True, success=True)
    assert (
        ended.json() | {"episode": 0, "step": 2, "action": None, "reflection": None, "decided": False} == ended.json()
    )
    again = (await served.post(f"{path}/act", observation=SEEN)).json()
    assert (again["episode"], again["step"], again["action"]) == (1, 1, 0)

    steps = (await served.get(f"{path}/steps"))["data"]
    assert [(s["id"], s["episode"], s["step"], s["action"], s["reward"], s["terminated"]) for s in steps] == [
        (1, 0, 1, 1, -0.5, False),
        (2, 0, 2, 2, 2.0, True),
        (3, 1, 1, 0, None, False),
    ]
    assert steps[0]["observation"] == SEEN
    episodes = (await served.get(f"{path}/episodes"))["data"]
    assert [(e["seed"], e["status"], e["total_reward"], e["num_steps"], e["success"]) for e in episodes] == [
        (7, "succeeded", 1.5, 2, True),
        (8, "running", 0.0, 1, None),
    ]
    assert await served.get(f"{path}/episodes/0") == episodes[0]
    assert await served.get(f"{path}/episodes/0/raw_outputs") == {
        "1": {"reflection": "Far.", "action": 1},
        "2": {"reflection": "Near.", "action": 2},
    }
    assert (await served.client.delete(f"/sessions{path}")).status_code == 204
    figures = await served.get(f"{path}/metrics")
    assert (figures["total_rewards"], figures["success_rate"], figures["decisions"]) == ([1.5], 1.0, 3)
    assert figures["episodes"] == {"succeeded": 1, "failed": 0, "cancelled": 1, "running": 0}
    assert (await served.get(path))["status"] == "succeeded"
    refused = await served.post(f"{path}/act", observation=SEEN)
    assert (refused.status_code, refused.json()["type"]) == (410, f"{PROBLEM}session-over")
    lines = await served.client.get(f"/sessions{path}/steps", headers={"Accept": "application/jsonl"})
    assert len(lines.text.splitlines()) == 3


async def test_the_stream_of_a_session(serve_here: Serve):
    served = await serve_here([answer(1), answer(1)])
    path = await served.with_agent()
    await served.post(f"{path}/act", observation=SEEN)
    await served.post(f"{path}/act", observation=SEEN, reward=1)
    await served.post(f"{path}/act", observation=SEEN, reward=1, truncated=True)
    await served.client.delete(f"/sessions{path}")
    events = read_events((await served.client.get(f"/sessions{path}/events")).text)
    assert [event.kind for event in events] == ["session", "step", "step", "episode", "session", "done"]
    assert events[3].data["total_reward"] == 2
    assert events[4].data | {"id": path[1:], "status": "succeeded"} == events[4].data
    resumed = await served.client.get(f"/sessions{path}/events", headers={"Last-Event-ID": "1"})
    assert [event.data["id"] for event in read_events(resumed.text) if event.kind == "step"] == [2]


@pytest.mark.parametrize(
    ("definition", "action", "told"),
    [
        (DEFINITION, 2, "- 2: Turn."),
        (DEFINITION | {"action_schema": {"-1": "Back.", "5": "Ahead."}}, -1, "- -1: Back."),
        (DEFINITION | {"action_schema": {"left": "To port.", "right": "To starboard."}}, "left", "- left: To port."),
        (
            {name: DEFINITION[name] for name in ("observation_schema", "goal_description")}
            | {"action_json_schema": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}},
            [0.5, -1.0],
            '"maxItems":2',
        ),
    ],
)
async def test_actions_of_every_kind(serve_here: Serve, definition: Json, action: Any, told: str):
    served = await serve_here([answer("wrong"), answer(action)])
    path = await served.with_agent(definition)
    given = (await served.post(f"{path}/act", observation=SEEN)).json()
    assert (given["action"], given["outcome"]) == (action, "repaired")
    assert (await served.get(f"{path}/steps"))["data"][0]["action"] == action
    system = served.backend.questions[0].messages[0]["content"]
    assert told in system
    assert DEFINITION["goal_description"] in system
    assert "to the wall, in m" in system


async def test_the_random_baseline_plays_any_definition(serve_here: Serve):
    served = await serve_here()
    path = await served.with_agent(backend="baseline", model="random")
    actions = [(await served.post(f"{path}/act", observation=SEEN)).json()["action"] for _ in range(10)]
    assert {*actions} <= {0, 1, 2}
    again = await served.with_agent(backend="baseline", model="random")
    assert [(await served.post(f"{again}/act", observation=SEEN)).json()["action"] for _ in range(10)] == actions


async def test_an_action_is_repeated_between_decisions(serve_here: Serve):
    served = await serve_here([answer(1), answer(2)])
    path = await served.with_agent(action_rate=2)
    given = [(await served.post(f"{path}/act", observation=SEEN)).json() for _ in range(3)]
    assert [(a["action"], a["decided"], a["attempts"]) for a in given] == [(1, True, 1), (1, False, 0), (2, True, 1)]
    assert len(served.backend.questions) == 2


async def test_reset_gives_an_episode_up(serve_here: Serve):
    served = await serve_here(lambda _: answer(1))
    path = await served.with_agent(seed=3)
    await served.post(f"{path}/act", observation=SEEN)
    begun = await served.client.post(f"/sessions{path}/reset")
    assert begun.json() == {"episode": 1, "seed": 4, "observation": None}
    assert (await served.post(f"{path}/reset", seed=99)).json()["seed"] == 99
    await served.post(f"{path}/act", observation=SEEN)
    question: Question = served.backend.questions[-1]
    assert (question.seed, len(question.messages)) == (99, 2)
    episodes = (await served.get(f"{path}/episodes"))["data"]
    assert [episode["status"] for episode in episodes] == ["cancelled", "cancelled", "running"]


async def test_without_an_answer_nothing_has_happened(serve_here: Serve):
    served = await serve_here(
        [answer(1), LLMError("openai: HTTP 500"), "nonsense", "nonsense", answer(2), LLMError("no"), answer(0)]
    )
    path = await served.with_agent(on_invalid="fail")
    await served.post(f"{path}/act", observation=SEEN)
    for _ in range(2):
        failed = await served.post(f"{path}/act", observation=SEEN, reward=1, request_id="second")
        assert (failed.status_code, failed.json()["type"], failed.json()["code"]) == (
            502,
            f"{PROBLEM}llm-error",
            "llm_error",
        )
        assert len((await served.get(f"{path}/steps"))["data"]) == 1
        assert (await served.get(f"{path}/episodes/0"))["total_reward"] == 0
    good = await served.post(f"{path}/act", observation=SEEN, reward=1, request_id="second")
    assert (good.status_code, good.json()["step"], good.json()["action"]) == (200, 2, 2)
    told = [question.messages for question in served.backend.questions]
    assert told[1] == told[2] == told[4]
    assert (await served.get(f"{path}/episodes/0"))["total_reward"] == 1
    other = await served.with_agent()
    assert (await served.post(f"{other}/act", observation=SEEN)).status_code == 502
    assert (await served.post(f"{other}/act", observation=SEEN)).json()["step"] == 1


@refused_before_any_sql
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"agent": None}, "agent"),
        ({"agent": "nobody"}, "agent"),
        ({"agent": {"backend": "openai", "history": 0}}, "agent.history"),
        ({"agent": {"backend": "baseline", "model": "heuristic"}}, "agent.model"),
        ({"definition": None}, "definition"),
        ({"environment": {"name": "Counting-v0"}}, "POST /runs"),
        ({"agent": None, "definition": None}, "environment"),
        ({"agent": None, "environment": {"name": "Counting-v0"}}, "definition"),
        ({"agent": None, "definition": None, "environment": {"name": "Nope-v0"}}, "environment.name"),
        (
            {"agent": None, "definition": None, "environment": {"name": "Counting-v0", "kwargs": {"length": "x"}}},
            "environment.kwargs.length",
        ),
        ({"definition": DEFINITION | {"observation_schema": {}}}, "definition.observation_schema"),
        ({"definition": DEFINITION | {"action_schema": {}}}, "definition.action_schema"),
        ({"definition": DEFINITION | {"action_json_schema": {}}}, "action_json_schema"),
        ({"definition": DEFINITION | {"action_schema": None, "action_json_schema": None}}, "action_json_schema"),
        (
            {"definition": DEFINITION | {"action_schema": None, "action_json_schema": {"type": "nothing"}}},
            "definition.action_json_schema",
        ),
        (
            {"definition": DEFINITION | {"action_schema": None, "action_json_schema": {"$ref": "http://example.org"}}},
            "definition.action_json_schema",
        ),
        ({"seed": -1}, "seed"),
        ({"ttl_s": 0}, "ttl_s"),
        ({"ttl_s": 1e9}, "ttl_s"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_what_is_no_session(client: httpx.AsyncClient, change: Json, field: str):
    agent = {"backend": "baseline", "model": "random"}
    request = {"agent": agent, "definition": DEFINITION} | change
    answered = await client.post(
        "/sessions", json={name: value for name, value in request.items() if value is not None}
    )
    assert answered.status_code == 422, answered.text
    assert field in answered.json()["detail"]
    assert (await client.get("/sessions")).json() == {"data": [], "has_more": False}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "observation"),
        ({"observation": SEEN, "reward": "much"}, 422, "reward"),
        ({"observation": SEEN, "reward": 1}, 422, "reward"),
        ({"observation": SEEN, "terminated": True}, 422, "terminated"),
        ({"observation": SEEN, "success": True}, 422, "success"),
        ({"observation": SEEN, "surprise": 1}, 422, "surprise"),
        ({"observation": SEEN, "request_id": ""}, 422, "request_id"),
        ({"observation": "a\x00b"}, 400, "NUL"),
        ({"observation": 2**70}, 200, ""),
    ],
)
async def test_what_is_no_observation(serve_here: Serve, body: Json, status: int, field: str):
    served = await serve_here(lambda _: answer(1))
    path = await served.with_agent()
    answered = await served.post(f"{path}/act", **body)
    assert answered.status_code == status, answered.text
    assert status == 200 or field in answered.json()["detail"]
    assert (await served.post(f"{path}/act", observation=SEEN)).status_code == 200


async def test_observations_are_finite_and_not_too_deep(serve_here: Serve):
    served = await serve_here(lambda _: answer(1))
    path = await served.with_agent()
    yaml = {"Content-Type": "application/yaml"}
    infinite = await served.client.post(f"/sessions{path}/act", content="observation: {x: .inf}", headers=yaml)
    assert (infinite.status_code, "observation.x" in infinite.json()["detail"]) == (422, True)
    deep = await served.client.post(f"/sessions{path}/act", content='{"observation":' + "[" * 1000 + "]" * 1000 + "}")
    assert deep.status_code in (400, 422)
    assert (await served.get(path))["progress"]["steps"] == 0


async def test_an_agent_does_not_step(serve_here: Serve):
    served = await serve_here()
    path = await served.with_agent()
    refused = await served.post(f"{path}/step", action=1)
    assert (refused.status_code, refused.json()["type"]) == (409, f"{PROBLEM}conflict")


async def test_an_episode_has_a_longest_length(serve_here: Serve):
    served = await serve_here(lambda _: answer(1), max_episode_steps=2)
    path = await served.with_agent()
    statuses = [(await served.post(f"{path}/act", observation=SEEN)).status_code for _ in range(3)]
    assert statuses == [200, 200, 409]
    await served.post(f"{path}/act", observation=SEEN, truncated=True)
    assert (await served.post(f"{path}/act", observation=SEEN)).json()["episode"] == 1
