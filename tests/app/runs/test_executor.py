"""Runs that go wrong, each in its own way: what is told of them, and what is not scored."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from app.bootstrap import build
from app.main import create_app
from app.settings import Settings
from gym_llm.backends import BaselineBackend, Reply
from gym_llm.errors import LLMError
from tests.app.running import Json, all_steps, body, play
from tests.fakes import FakeBackend, answer

Served = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def answering(settings: Settings) -> AsyncIterator[Served]:
    """A client of a service whose backend `openai` gives the answers that it is told."""
    async with AsyncExitStack() as stack:

        async def start(answers: Any) -> httpx.AsyncClient:
            backends = {"openai": FakeBackend(answers), "baseline": BaselineBackend()}
            service = build(settings, backends)
            await stack.enter_async_context(service.running())
            transport = httpx.ASGITransport(create_app(service=service))
            return await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=90)
            )

        yield start


def asked(**fields: Any) -> Json:
    return body(backend="openai", model="fake", **fields)


@pytest.mark.parametrize(
    ("way", "at", "words"),
    [
        ("raise", 3, "step 3 failed: RuntimeError: the gear broke"),
        ("raise", 0, "reset failed: RuntimeError: stuck"),
        ("nan", 2, "step 2: observation.noise"),
        ("nan reward", 2, "step 2: the reward is nan"),
        ("out of space", 4, "step 4: observation.noise"),
        ("make", 0, "cannot be made: RuntimeError: no display"),
    ],
)
async def test_a_failing_environment(client: httpx.AsyncClient, way: str, at: int, words: str):
    run = await play(client, body("Failing-v0", {"way": way, "at": at}, num_runs=2))
    assert run["status"] == "failed"
    assert run["error"]["code"] == "env_error"
    assert words in run["error"]["message"]
    assert run["error"]["episode"] == 0
    episodes = (await client.get(f"/runs/{run['id']}/episodes")).json()["data"]
    assert [episode["status"] for episode in episodes] == ["failed", "failed"]
    assert words in episodes[1]["error"]["message"]
    assert len(await all_steps(client, run["id"])) == 2 * max(0, at - 1)


async def test_one_failing_seed_is_counted_and_not_scored(client: httpx.AsyncClient):
    run = await play(client, body("Failing-v0", {"at": 4, "seed": 6}, num_runs=4, seed=5, concurrency=2))
    assert (run["status"], run["error"]["code"], run["error"]["episode"]) == ("failed", "env_error", 1)
    figures = (await client.get(f"/runs/{run['id']}/metrics")).json()
    assert figures["episodes"] == {"succeeded": 3, "failed": 1, "cancelled": 0, "running": 0}
    assert figures["total_rewards"] == [12.0] * 3
    assert figures["avg_reward"] == 12.0
    assert run["progress"]["episodes_done"] == 4


async def test_no_answer_ends_the_run(answering: Served):
    client = await answering([answer(1), LLMError("openai: HTTP 500"), *[answer(1)] * 50])
    run = await play(client, asked(num_runs=3))
    assert (run["status"], run["error"]["code"]) == ("failed", "llm_error")
    assert run["progress"]["steps"] == 1
    episodes = (await client.get(f"/runs/{run['id']}/episodes")).json()["data"]
    assert [episode["status"] for episode in episodes] == ["failed"]


@pytest.mark.parametrize(
    ("on_invalid", "status", "action"),
    [("fail", "failed", None), ("repeat", "succeeded", 1), ("random", "succeeded", None)],
)
async def test_invalid_replies(answering: Served, on_invalid: str, status: str, action: int | None):
    client = await answering(lambda _: "I do not know")
    run = await play(client, asked(on_invalid=on_invalid, kwargs={"length": 2}))
    assert run["status"] == status
    steps = await all_steps(client, run["id"])
    if status == "failed":
        assert run["error"]["code"] == "llm_error"
        assert steps == []
        return
    assert {step["outcome"] for step in steps} == {"fallback"}
    assert {step["attempts"] for step in steps} == {2}
    assert all(step["problem"] for step in steps)
    assert action is None or {step["action"] for step in steps} == {action}
    figures = (await client.get(f"/runs/{run['id']}/metrics")).json()
    assert (figures["fallback"], figures["invalid_action_rate"]) == (2, 1.0)


@pytest.mark.parametrize(
    "reply",
    [
        '\x00{"reflection": "a\\u0000b", "action": 1}\x00',
        '{"reflection": "half an emoji: \\ud83d", "action": 1}',
        '{"reflection": "\\udc00 \\ud83d\\ude00", "action": 1} \\ud800',
        '{"reflection": "x", "action": "\\u0000"}',
        '{"reflection": "x", "action": "\\ud800"}',
        '{"reflection": "x", "\\u0000": 1}',
        "\ud800",
    ],
)
async def test_text_that_no_database_can_hold(answering: Served, reply: str):
    client = await answering(lambda _: reply)
    run = await play(client, asked(kwargs={"length": 2}))
    assert run["status"] == "succeeded", run["error"]
    assert len(await all_steps(client, run["id"])) == 2
    other = await play(client, body())
    assert other["status"] == "succeeded"


async def test_what_cannot_be_configured(client: httpx.AsyncClient):
    for request in (body("Mute-v0"), body(model="genius")):
        run = await play(client, request)
        assert (run["status"], run["error"]["code"]) == ("failed", "invalid_config")
        assert "agent.model" in run["error"]["message"]
    blind = await play(client, body("Blind-v0", model="random"))
    assert (blind["status"], blind["error"]["code"]) == ("failed", "env_error")


async def test_out_of_time(client: httpx.AsyncClient):
    run = await play(client, body("Slow-v0", {"length": 1000}, num_runs=2, timeout_s=0.5))
    assert (run["status"], run["error"]["code"]) == ("failed", "timeout")
    assert 0 < run["progress"]["steps"] < 1000
    episodes = (await client.get(f"/runs/{run['id']}/episodes")).json()["data"]
    assert [episode["status"] for episode in episodes] == ["cancelled"]


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"max_total_tokens": 7 * 12}, "max_total_tokens is 84, and 84 are used"),
        ({"max_cost_usd": 3.3}, "max_cost_usd is 3.3, and 3.5 are spent"),
    ],
)
async def test_out_of_budget(answering: Served, limit: Json, message: str):
    client = await answering(lambda _: answer(1))  # 12 tokens and 0.5 USD each
    run = await play(client, asked(num_runs=3, save_gif=True, **limit))
    assert (run["status"], run["error"]) == (
        "failed",
        {"code": "budget_exceeded", "message": message, "episode": None},
    )
    assert run["progress"] == {"episodes_done": 1, "steps": 7}
    episodes = (await client.get(f"/runs/{run['id']}/episodes")).json()["data"]
    assert [episode["status"] for episode in episodes] == ["succeeded", "cancelled"]
    figures = (await client.get(f"/runs/{run['id']}/metrics")).json()
    assert figures["total_rewards"] == [5.0]
    assert (figures["prompt_tokens"], figures["completion_tokens"]) == (70, 14)
    gif = await client.get(f"/runs/{run['id']}/episodes/0/gif")
    assert gif.content.startswith(b"GIF")


async def test_a_cost_that_is_not_known_is_not_spent(answering: Served):
    client = await answering(lambda _: Reply(answer(1)))
    run = await play(client, asked(max_cost_usd=100, concurrency=2, num_runs=2))
    assert (run["status"], run["error"]["code"]) == ("failed", "budget_exceeded")
    assert "the price of this model is not known" in run["error"]["message"]
    assert run["progress"]["steps"] <= 2


async def test_our_own_failure_is_internal_and_tells_nothing(answering: Served):
    client = await answering([answer(1), ZeroDivisionError("sk-a-secret")])
    run = await play(client, asked())
    assert (run["status"], run["error"]["code"]) == ("failed", "internal")
    assert "sk-a-secret" not in str(run)


async def test_costs_and_tokens_are_summed(answering: Served):
    client = await answering([answer(1), "nonsense", Reply(answer(2)), *[answer(0)] * 3])
    run = await play(client, asked())
    steps = await all_steps(client, run["id"])
    assert [step["action"] for step in steps] == [1, 2, 0, 0, 0]
    assert [step["outcome"] for step in steps] == ["valid", "repaired", "valid", "valid", "valid"]
    figures = (await client.get(f"/runs/{run['id']}/metrics")).json()
    assert figures["total_rewards"] == [3.0]
    assert figures["attempts"] == sum(step["attempts"] for step in steps) == 6
    for kind in ("prompt_tokens", "cached_tokens", "completion_tokens"):
        assert figures[kind] == sum(step[kind] for step in steps)
    assert figures["cost_usd"] is None
    assert [step["cost_usd"] for step in steps] == [0.5, None, 0.5, 0.5, 0.5]
    latencies = [step["latency_ms"] for step in steps]
    assert figures["max_latency_ms"] == max(latencies)
    assert figures["mean_latency_ms"] == pytest.approx(sum(latencies) / 5)


async def test_max_steps_truncates(client: httpx.AsyncClient):
    run = await play(client, body("Counting-v0", {"length": 50}, max_steps=7))
    episode = (await client.get(f"/runs/{run['id']}/episodes/0")).json()
    assert (episode["num_steps"], episode["terminated"], episode["truncated"]) == (7, False, True)


async def test_success_is_told_where_it_is_known(client: httpx.AsyncClient):
    run = await play(client, body("CartPoleLLM-v1", model="random"))
    assert (await client.get(f"/runs/{run['id']}/episodes/0")).json()["success"] is False
    assert (await client.get(f"/runs/{run['id']}/metrics")).json()["success_rate"] == 0.0
