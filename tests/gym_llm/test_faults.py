"""Whatever a language model's server does wrong at one step, the episode goes on and the step says so."""

from collections.abc import AsyncIterator

import gymnasium as gym
import pytest

import env_plugins  # noqa: F401 - registers the environments
from gym_llm import Agent, get_env_definition
from gym_llm.backends import Backend, OllamaBackend, OpenAIBackend
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import Step, play
from gym_llm.errors import LLMError
from tests.gym_llm.conftest import Note
from tests.scripted_llm.fixtures import Serving, scripted_llm  # noqa: F401 - a fixture

STEPS = 6
AT = 3
"""The step that is disturbed."""


@pytest.fixture(params=["openai", "ollama"])
async def backend(request: pytest.FixtureRequest, scripted_llm: Serving) -> AsyncIterator[Backend]:  # noqa: F811
    limits = {"backoff": 0.0, "timeout": 1.0, "attempts": 4}
    made: Backend = (
        OpenAIBackend(base_url=scripted_llm.openai_url, **limits)
        if request.param == "openai"
        else OllamaBackend(host=scripted_llm.url, **limits)
    )
    yield made
    await made.aclose()


async def episode(backend: Backend, **config: object) -> list[Step]:
    runner = await EnvRunner.make(lambda: gym.make("CartPoleLLM-v1"))
    try:
        agent = Agent({"model": "scripted", **config}, **get_env_definition(runner.env), backend=backend)
        return [step async for step in play(runner, agent, seed=5, max_steps=STEPS)]
    finally:
        await runner.close()


@pytest.mark.parametrize(
    ("fault", "outcome", "attempts", "problem"),
    [
        ("429", "valid", 2, "HTTP 429"),
        ("500", "valid", 2, "HTTP 500"),
        ("503:2", "valid", 3, "HTTP 503"),
        ("hang", "valid", 2, "no answer within 1 s"),
        ("drop", "valid", 2, "connection"),
        ("cut", "valid", 2, ""),
        ("garbage", "valid", 2, ""),
        ("refuse-temperature", "valid", 2, "without this temperature"),
        ("fenced", "valid", 1, None),
        ("invalid-json", "repaired", 2, "JSON"),
        ("out-of-range", "repaired", 2, "one of the integers 0 to 1"),
        ("length", "repaired", 2, "cut off by the token limit"),
        ("broken-off", "repaired", 2, "it was broken off before it ended"),
        ("empty", "repaired", 2, "it was empty"),
        ("thought-cut", "repaired", 2, "the token limit was spent on thinking"),
        ("declined", "repaired", 2, "it holds no JSON object"),
        ("invalid-json:always", "fallback", 2, "JSON"),
        ("out-of-range:always", "fallback", 2, "one of the integers 0 to 1"),
        ("length:always", "fallback", 2, "cut off by the token limit"),
        ("empty:always", "fallback", 2, "it was empty"),
    ],
)
async def test_no_fault_ends_the_episode_and_each_leaves_its_mark(
    scripted_llm: Serving,  # noqa: F811
    backend: Backend,
    fault: str,
    outcome: str,
    attempts: int,
    problem: str | None,
    note: Note,
) -> None:
    undisturbed = await episode(backend)
    scripted_llm.disturb(f"{AT}={fault}")
    steps = await episode(backend)
    marked = steps[AT - 1].decision
    went_on = "yes" if len(steps) == STEPS else "no"
    note(fault, backend.name, marked.outcome, marked.attempts, marked.problem, went_on)
    assert len(steps) == STEPS
    assert (marked.outcome, marked.attempts) == (outcome, attempts)
    if problem is None:
        assert marked.problem is None
    else:
        assert problem in (marked.problem or "")
    others = [step.decision for step in steps if step.step != AT]
    assert {(decision.outcome, decision.attempts) for decision in others} == {("valid", 1)}
    if outcome == "fallback":
        assert marked.action == steps[AT - 2].decision.action
        assert marked.reflection == ""
    else:
        assert [step.decision.action for step in steps] == [step.decision.action for step in undisturbed]


@pytest.mark.parametrize("fault", ["500:always", "401:always", "404:always", "hang:always"])
async def test_a_server_that_stays_broken_ends_the_episode_as_its_own_fault(
    scripted_llm: Serving,  # noqa: F811
    backend: Backend,
    fault: str,
    note: Note,
) -> None:
    scripted_llm.disturb(f"{AT}={fault}")
    with pytest.raises(LLMError) as caught:
        await episode(backend)
    asked = sum(count for (_, step), count in scripted_llm.llm.asked.items() if step == AT)
    note(fault, backend.name, None, asked, str(caught.value), "no: llm_error")


async def test_on_invalid_fail_ends_the_episode(scripted_llm: Serving, backend: Backend) -> None:  # noqa: F811
    scripted_llm.disturb(f"{AT}=empty:always")
    with pytest.raises(LLMError, match="no valid reply after one repair turn: it was empty"):
        await episode(backend, on_invalid="fail")
