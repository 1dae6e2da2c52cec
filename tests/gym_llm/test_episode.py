"""The step loop, fresh and taken up again."""

from collections.abc import AsyncIterator
from typing import Any

import gymnasium as gym
import pytest

import env_plugins  # noqa: F401 - registers the lander
from gym_llm import Agent
from gym_llm.backends import BaselineBackend
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import PastStep, Step, play
from gym_llm.errors import EnvError, LLMError
from tests.fakes import CountingEnv, FakeBackend, answer


@pytest.fixture
async def env() -> AsyncIterator[EnvRunner]:
    runner = await EnvRunner.make(CountingEnv)
    yield runner
    await runner.close()


def agent_for(env: EnvRunner, backend: Any, **config: Any) -> Agent:
    return Agent(config, **env.definition, backend=backend)


def past(steps: list[Step]) -> list[PastStep]:
    return [PastStep(step.digest, step.decision, step.reward) for step in steps]


async def test_steps_tell_what_was_seen_decided_and_earned(env: EnvRunner) -> None:
    agent = agent_for(env, FakeBackend(answer(n % 3) for n in range(5)))
    steps = [step async for step in play(env, agent, seed=7, episode=2)]
    assert [step.step for step in steps] == [1, 2, 3, 4, 5]
    assert [step.observation["count"] for step in steps] == [0, 1, 2, 3, 4]
    assert [step.next_observation["count"] for step in steps] == [1, 2, 3, 4, 5]
    assert [step.reward for step in steps] == [0.0, 1.0, 2.0, 0.0, 1.0]
    assert steps[-1].total_reward == 4.0
    assert [step.last for step in steps] == [False] * 4 + [True]
    assert {step.episode for step in steps} == {2}
    assert steps[-1].success is None  # the environment does not say what success is


async def test_max_steps_truncates(env: EnvRunner) -> None:
    agent = agent_for(env, FakeBackend(lambda _: answer(0)))
    steps = [step async for step in play(env, agent, seed=0, max_steps=3)]
    assert (len(steps), steps[-1].truncated, steps[-1].terminated) == (3, True, False)


async def test_an_interrupted_episode_goes_on_as_if_nothing_had_happened(env: EnvRunner) -> None:
    undisturbed = FakeBackend(answer(n % 3) for n in range(5))
    whole = [step async for step in play(env, agent_for(env, undisturbed), seed=7)]
    resumed = FakeBackend(answer(n % 3) for n in range(3, 5))
    steps = [step async for step in play(env, agent_for(env, resumed), seed=7, past=past(whole[:3]))]
    assert [step.replayed for step in steps] == [True, True, True, False, False]
    assert [question.messages for question in resumed.questions] == [q.messages for q in undisturbed.questions[3:]]
    for before, after in zip(whole, steps, strict=True):
        assert (before.digest, before.reward, before.decision.action) == (
            after.digest,
            after.reward,
            after.decision.action,
        )


async def test_an_environment_that_does_not_repeat_itself_is_found_out(env: EnvRunner) -> None:
    agent = agent_for(env, FakeBackend(lambda _: answer(1)))
    whole = [step async for step in play(env, agent, seed=7)]
    with pytest.raises(EnvError, match="step 1: not deterministic: its observation"):
        _ = [step async for step in play(env, agent, seed=8, past=past(whole[:2]))]
    wrong_reward = PastStep(whole[0].digest, whole[0].decision, 99.0)
    with pytest.raises(EnvError, match="step 1: not deterministic: its reward"):
        _ = [step async for step in play(env, agent, seed=7, past=[wrong_reward])]


async def test_a_failing_backend_ends_the_episode(env: EnvRunner) -> None:
    agent = agent_for(env, FakeBackend([answer(1), LLMError("gone")]))
    seen: list[int] = []

    async def watch() -> None:
        async for step in play(env, agent, seed=0):
            seen.append(step.step)

    with pytest.raises(LLMError, match="gone"):
        await watch()
    assert seen == [1]


async def test_success_is_the_environments_own_verdict_or_its_threshold() -> None:
    for name, model in (("MountainCarLLM-v0", "heuristic"), ("CartPoleLLM-v1", "random")):
        runner = await EnvRunner.make(lambda name=name: gym.make(name))
        agent = agent_for(runner, BaselineBackend(), model=model)
        *_, last = [step async for step in play(runner, agent, seed=0)]
        await runner.close()
        assert last.success is (model == "heuristic")


@pytest.mark.parametrize("model", ["heuristic", "random"])
async def test_a_resumed_lander_is_bit_exact(model: str) -> None:
    async def fly(resume_at: int | None, whole: list[Step]) -> list[Step]:
        runner = await EnvRunner.make(lambda: gym.make("LunarLanderLLM-v3"))
        agent = agent_for(runner, BaselineBackend(), model=model)
        steps = play(runner, agent, seed=3, past=past(whole[:resume_at]) if resume_at else ())
        flown = [step async for step in steps]
        await runner.close()
        return flown

    whole = await fly(None, [])
    again = await fly(40, whole)
    assert [(s.digest, s.reward, s.decision.action) for s in whole] == [
        (s.digest, s.reward, s.decision.action) for s in again
    ]
