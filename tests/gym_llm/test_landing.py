"""The prompt tells a model all that it needs: a player that reads nothing else lands the lander, over real HTTP."""

import asyncio
import statistics

import gymnasium as gym
import pytest

import env_plugins  # noqa: F401 - registers the environments
from gym_llm import Agent, get_env_definition
from gym_llm.backends import Backend, OllamaBackend, OpenAIBackend
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import Step, play
from tests.scripted_llm.fixtures import Serving, scripted_llm  # noqa: F401 - a fixture

SEEDS = range(10)


async def fly(id: str, seed: int, backend: Backend) -> Step:
    runner = await EnvRunner.make(lambda: gym.make(id))
    try:
        agent = Agent({"model": "scripted"}, **get_env_definition(runner.env), backend=backend)
        *_, last = [step async for step in play(runner, agent, seed=seed)]
        return last
    finally:
        await runner.close()


@pytest.mark.parametrize("protocol", ["openai", "ollama"])
@pytest.mark.parametrize(("id", "at_least"), [("LunarLanderLLM-v3", 200), ("CartPoleLLM-v1", 475)])
async def test_the_prompt_is_enough(id: str, at_least: float, protocol: str, scripted_llm: Serving) -> None:  # noqa: F811
    backend: Backend = (
        OpenAIBackend(base_url=scripted_llm.openai_url)
        if protocol == "openai"
        else OllamaBackend(host=scripted_llm.url)
    )
    ends = await asyncio.gather(*(fly(id, seed, backend) for seed in SEEDS))
    await backend.aclose()
    assert statistics.mean(end.total_reward for end in ends) > at_least
    assert all(end.decision.outcome == "valid" for end in ends)


async def test_the_mountain_is_climbed(scripted_llm: Serving) -> None:  # noqa: F811
    backend = OpenAIBackend(base_url=scripted_llm.openai_url)
    ends = await asyncio.gather(*(fly("MountainCarLLM-v0", seed, backend) for seed in SEEDS))
    await backend.aclose()
    assert all(end.success for end in ends)
