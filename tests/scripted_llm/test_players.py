"""The prompt tells a model all that it needs: players that read nothing else solve the environments, over real HTTP."""

import asyncio
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium as gym
import pytest

import env_plugins  # noqa: F401 - registers the environments
from gym_llm import Agent, get_env_definition
from gym_llm.backends import BaselineBackend, OpenAIBackend
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import Step, play
from tests.scripted_llm.fixtures import serving
from tests.scripted_llm.players import answer


async def episode(id: str, seed: int, backend: OpenAIBackend, kwargs: dict[str, Any]) -> Step:
    runner = await EnvRunner.make(lambda: gym.make(id, **kwargs))
    try:
        agent = Agent({"model": "scripted", "history": 1}, **get_env_definition(runner.env), backend=backend)
        steps = [step async for step in play(runner, agent, seed=seed)]
        assert {step.decision.outcome for step in steps} == {"valid"}
        return steps[-1]
    finally:
        await runner.close()


async def played(id: str, seeds: Iterable[int], **kwargs: Any) -> list[Step]:
    """The last step of an episode for each seed."""
    with serving() as server:
        backend = OpenAIBackend(base_url=server.openai_url)
        ends = []
        for seed in seeds:
            ends.append(asyncio.create_task(episode(id, seed, backend, kwargs)))
            if len(ends) % 16 == 0:
                await asyncio.gather(*ends)
        done = await asyncio.gather(*ends)
        await backend.aclose()
        return done


def mean(ends: list[Step]) -> float:
    return statistics.mean(end.total_reward for end in ends)


def stuck(threshold: int, seeds: Sequence[int]) -> float:
    """Mean return of sticking on the same sum, whatever the dealer shows."""
    env, total = gym.make("BlackjackLLM-v1"), 0.0
    for seed in seeds:
        hand, _ = env.reset(seed=seed)
        over = False
        while not over:
            hand, reward, over, _, _ = env.step(int(hand["players_sum"] < threshold))
            total += float(reward)
    return total / len(seeds)


async def test_blackjack_is_played_better_than_by_any_fixed_sum():
    seeds = range(600)
    ours = mean(await played("BlackjackLLM-v1", seeds))
    assert ours > max(stuck(threshold, seeds) for threshold in range(12, 21))


@pytest.mark.parametrize("id", ["TaxiLLM-v3", "TaxiLLM-v4"])
async def test_every_passenger_is_delivered_on_the_shortest_way(id: str):
    ends = await played(id, range(30))
    assert all(end.success for end in ends)
    assert mean(ends) > 7
    assert max(end.step for end in ends) <= 20


async def test_ice_that_is_not_slippery_is_crossed_on_the_shortest_way():
    ends = await played("FrozenLakeLLM-v1", range(2), is_slippery=False)
    assert [(end.success, end.step) for end in ends] == [(True, 6)] * 2
    (end,) = await played("FrozenLakeLLM-v1", [0], map_name="random", size=9, map_seed=4, is_slippery=False)
    assert (end.success, end.step) == (True, 16)


async def test_slippery_ice_is_crossed_more_often_than_not():
    ends = await played("FrozenLakeLLM-v1", range(40))
    assert statistics.mean(bool(end.success) for end in ends) >= 0.65  # at random: 0.014


async def test_the_cliff_is_passed():
    (end,) = await played("CliffWalkingLLM-v1", [0])
    assert (end.total_reward, end.success) == (-13, True)
    ends = await played("CliffWalkingSlipperyLLM-v1", range(4))
    assert all(end.success for end in ends)
    assert min(end.total_reward for end in ends) > -200


@pytest.mark.parametrize(
    ("id", "seeds", "at_least"),
    [
        ("AcrobotLLM-v1", 8, -100),
        ("PendulumLLM-v1", 8, -250),
        ("MountainCarContinuousLLM-v0", 6, 95),
        ("LunarLanderContinuousLLM-v3", 6, 200),
    ],
)
async def test_numbers_and_swings_are_mastered(id: str, seeds: int, at_least: float):
    ends = await played(id, range(seeds))
    assert mean(ends) > at_least
    assert all(end.success in (True, None) for end in ends)


@pytest.mark.parametrize(
    ("id", "share"),
    [
        ("MiniGrid-Empty-5x5LLM-v0", 1.0),
        ("MiniGrid-Empty-8x8LLM-v0", 1.0),
        ("MiniGrid-DoorKey-5x5LLM-v0", 1.0),
        ("MiniGrid-DoorKey-8x8LLM-v0", 1.0),
        ("MiniGrid-LavaGapS5LLM-v0", 1.0),
        ("MiniGrid-Fetch-5x5-N2LLM-v0", 1.0),
        ("MiniGrid-GoToDoor-5x5LLM-v0", 1.0),
        ("MiniGrid-MultiRoom-N2-S4LLM-v0", 1.0),
        ("BabyAI-GoToRedBallLLM-v0", 0.8),
        ("BabyAI-GoToObjLLM-v0", 1.0),
        ("BabyAI-PickupDistLLM-v0", 0.8),
        ("BabyAI-OneRoomS8LLM-v0", 1.0),
    ],
)
async def test_missions_are_completed(id: str, share: float):
    ends = await played(id, range(5))
    assert statistics.mean(bool(end.success) for end in ends) >= share


@pytest.mark.parametrize(
    ("id", "words"),
    [
        ("TaxiLLM-v3", "((row * 5 + column) * 5 + passenger) * 4 + destination"),
        ("FrozenLakeLLM-v1", "row 0: "),
        ("MountainCarContinuousLLM-v0", "pushes to the right"),
        ("MiniGrid-Empty-5x5LLM-v0", "free floor"),
    ],
)
def test_players_live_on_the_words_alone(id: str, words: str):
    env = gym.make(id)
    agent = Agent({"model": "scripted"}, **get_env_definition(env), backend=BaselineBackend())
    observation, _ = env.reset(seed=1)
    question = next(agent.decide(observation))
    assert "I do not know" not in answer(question.messages, None)["reflection"]
    assert words in agent.system_prompt
    system = {"role": "system", "content": agent.system_prompt.replace(words, "")}
    with pytest.raises((LookupError, ValueError, AssertionError)):
        answer([system, *question.messages[1:]], None)
