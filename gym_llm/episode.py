"""The step loop. The library, the service and the benchmarks all use this one."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from gym_llm.agent import Agent
from gym_llm.decision import Decision
from gym_llm.env_runner import EnvRunner
from gym_llm.errors import EnvError
from gym_llm.recording import Frame
from gym_llm.spaces import digest


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
    past: Sequence[PastStep] = (),
) -> AsyncGenerator[Step, None]:
    """Play one episode and yield each step as soon as it is done.

    Args:
        env: the environment; closing it is the caller's.
        agent: decides; it is reset first.
        seed: of this episode.
        episode: its index, from 0.
        max_steps: truncate here if the environment has not ended by itself.
        past: the steps of an interrupted episode. They are taken again without asking the agent, each checked
            against its record, and yielded with `replayed` set; then play goes on.

    Raises:
        EnvError: the environment failed, or did not repeat `past`; the message names the step.
        LLMError: the agent got no answer.
    """
    agent.reset(seed=seed)
    observation, plain = await env.reset(seed)
    reward: float | None = None
    total_reward = 0.0
    number = 0
    ended = False
    while not ended:
        number += 1
        replayed = number <= len(past)
        seen, seen_digest = plain, digest(plain)
        if replayed:
            decision = past[number - 1].decision
            _check(number, "observation", seen_digest == past[number - 1].digest)
            agent.recall(observation, reward, decision)
        else:
            decision = await agent.act(observation, reward)
        taken = await env.step(agent.element(decision), number)
        if replayed:
            _check(number, "reward", taken.reward == past[number - 1].reward)
        observation, plain, reward = taken.observation, taken.plain, taken.reward
        total_reward += reward
        truncated = taken.truncated or (number == max_steps and not taken.terminated)
        ended = taken.terminated or truncated
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
            success=_success(env, taken.info, total_reward) if ended else None,
            next_observation=plain,
            frame=taken.frame,
            replayed=replayed,
        )


def _check(number: int, what: str, equal: bool) -> None:
    if not equal:
        raise EnvError(f"step {number}: not deterministic: its {what} is not the one recorded before the interruption")


def _success(env: EnvRunner, info: dict[str, Any], total_reward: float) -> bool | None:
    # The environment's own verdict first (the key that Stable-Baselines3 and Gymnasium-Robotics use too).
    if "is_success" in info:
        return bool(info["is_success"])
    threshold = env.env.spec.reward_threshold if env.env.spec is not None else None
    return total_reward >= threshold if threshold is not None else None
