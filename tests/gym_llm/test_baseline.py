"""Agents that are no language model."""

from pathlib import Path
from typing import Any

import pytest

from gym_llm import Agent, get_env_definition
from gym_llm.backends import BaselineBackend
from gym_llm.errors import ConfigError
from gym_llm.llm_env import LLMEnv
from tests.fakes import CountingEnv


def make(model: str, env: CountingEnv | None = None) -> Agent:
    config = {"backend": "baseline", "model": model}
    return Agent(config, **get_env_definition(env or CountingEnv()), backend=BaselineBackend())


async def test_heuristic_is_the_environments_own_policy() -> None:
    decision = await make("heuristic").act({"count": 3, "noise": 0.5})
    assert (decision.action, decision.reflection) == (2, "After 3 steps, 2 is still the most.")
    assert (decision.attempts, decision.cost_usd, decision.outcome) == (0, 0.0, "valid")


async def test_random_is_reproducible_and_says_that_it_did_not_look() -> None:
    async def draw(seed: int) -> list[Any]:
        agent = make("random")
        agent.reset(seed=seed)
        return [(await agent.act({"count": 0, "noise": 0.0})).action for _ in range(20)]

    assert await draw(1) == await draw(1)
    assert await draw(1) != await draw(2)
    assert set(await draw(1)) == {0, 1, 2}
    assert "not looked at" in (await make("random").act({"count": 0, "noise": 0.0})).reflection


async def test_what_cannot_be_played_is_a_configuration_error() -> None:
    class NoPolicy(CountingEnv):
        heuristic = LLMEnv.heuristic  # type: ignore[assignment]

    with pytest.raises(ConfigError, match="no heuristic policy"):
        await make("heuristic", NoPolicy()).act({"count": 0, "noise": 0.0})
    with pytest.raises(ConfigError, match="heuristic, random and sb3/NAME, not 'perfect'"):
        await make("perfect").act({"count": 0, "noise": 0.0})


async def test_it_is_always_there(tmp_path: Path) -> None:
    status = await BaselineBackend(tmp_path / "nothing").status()
    assert (status.configured, status.reachable, status.models) == (True, True, ("heuristic", "random"))
