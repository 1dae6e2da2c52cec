"""Stored episodes taken again: the only way to what the environment really showed, and to the prompts that were sent.

It is exact: every observation and every reward is checked against its record on the way.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from app.errors import ConflictError
from app.runs.stored_run import EpisodeRecord, StepRecord, StoredRun
from gym_llm.agent import Agent
from gym_llm.backends import BaselineBackend, Message
from gym_llm.config import EnvironmentConfig
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import PastStep, play
from gym_llm.errors import GymLLMError
from gym_llm.llm_env import get_env_definition

MakeEnv = Callable[[EnvironmentConfig, str | None], gym.Env[Any, Any]]


@dataclass(frozen=True, slots=True)
class Retaken:
    """A step, as it was recorded and as it went again."""

    record: StepRecord
    observation: Any
    """What the action was decided on, as the environment gave it."""
    action: Any
    """As the environment took it."""
    next_observation: Any
    prompt: Sequence[Message] | None
    """What the model was sent; None where an action was only repeated."""
    answer: str
    """What stands for the model's reply in later prompts."""


class _Tape(gym.Wrapper[Any, Any, Any, Any]):
    # Keeps what passes through an environment, as it is.
    observation: Any = None
    action: Any = None
    next_observation: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.next_observation, info = self.env.reset(seed=seed, options=options)
        return self.next_observation, info

    def step(self, action: Any) -> Any:
        self.observation, self.action = self.next_observation, action
        taken = self.env.step(action)
        self.next_observation = taken[0]
        return taken


class _Prompted(Agent):
    # Keeps the prompt of the decision that it was reminded of last.
    prompt: Sequence[Message] | None = None

    def recall(self, *decision: Any) -> Sequence[Message] | None:
        self.prompt = super().recall(*decision)
        return self.prompt


@asynccontextmanager
async def retaking(
    make_env: MakeEnv, run: StoredRun, episode: EpisodeRecord
) -> AsyncIterator[tuple[gym.Env[Any, Any], AsyncIterator[Retaken]]]:
    """The environment of an episode, and the episode's steps as they are taken again.

    Raises:
        ConflictError: that can't be done: the environment is not loaded any more, or does not repeat itself.
    """
    try:
        env = await EnvRunner.make(lambda: _Tape(make_env(run.record.environment, None)))
        try:
            if env.nondeterministic:
                raise ConflictError(
                    f"{run.record.environment.name} declares itself nondeterministic: its episodes can't be taken "
                    "again. The formats jsonl and parquet need no environment."
                )
            async with aclosing(_steps(env, run, episode)) as steps:
                yield env.env, steps
        finally:
            await env.close()
    except GymLLMError as error:
        raise ConflictError(
            f"Episode {episode.episode} of run {run.record.id} can't be taken again: {error}. "
            "The formats jsonl and parquet need no environment."
        ) from None


async def _steps(env: EnvRunner, run: StoredRun, episode: EpisodeRecord) -> AsyncGenerator[Retaken, None]:
    # What is made of episodes that are taken again holds no pictures: nothing need be rendered.
    config = run.record.agent.model_copy(update={"frames": False})
    agent = _Prompted(config, **get_env_definition(env.env), backend=BaselineBackend())
    record: StepRecord | None = None

    async def past() -> AsyncIterator[PastStep]:
        nonlocal record
        async for record in run.steps(episode):
            yield record.recorded().past

    tape: Any = env.env
    async with aclosing(
        play(env, agent, seed=episode.seed, past=past(), lessons=episode.lessons_before or (), go_on=False)
    ) as played:
        async for step in played:
            assert record is not None  # noqa: S101 - `play` has asked for it
            answer = agent.reply_text(step.decision)
            yield Retaken(record, tape.observation, tape.action, tape.next_observation, agent.prompt, answer)
