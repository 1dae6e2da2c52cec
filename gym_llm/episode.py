"""The step loop. The library, the service and the benchmarks all use this one."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gym_llm.agent import Agent
from gym_llm.decision import Decision
from gym_llm.env_runner import EnvRunner
from gym_llm.errors import ConfigError, EnvError, NotDeterministicError
from gym_llm.images import is_image
from gym_llm.lessons import Lessons
from gym_llm.recording import Frame
from gym_llm.spaces import digest
from gym_llm.strategies.base import Ending


@dataclass(frozen=True, slots=True)
class Step:
    """One `env.step`: what was seen, what was decided, what came of it."""

    episode: int
    step: int
    """From 1."""
    observation: Any
    """Plain JSON: what the action was decided on."""
    digest: str
    """Of `observation`."""
    decision: Decision
    reward: float
    terminated: bool
    truncated: bool
    total_reward: float
    """Of the episode so far."""
    success: bool | None
    """Known on the last step only, and there only where the environment says what success is."""
    next_observation: Any
    frame: Frame | None = None
    """The picture after the step, where the environment renders."""
    lessons: Lessons | None = None
    """What the episode taught: on its last step, where the agent draws lessons."""
    replayed: bool = False
    """Taken from the record of an interrupted episode, not decided now."""

    @property
    def last(self) -> bool:
        """Whether the episode ends with this step."""
        return self.terminated or self.truncated


@dataclass(frozen=True, slots=True)
class PastStep:
    """What must be known of a step to take it again."""

    digest: str
    decision: Decision
    reward: float


async def play(
    env: EnvRunner,
    agent: Agent,
    *,
    seed: int,
    episode: int = 0,
    max_steps: int | None = None,
    past: Iterable[PastStep] | AsyncIterable[PastStep] = (),
    lessons: Sequence[str] = (),
    go_on: bool = True,
) -> AsyncGenerator[Step, None]:
    """Play one episode and yield each step as soon as it is done.

    Args:
        env: the environment; closing it is the caller's.
        agent: decides; it is reset first.
        seed: of this episode.
        episode: its index, from 0.
        max_steps: truncate here if the environment has not ended by itself.
        past: the steps of an interrupted episode. They are taken again without asking the agent, each checked
            against its record, and yielded with `replayed` set; then play goes on. They are asked for one by one.
        lessons: of earlier episodes, for an agent that wants them.
        go_on: False: the episode ends where `past` does, and the agent is never asked.

    Raises:
        ConfigError: the agent wants frames, and the environment was not made to render.
        EnvError: the environment failed; the message names the step.
        NotDeterministicError: it did not repeat `past` (an `EnvError`).
        LLMError: the agent got no answer.
    """
    agent.reset(seed=seed, lessons=lessons)
    records = _one_by_one(past)
    observation, plain = await env.reset(seed)
    frame = _seen(await env.frame()) if agent.config.frames else None
    reward: float | None = None
    total_reward = 0.0
    number = 0
    ended = False
    while not ended:
        number += 1
        record = await anext(records, None)
        seen, seen_digest = plain, digest(plain)
        if record is not None:
            decision = record.decision
            _check(number, "observation", seen_digest == record.digest)
            agent.recall(observation, reward, decision, frame)
        elif go_on:
            decision = await agent.act(observation, reward, frame)
        else:
            return
        taken = await env.step(agent.element(decision), number)
        if record is not None:
            _check(number, "reward", taken.reward == record.reward)
        observation, plain, reward = taken.observation, taken.plain, taken.reward
        frame = _seen(taken.frame) if agent.config.frames else None
        total_reward += reward
        truncated = taken.truncated or (number == max_steps and not taken.terminated)
        ended = taken.terminated or truncated
        success = _success(env, taken.info, total_reward) if ended else None
        learned: Lessons | None = None
        if ended and record is None:
            learned = await agent.conclude(observation, reward, Ending(number, total_reward, truncated, success), frame)
        yield Step(
            episode=episode,
            step=number,
            observation=seen,
            digest=seen_digest,
            decision=decision,
            reward=reward,
            terminated=taken.terminated,
            truncated=truncated,
            total_reward=total_reward,
            success=success,
            next_observation=plain,
            frame=taken.frame,
            lessons=learned,
            replayed=record is not None,
        )


async def _one_by_one(past: Iterable[PastStep] | AsyncIterable[PastStep]) -> AsyncIterator[PastStep]:
    if isinstance(past, AsyncIterable):
        async for record in past:
            yield record
    else:
        for record in past:
            yield record


def _check(number: int, what: str, equal: bool) -> None:
    if not equal:
        raise NotDeterministicError(number, what)


def _seen(frame: Frame | None) -> Frame:
    if frame is None:
        raise ConfigError("agent.frames: the environment renders no frames")
    if not is_image(frame):
        raise EnvError(f"its frame is no picture, but {frame.dtype} of shape {frame.shape}")
    return frame


def _success(env: EnvRunner, info: dict[str, Any], total_reward: float) -> bool | None:
    # The environment's own verdict first (the key that Stable-Baselines3 and Gymnasium-Robotics use too).
    if "is_success" in info:
        return bool(info["is_success"])
    threshold = env.env.spec.reward_threshold if env.env.spec is not None else None
    return total_reward >= threshold if threshold is not None else None
